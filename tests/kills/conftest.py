"""A stage for each worker, and a recording of the whole suite that the workers make together."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills.matrix import MODE, suite
from tests.kills.stage_process import ROOT, StageProcess

_RECORDING_SECONDS = 600.0
_POLL_SECONDS = 0.2
_SOURCES = ("conformance_tests", "pytest_smi", "sample_app", "tests/kills")


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageProcess]:
    """The stage of this worker."""
    process = StageProcess(tmp_path_factory.mktemp("stage"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def recordings(stage: StageProcess) -> list[Path]:
    """What the suite did to the API's objects. Each worker records its share, once for each state of the sources."""
    if MODE == "survival":
        return []
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    folder = ROOT / "build" / "kills" / _digest()
    paths = [folder / f"{part + 1}-of-{count}.jsonl" for part in range(count)]
    if not paths[number].exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = paths[number].with_suffix(f".{os.getpid()}")
        found = stage.record(sorted(set().union(*suite().values()))[number::count], unfinished)
        red = {one["requirement"]: one["message"] for one in found if one["verdict"] in ("fail", "error")}
        assert not red, "the sound mesh must pass before faults can be judged"
        unfinished.rename(paths[number])
    deadline = time.monotonic() + _RECORDING_SECONDS
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, "another worker has not recorded its share (a single fault: -n0)"
        time.sleep(_POLL_SECONDS)
    return paths


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted(path for folder in _SOURCES for path in (ROOT / folder).rglob("*") if path.is_file()):
        if path.suffix != ".pyc":
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
