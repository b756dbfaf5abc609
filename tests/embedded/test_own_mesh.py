"""A profile of one's own: the suite judges a mesh that is there already, through a kubeconfig and port-forwards."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_smi.cluster.embedded import EmbeddedCluster
from tests.embedded.standing_mesh import flags, snapshot, standing_mesh

CHOSEN = ("TA-001", "TA-005", "TSC-030", "TS-007", "API-009", "XG-009", "TS-080")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with standing_mesh(tmp_path_factory.mktemp("mesh")) as found:
        yield found


def judge(cluster: EmbeddedCluster, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *flags(folder, cluster.kubeconfig), "-q", "-p", "no:hypothesispytest"]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


def test_a_mesh_that_is_there_is_judged_and_left_as_it_was(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    before = snapshot(cluster.api)
    done = judge(cluster, tmp_path, *(f"--smi-requirement={one}" for one in CHOSEN))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "split           2     1     0      0            1" in done.stdout, "TS-080 needs split v1alpha3"
    assert snapshot(cluster.api) == before


def test_two_workers_share_the_cluster_in_namespaces_of_their_own(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    before = snapshot(cluster.api)
    done = judge(cluster, tmp_path, "-n2", *(f"--smi-requirement={one}" for one in CHOSEN))
    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot(cluster.api) == before


ORDERED = """
from pytest_smi import requirement


@requirement("TS-006")
def test_needs_the_cluster_to_itself(smi):
    smi.observe("came", "first")


@requirement("TS-007")
def test_bears_others(smi):
    smi.observe("came", "second")
"""


@pytest.mark.parametrize(
    ("workers", "last"), [("-n1", "test_needs_the_cluster_to_itself"), ("-n0", "test_bears_others")]
)
def test_among_workers_what_needs_the_cluster_to_itself_comes_last(
    cluster: EmbeddedCluster, tmp_path: Path, workers: str, last: str
) -> None:
    (tmp_path / "test_own.py").write_text(ORDERED)
    done = judge(cluster, tmp_path, workers, "-vv", "test_own.py")
    assert done.returncode == 0, done.stdout + done.stderr
    ended = [line for line in done.stdout.splitlines() if "PASSED" in line and "test_own.py::" in line]
    assert len(ended) == 2, done.stdout
    assert last in ended[1]
