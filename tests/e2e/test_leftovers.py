"""A run on a real cluster that is cut short: `tests/e2e/run up`, then `.venv/bin/pytest tests/e2e`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.folders import ROOT
from tests.e2e.judge import MESHES, invocation
from tests.e2e.snapshot import Objects, differences, snapshot
from tests.e2e.trouble import until

if TYPE_CHECKING:
    from collections.abc import Iterator

MESH = MESHES["osm"]
INSTALL_SECONDS, END_SECONDS, CLEAN_SECONDS = 180.0, 120.0, 300.0


@pytest.fixture
def before(cluster: Cluster) -> Objects:
    """All objects before the run."""
    return snapshot(cluster)


@pytest.fixture
def run(cluster: Cluster, before: Objects) -> Iterator[subprocess.Popen[bytes]]:
    """A run with two workers that has brought its mesh and its scene."""
    command, environment = invocation(cluster, MESH, ["-n", "2", "--smi-requirement=TA-001,TA-004,TA-005,TA-028"])
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        until(lambda: _scenes(cluster, process) == 2, INSTALL_SECONDS, "two scenes", lambda: "see the output")
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _scenes(cluster: Cluster, process: subprocess.Popen[bytes]) -> int:
    assert process.poll() is None, "the run ended before its scene was there"
    labelled = cluster.get("deployments", "-A", "-l", "app.kubernetes.io/managed-by=pytest-smi")["items"]
    return len({one["metadata"]["namespace"] for one in labelled if one["metadata"]["name"] == "kettle"})


def test_ctrl_c_leaves_the_cluster_as_it_was(cluster: Cluster, before: Objects, run: subprocess.Popen[bytes]) -> None:
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(END_SECONDS) == pytest.ExitCode.INTERRUPTED
    assert differences(before, snapshot(cluster)) == []


def test_clean_removes_what_a_killed_run_has_left(
    cluster: Cluster, before: Objects, run: subprocess.Popen[bytes]
) -> None:
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert differences(before, snapshot(cluster)) != []
    _, environment = invocation(cluster, MESH, [])
    program = Path(sys.executable).with_name("pytest-smi")
    command = [*cluster.first.reaching(), str(program), "clean", f"--kubeconfig={cluster.kubeconfig}", "--wait"]
    subprocess.run(command, env=environment, check=True, timeout=CLEAN_SECONDS)
    assert differences(before, snapshot(cluster)) == []
