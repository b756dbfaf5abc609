"""Clusters made with kind, k3d and minikube, from creation to removal, with stand-ins for the tools on PATH."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_smi.cluster.choose import open_cluster, release
from pytest_smi.cluster.claim import Claimed
from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.local import PREFIX
from pytest_smi.errors import ClusterError
from tests.embedded.cluster_process import until
from tests.embedded.run_process import PytestRun
from tests.embedded.stand_in_tool import Tools
from tests.embedded.standing_mesh import flags, snapshot, standing_mesh

TESTS = """
import pytest
from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


@requirement("TA-004")
@pytest.mark.parametrize("which", range(4))
def test_pour(smi, which):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(teapot))
"""
CREATES = {"kind": ("create", "cluster"), "k3d": ("cluster", "create"), "minikube": ("start",)}
LOADS = {"kind": ("load",), "k3d": ("import",), "minikube": ("load",)}
DELETES = {"kind": ("delete",), "k3d": ("delete",), "minikube": ("delete",)}

Start = Callable[..., PytestRun]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with standing_mesh(tmp_path_factory.mktemp("mesh")) as found:
        yield found


@pytest.fixture
def tools(tmp_path: Path, cluster: EmbeddedCluster) -> Tools:
    return Tools(tmp_path / "tools", cluster.kubeconfig)


@pytest.fixture
def start(tmp_path: Path, cluster: EmbeddedCluster, tools: Tools) -> Iterator[Start]:
    """Starts runs in one folder, with a home of their own, for one of the tools."""
    (tmp_path / "test_pour.py").write_text(TESTS)
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").write_text("the user's own")
    mesh, *_ = flags(tmp_path, None)
    runs: list[PytestRun] = []

    def begin(provider: str, *arguments: str) -> PytestRun:
        env = {**tools.env, "HOME": str(home)}
        runs.append(PytestRun(tmp_path, mesh, f"--smi-cluster={provider}", "test_pour.py", *arguments, env=env))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()
    assert (home / ".kube" / "config").read_text() == "the user's own"


def shared(run: PytestRun) -> list[Path]:
    """Folders of runs with clusters of tools."""
    return sorted(run.temp.glob(f"{PREFIX}*"))


@pytest.mark.parametrize("provider", CREATES)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_cluster_is_made_once_and_removed_after_the_last_test(
    start: Start, tools: Tools, provider: str, workers: int
) -> None:
    run = start(provider, f"-n{workers}", "--smi-image=sample:1")
    assert run.status == 0, run.said
    every = tools.asked()
    assert [line for line in every if line[0] != provider] == []
    assert len(tools.asked(*CREATES[provider], "pytest-smi")) == 1
    assert len(tools.asked(*LOADS[provider], "sample:1", "pytest-smi")) == 1
    assert tools.asked(*DELETES[provider]) == [every[-1]], "once, and as the last"
    assert tools.clusters == []
    assert shared(run) == []
    assert run.results()["cluster"]["provider"] == provider


@pytest.mark.parametrize("provider", CREATES)
def test_a_cluster_that_is_there_is_used_and_left(
    cluster: EmbeddedCluster, start: Start, tools: Tools, provider: str
) -> None:
    tools.set_clusters("mine", "other")
    before = snapshot(cluster.api)
    run = start(f"{provider}:mine", "-n0")
    assert run.status == 0, run.said
    assert tools.asked(*CREATES[provider]) == []
    assert tools.asked(*DELETES[provider]) == []
    assert tools.clusters == ["mine", "other"]
    assert shared(run) == []
    assert snapshot(cluster.api) == before


@pytest.mark.parametrize("workers", [0, 2])
def test_a_tool_that_fails_is_told_in_one_line_and_not_asked_again(start: Start, tools: Tools, workers: int) -> None:
    (tools.folder / "broken").write_text("failed to pull node image\nno space left on device")
    run = start("kind", f"-n{workers}")
    assert run.status == 3, run.said
    assert set(run.verdicts().values()) <= {"error"}
    assert "failed, status 1: ERROR: failed to pull node image | no space left on device" in run.said
    assert "Traceback" not in run.said
    assert len(tools.asked("create")) == 1
    assert shared(run) == []


def test_a_tool_that_is_missing_is_told_in_one_line(start: Start, tools: Tools) -> None:
    (tools.folder / "bin" / "k3d").unlink()
    run = start("k3d", "-n0")
    assert run.status == 3, run.said
    assert "there is no k3d on PATH (install it, or use another --smi-cluster than k3d)" in run.said


def test_ctrl_c_while_a_cluster_is_made_removes_what_is_there_of_it(start: Start, tools: Tools) -> None:
    (tools.folder / "slow").touch()
    run = start("kind", "-n0")
    until("the creation to begin", lambda: (tools.folder / "slow-now").exists(), 60)
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.status == 2, run.said
    assert run.processes() == {}, "the tool has ended"
    assert tools.clusters == []
    assert shared(run) == []


def test_what_a_killed_run_has_made_is_removed_by_clean(start: Start, tools: Tools, tmp_path: Path) -> None:
    (tools.folder / "slow").touch()
    run = start("minikube", "-n0")
    until("the creation to begin", lambda: (tools.folder / "slow-now").exists(), 60)
    run.process.kill()
    run.process.wait()
    until("all of the run to be gone", lambda: not run.processes(), 20)
    assert tools.clusters == ["pytest-smi"]
    command = [sys.executable, "-m", "pytest_smi.cli", "clean", "--local"]
    env = {**os.environ, **tools.env, "TMPDIR": str(run.temp)}
    done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, env=env, check=True)
    assert done.stdout == "would remove minikube cluster pytest-smi\n"
    assert tools.clusters == ["pytest-smi"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert done.stdout == "removed minikube cluster pytest-smi\n"
    assert tools.clusters == []
    assert shared(run) == []


@pytest.fixture
def here(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Claimed]:
    """The shared folder of a run that is this process, with the stand-ins on PATH."""
    for name, value in tools.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    claimed = Claimed(PREFIX)
    yield claimed
    claimed.remove()


def test_the_kubeconfig_is_private(here: Claimed) -> None:
    cluster = open_cluster("k3d", None, lambda: here.path, None, None)
    assert cluster.kubeconfig == here.path / "kubeconfig"
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.path.stat().st_mode) == 0o700
    assert not cluster.lasting
    assert release(here.path) == "k3d cluster pytest-smi"


def test_a_cluster_of_a_run_that_goes_on_is_not_taken(here: Claimed, tools: Tools) -> None:
    open_cluster("kind", None, lambda: here.path, None, None)
    second = Claimed(PREFIX)
    with pytest.raises(ClusterError, match=r"of another run that still goes on \(name another: --smi-cluster=kind:"):
        open_cluster("kind", None, lambda: second.path, None, None)
    assert release(second.path) is None
    second.remove()
    assert tools.clusters == ["pytest-smi"]


def test_a_cluster_of_a_dead_run_is_made_anew(here: Claimed, tools: Tools) -> None:
    open_cluster("kind", None, lambda: here.path, None, None)
    os.close(here._claim)  # as if its process had been killed
    here._claim = -1
    second = Claimed(PREFIX)
    open_cluster("kind", None, lambda: second.path, None, None)
    assert [line[1] for line in tools.asked() if line[1] in ("create", "delete")] == ["create", "delete", "create"]
    assert not here.path.exists()
    assert release(second.path) == "kind cluster pytest-smi"
    second.remove()
    assert tools.clusters == []


def test_a_cluster_that_a_process_of_the_run_has_half_made_is_made_anew(here: Claimed, tools: Tools) -> None:
    open_cluster("kind", None, lambda: here.path, None, None)
    (here.path / "ready").unlink()  # as if that process had been killed before it was
    open_cluster("kind", None, lambda: here.path, None, None)
    assert [line[1] for line in tools.asked() if line[1] in ("create", "delete")] == ["create", "delete", "create"]
    assert release(here.path) == "kind cluster pytest-smi"
