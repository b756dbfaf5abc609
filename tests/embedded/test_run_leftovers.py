"""However a run ends, nothing of it is left: no process, no listening socket, no state."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.embedded.cluster_process import until
from tests.embedded.run_process import FEW, PytestRun, allure_of, junit_of, listening, still_open

# Two tests that never end by themselves, always amid traffic; each tells when it is there.
ENDLESS = """
import os
from pathlib import Path

import pytest
from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


@requirement("TA-004")
@pytest.mark.parametrize("which", [1, 2])
def test_without_end(smi, which):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    while True:
        assert_allowed(kettle.get(teapot))
        Path(f"middle-{os.getpid()}").touch()
"""
GONE_SECONDS = 60.0

Start = Callable[..., PytestRun]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts runs in one folder; whatever is left of them when the test ends is ended."""
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    runs: list[PytestRun] = []

    def begin(*arguments: str) -> PytestRun:
        runs.append(PytestRun(tmp_path, *arguments))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


def middle_of(run: PytestRun, number: int) -> set[str]:
    """Wait for the middle of a run of so many clusters, see that all its parts are there, and where it listens."""
    run.reached(number)
    running = run.processes()
    for words in (["pytest_smi.embedded"], ["pytest_smi.embedded.mesh"]):
        assert len(run.processes(*words)) == number, words
    assert sum("envoy" in Path(line[0]).name for line in running.values()) == number
    addresses = listening(running)
    assert len(addresses) > 20 * number
    return addresses


def all_gone(run: PytestRun, addresses: set[str]) -> None:
    until("every process of the run to be gone", lambda: not run.processes(), GONE_SECONDS)
    until("every socket of the run to be gone", lambda: not still_open(addresses), GONE_SECONDS)


def test_a_run_that_ends_by_itself_leaves_nothing(start: Start) -> None:
    run = start(FEW, "-n2")
    assert run.status == 0, run.said
    assert run.processes() == {}
    assert run.states() == []


@pytest.mark.parametrize(
    ("workers", "number"),
    [(0, signal.SIGINT), (2, signal.SIGINT), (0, signal.SIGTERM)],
    ids=["alone-SIGINT", "workers-SIGINT", "alone-SIGTERM"],
)
def test_an_interrupted_run_leaves_nothing_but_its_results(start: Start, workers: int, number: signal.Signals) -> None:
    run = start("test_endless.py", f"-n{workers}")
    addresses = middle_of(run, workers or 1)
    run.process.send_signal(number)
    assert run.status == 2, run.said
    all_gone(run, addresses)
    assert run.states() == []
    assert run.results()["complete"] is False
    assert run.results()["exit"]["status"] == 2
    assert "Traceback" not in run.said
    assert run.complained == []


def test_ctrl_c_in_a_terminal_reaches_the_workers_too_and_leaves_nothing(start: Start) -> None:
    run = start("test_endless.py", "-n2")
    addresses = middle_of(run, 2)
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.status == 2, run.said
    all_gone(run, addresses)
    assert run.states() == []
    assert run.results()["complete"] is False


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_leaves_no_process_and_the_next_run_removes_its_files(start: Start, workers: int) -> None:
    run = start("test_endless.py", f"-n{workers}")
    addresses = middle_of(run, workers or 1)
    run.process.kill()
    run.process.wait()
    all_gone(run, addresses)
    (run.folder / "test_next.py").write_text("def test_a_cluster_starts(smi_cluster): pass\n")
    following = start("test_next.py", "-n0")
    assert following.status == 0, following.said
    assert following.states() == []


def test_a_killed_worker_is_an_error_of_its_item_and_the_run_goes_on(start: Start, tmp_path: Path) -> None:
    (tmp_path / "test_victim.py").write_text(VICTIM)
    run = start("test_victim.py", "-n2")
    (victim,) = run.reached()
    os.kill(victim, signal.SIGKILL)
    assert run.status == 3, run.said
    until("every process of the run to be gone", lambda: not run.processes(), GONE_SECONDS)
    assert run.states() == []
    document = run.results()
    assert document["complete"] is True
    verdicts = [(one["nodeid"].partition("::")[2].partition("[")[0], one["verdict"]) for one in document["instances"]]
    assert sorted(verdicts) == [("test_before", "pass"), ("test_victim", "error"), ("test_witness", "pass")]


def test_a_worker_that_is_killed_before_its_first_report_is_an_error_of_the_item_it_was_about_to_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "conftest.py").write_text(STRUCK_EARLY)
    (tmp_path / "test_three.py").write_text(THREE)
    run = PytestRun(tmp_path, "test_three.py", "-n2", reports=True)
    try:
        (victim,) = run.reached()
        os.kill(victim, signal.SIGKILL)
        assert run.status == 3, run.said
    finally:
        run.kill_rest()
    document = run.results()
    assert (document["complete"], document["problems"]) == (True, [])
    assert sorted(one["verdict"] for one in document["instances"]) == ["error", "pass", "pass"]
    (struck,) = (one for one in document["instances"] if one["verdict"] == "error")
    assert "crashed while running" in struck["message"]
    assert struck["nodeid"] in struck["message"]
    name = struck["nodeid"].rpartition("::")[2]
    assert junit_of(tmp_path / "junit.xml")[name] == ("error", {"error"})
    assert allure_of(tmp_path / "allure")[name] == ("error", "broken")
    assert run.states() == []


# The worker that comes first waits to be killed, in the set-up of the first item that it was given.
STRUCK_EARLY = """
import os
import signal
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def struck():
    try:
        os.close(os.open("struck", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    Path(f"middle-{os.getpid()}").touch()
    signal.pause()
"""
THREE = """
from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


def pour(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(teapot))


@requirement("TA-004")
def test_one(smi):
    pour(smi)


@requirement("TA-005")
def test_two(smi):
    pour(smi)


@requirement("TA-028")
def test_three(smi):
    pour(smi)
"""


VICTIM = """
import os
from pathlib import Path

from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


def pour(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(teapot))


@requirement("TA-004")
def test_before(smi):
    pour(smi)


@requirement("TA-005")
def test_victim(smi):
    pour(smi)
    Path(f"middle-{os.getpid()}").touch()
    while True:
        pour(smi)


@requirement("TA-028")
def test_witness(smi):
    pour(smi)
"""
