"""A mesh that a run brings: installed once, judged, and gone without a trace, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.mesh.record import records
from tests.embedded.cluster_process import until
from tests.embedded.run_process import SECONDS, PytestRun
from tests.embedded.standin_mesh import NAMESPACE, profile

FEW = "--smi-requirement=TA-004,TA-005,TS-001"
INSTALL = "--smi-install"
LONG = """
import os
from pathlib import Path

from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


@requirement("TA-004")
def test_long(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    Path(f"middle-{os.getpid()}").touch()
    while not Path("stop").exists():
        assert_allowed(kettle.get(teapot))
"""
KINDS = (
    "/api/v1/namespaces",
    "/api/v1/configmaps",
    "/api/v1/pods",
    "/api/v1/services",
    "/apis/apps/v1/deployments",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
)

Start = Callable[..., PytestRun]


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """A cluster without any mesh; outlives the runs."""
    found = EmbeddedCluster()
    try:
        found.wait()
        roots = "/api/v1/namespaces/{}/configmaps/kube-root-ca.crt"
        for one in found.api.list("/api/v1/namespaces"):  # what controllers put into each is no trace of a run
            path = roots.format(one["metadata"]["name"])
            until(f"{path} to be there", lambda path=path: found.api.find(path), SECONDS)  # type: ignore[misc]
        yield found
    finally:
        found.close()


@pytest.fixture
def start(cluster: EmbeddedCluster, tmp_path: Path) -> Iterator[Start]:
    """Starts a run that judges the stand-in in a folder of its own; keywords change parts of its profile."""
    runs: list[PytestRun] = []

    def begin(*arguments: str, env: dict[str, str] | None = None, **parts: str) -> PytestRun:
        (tmp_path / "mine.toml").write_text(profile(tmp_path, **parts))
        (tmp_path / "test_long.py").write_text(LONG)
        where = ["--smi-mesh=./mine.toml", f"--smi-kubeconfig={cluster.kubeconfig}"]
        runs.append(PytestRun(tmp_path, *where, *arguments, env={"STANDIN_PYTHON": sys.executable, **(env or {})}))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


def everything(cluster: EmbeddedCluster) -> set[str]:
    found: list[tuple[str, dict[str, Any]]] = [(path, one) for path in KINDS for one in cluster.api.list(path)]
    return {f"{path} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}" for path, one in found}


def until_restored(cluster: EmbeddedCluster, before: set[str]) -> None:
    """Wait until the cluster is as it was; the scene takes a moment to go."""
    deadline = time.monotonic() + SECONDS
    while (now := everything(cluster)) != before:
        if time.monotonic() > deadline:
            pytest.fail(f"left: {sorted(now - before)}, missing: {sorted(before - now)}")
        time.sleep(0.05)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().split() if (folder / "calls").exists() else []


def ending(run: PytestRun) -> str:
    (line,) = (line for line in run.said.splitlines() if line.startswith("exit "))
    return line


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_mesh_is_brought_once_judged_and_taken_away(
    cluster: EmbeddedCluster, start: Start, tmp_path: Path, processes: str
) -> None:
    before = everything(cluster)
    run = start(INSTALL, FEW, processes)
    assert run.status == 0, run.said
    assert set(run.verdicts().values()) == {"pass"}
    assert calls(tmp_path) == ["install", "uninstall"]
    until_restored(cluster, before)
    assert run.processes() == {}
    told = run.results()["mesh"]
    assert (told["name"], told["version"], told["installed"]) == ("standin", "1.2.3", True)
    last = told["preconditions"][-1]
    assert (last["that"], last["held"]) == ("permissive mode is off", True)


def test_a_mesh_that_is_there_already_is_not_installed_over(
    cluster: EmbeddedCluster, start: Start, tmp_path: Path
) -> None:
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    try:
        run = start(INSTALL, FEW, "-n0")
        assert run.status == 3
        assert ending(run).startswith(f"exit 3: namespace {NAMESPACE} is there already (judge the mesh that is there")
        assert calls(tmp_path) == []
        assert cluster.api.find(f"/api/v1/namespaces/{NAMESPACE}")
    finally:
        cluster.api.delete(f"/api/v1/namespaces/{NAMESPACE}")
        until("it to be gone", lambda: not cluster.api.find(f"/api/v1/namespaces/{NAMESPACE}"), SECONDS)


def test_an_install_that_fails_is_one_line_and_takes_back_what_had_come(cluster: EmbeddedCluster, start: Start) -> None:
    before = everything(cluster)
    run = start(INSTALL, FEW, "-n0", env={"STANDIN_BROKEN": "1"})
    assert run.status == 3
    assert "ended with status 1: the stand-in cannot be installed today (run it by hand)" in ending(run)
    assert run.verdicts() == {}
    assert run.results()["complete"] is False
    assert everything(cluster) == before
    assert "Traceback" not in run.said


def test_a_variable_that_is_not_set_is_named(cluster: EmbeddedCluster, start: Start) -> None:
    before = everything(cluster)
    run = start(INSTALL, FEW, "-n0", install='method = "command"\ncommands = [{ run = ["${NO_SUCH_THING}"] }]')
    assert run.status == 3
    assert "profile standin: [install] commands uses ${NO_SUCH_THING}, which is not set" in ending(run)
    assert everything(cluster) == before


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_ctrl_c_amid_a_test_takes_the_mesh_away(
    cluster: EmbeddedCluster, start: Start, tmp_path: Path, processes: str
) -> None:
    before = everything(cluster)
    run = start(INSTALL, "test_long.py", processes)
    run.reached()
    os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does
    assert run.status == 2, run.said
    assert calls(tmp_path) == ["install", "uninstall"]
    until_restored(cluster, before)
    assert run.processes() == {}


def test_a_worker_that_is_killed_does_not_keep_the_mesh(cluster: EmbeddedCluster, start: Start, tmp_path: Path) -> None:
    before = everything(cluster)
    run = start(INSTALL, "test_long.py", "-n1")
    (worker,) = run.reached()
    os.kill(worker, signal.SIGKILL)
    (tmp_path / "stop").touch()
    assert run.status == 3, run.said
    assert calls(tmp_path) == ["install", "uninstall"]
    assert run.processes() == {}
    assert everything(cluster) == before


def test_the_mesh_of_a_run_that_was_killed_is_removed_by_clean(
    cluster: EmbeddedCluster, start: Start, tmp_path: Path
) -> None:
    before = everything(cluster)
    run = start(INSTALL, "test_long.py", "-n0")
    run.reached()
    os.kill(run.process.pid, signal.SIGKILL)
    (record,) = records(cluster.api)
    assert (record.profile.name, [ref.name for ref in record.applied]) == ("standin", ["controller", "mode"])
    again = start(INSTALL, FEW, "-n0")
    assert again.status == 3
    assert f"namespace {NAMESPACE} is there already, made by run {record.run}" in ending(again)
    command = [sys.executable, "-m", "pytest_smi.cli", "clean", f"--kubeconfig={cluster.kubeconfig}", "--wait"]
    env = {**os.environ, "STANDIN_PYTHON": sys.executable, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert f"removed the mesh standin of run {record.run}, namespace {NAMESPACE}" in done.stdout
    assert calls(tmp_path) == ["install", "uninstall"]
    assert records(cluster.api) == []
    assert everything(cluster) == before
