"""A run on a cluster that lasts: what is not its own stays as it was, and what it has left can be told and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.kubeconfig import KubeconfigCluster
from pytest_smi.cluster.lease import SECONDS as LEASE_SECONDS
from pytest_smi.errors import ClusterError
from pytest_smi.mesh.profile import load_profile
from pytest_smi.workload.scene import Scene
from tests.embedded.cluster_process import until
from tests.embedded.run_process import PytestRun
from tests.embedded.standing_mesh import flags, snapshot, standing_mesh

# A test that goes on until it is told to stop; it tells when it is in its middle.
LONG = """
import os
from pathlib import Path

import pytest
from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


@requirement("TA-004")
@pytest.mark.parametrize("which", [1, 2])
def test_long(smi, which):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    while not Path("stop").exists():
        assert_allowed(kettle.get(teapot))
        Path(f"middle-{os.getpid()}").touch()
"""

Start = Callable[..., PytestRun]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with standing_mesh(tmp_path_factory.mktemp("mesh")) as found:
        yield found


@pytest.fixture
def start(tmp_path: Path, cluster: EmbeddedCluster) -> Iterator[Start]:
    """Starts runs on that cluster in one folder; whatever is left of them when the test ends is ended."""
    (tmp_path / "test_long.py").write_text(LONG)
    runs: list[PytestRun] = []

    def begin(*arguments: str) -> PytestRun:
        runs.append(PytestRun(tmp_path, *flags(tmp_path, cluster.kubeconfig), *arguments))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


def clean(cluster: EmbeddedCluster, folder: Path, *arguments: str) -> str:
    """What `pytest-smi clean` says."""
    command = [sys.executable, "-m", "pytest_smi.cli", "clean", f"--kubeconfig={cluster.kubeconfig}", *arguments]
    env = {**os.environ, "TMPDIR": str(folder)}  # other tests have state of their own on this machine
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("workers", "number"),
    [(0, signal.SIGINT), (2, signal.SIGINT), (0, signal.SIGTERM)],
    ids=["alone-SIGINT", "workers-SIGINT", "alone-SIGTERM"],
)
def test_an_interrupted_run_leaves_the_cluster_as_it_was(
    cluster: EmbeddedCluster, start: Start, workers: int, number: signal.Signals
) -> None:
    before = snapshot(cluster.api)
    run = start("test_long.py", f"-n{workers}")
    run.reached(workers or 1)
    assert snapshot(cluster.api) != before
    run.process.send_signal(number)
    assert run.status == 2, run.said
    assert snapshot(cluster.api) == before
    assert "Traceback" not in run.said


def test_ctrl_c_in_a_terminal_reaches_the_workers_too_and_leaves_the_cluster_as_it_was(
    cluster: EmbeddedCluster, start: Start
) -> None:
    before = snapshot(cluster.api)
    run = start("test_long.py", "-n2")
    run.reached(2)
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.status == 2, run.said
    assert snapshot(cluster.api) == before


def test_what_a_killed_worker_leaves_is_removed_at_the_end_of_the_run(cluster: EmbeddedCluster, start: Start) -> None:
    before = snapshot(cluster.api)
    run = start("test_long.py", "-n2")
    victim, _ = run.reached(2)
    os.kill(victim, signal.SIGKILL)
    (run.folder / "stop").touch()
    assert run.status == 3, run.said
    assert "smi: removed what workers have left: Namespace tea-" in run.said
    assert snapshot(cluster.api) == before


def test_a_killed_run_is_removed_when_its_lease_has_lapsed_and_not_before(
    cluster: EmbeddedCluster, start: Start, tmp_path: Path
) -> None:
    before = snapshot(cluster.api)
    run = start("test_long.py", "-n0")
    run.reached()
    run.process.kill()
    run.process.wait()
    left = snapshot(cluster.api)
    assert left != before
    said = clean(cluster, tmp_path)
    assert "left alone: run " in said
    assert "its lease is valid for another " in said
    assert "left alone: run " in clean(cluster, tmp_path, "--all"), "not even then"
    assert snapshot(cluster.api) == left
    said = clean(cluster, tmp_path, "--wait", "--dry-run")
    assert "would remove Namespace tea-" in said
    assert snapshot(cluster.api) == left
    said = clean(cluster, tmp_path)
    assert said.count("  removed Namespace tea") == 2
    assert snapshot(cluster.api) == before
    assert clean(cluster, tmp_path) == "nothing to remove\n"


def test_a_run_that_goes_on_is_never_removed(cluster: EmbeddedCluster, start: Start, tmp_path: Path) -> None:
    before = snapshot(cluster.api)
    run = start("test_long.py", "-n0")
    run.reached()
    renewed = [
        obj["spec"]["renewTime"] for obj in cluster.api.list("/apis/coordination.k8s.io/v1/leases") if "tea" in str(obj)
    ]
    assert len(renewed) == 1
    assert "left alone: run " in clean(cluster, tmp_path, "--all", "--wait"), "waits no longer than it takes to be sure"

    def again() -> bool:
        leases = cluster.api.list("/apis/coordination.k8s.io/v1/leases")
        return [obj["spec"]["renewTime"] for obj in leases if "tea" in str(obj)] != renewed

    until("the lease to be renewed", again, LEASE_SECONDS)
    (run.folder / "stop").touch()
    assert run.status == 0, run.said
    assert snapshot(cluster.api) == before


def test_a_namespace_that_is_somebody_elses_is_left_alone(cluster: EmbeddedCluster) -> None:
    theirs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tea2-taken", "labels": {"a": "b"}}}
    cluster.api.create(theirs)
    before = snapshot(cluster.api)
    scene = Scene(KubeconfigCluster(str(cluster.kubeconfig)), load_profile("reference"), "taken")
    with pytest.raises(ClusterError, match="Namespace tea2-taken is there already and not of run taken: left alone"):
        scene.deploy()
    scene.close()
    assert snapshot(cluster.api) == before
    cluster.api.delete("/api/v1/namespaces/tea2-taken")
