"""What is tidied up after a run, and that one failure does not keep us from the rest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.errors import ClusterError
from pytest_smi.processes import Processes


def processes(**config: Any) -> Processes:
    return Processes(cast("pytest.Config", SimpleNamespace(**config)))


def no_cluster() -> Any:
    raise ClusterError("the API server is away", "start it")


def test_a_worker_is_told_what_it_has_in_common_with_the_others() -> None:
    controller = processes()
    node = SimpleNamespace(workerinput={"workerid": "gw0"})
    controller.tell(node, folder=False)
    worker = processes(workerinput=node.workerinput)
    assert (worker.run, worker.worker) == (controller.run, "gw0")
    assert controller.worker == ""


def test_a_folder_is_shared_and_goes_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    controller = processes()
    node = SimpleNamespace(workerinput={"workerid": "gw0"})
    controller.tell(node, folder=True)
    worker = processes(workerinput=node.workerinput)
    assert worker.folder() == controller.folder()
    assert list(worker.tidy(no_cluster)) == []
    assert controller.folder().is_dir()
    assert list(controller.tidy(no_cluster)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_told_and_the_rest_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    controller = processes()
    controller.folder()
    controller.lost = True
    assert list(controller.tidy(no_cluster)) == ["smi: not everything is tidied up: the API server is away (start it)"]
    assert list(tmp_path.iterdir()) == []


def test_every_run_has_an_id_of_its_own_that_fits_a_namespace() -> None:
    ids = {processes().run for _ in range(50)}
    assert len(ids) == 50
    assert all(one.isalnum() and one == one.lower() and len(one) == 6 for one in ids)
