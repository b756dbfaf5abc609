"""A profile of one's own: the suite judges a mesh that is there already, through a kubeconfig and port-forwards."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.mesh.lifecycle import Mesh
from pytest_smi.mesh.profile import load_profile

PROFILE = """
name = "mine"
[versions]
access = ["v1alpha3"]
specs = ["v1alpha4"]
split = ["v1alpha2"]
[settle]
seconds = 10.0
[onboarding]
pod_annotations = { "embedded.pytest-smi.dev/sidecar" = "true" }
"""
CHOSEN = ("TA-001", "TA-005", "TSC-030", "TS-007", "API-009", "XG-009", "TS-080")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """An embedded cluster with the reference mesh, as somebody else's would be: running before, and kept afterwards."""
    found = EmbeddedCluster()
    try:
        found.wait()
        mesh = Mesh(load_profile("reference"), found, tmp_path_factory.mktemp("mesh"))
        try:
            mesh.wait()
            yield found
        finally:
            mesh.close()
    finally:
        found.close()


def judge(cluster: EmbeddedCluster, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.toml").write_text(PROFILE)
    where = ["--smi-cluster=kubeconfig", f"--smi-kubeconfig={cluster.kubeconfig}"]
    command = [sys.executable, "-m", "pytest", "--smi-mesh=./mine.toml", *where, "-q", "-p", "no:hypothesispytest"]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


def everything(cluster: EmbeddedCluster) -> set[str]:
    api = cluster.api
    paths = ["/api/v1/namespaces", "/api/v1/pods", "/api/v1/services", "/apis/apps/v1/deployments"]
    paths += ["/apis/access.smi-spec.io/v1alpha4/traffictargets", "/apis/split.smi-spec.io/v1alpha4/trafficsplits"]
    return {f"{path}/{item['metadata']['name']}" for path in paths for item in api.list(path)}


def test_a_mesh_that_is_there_is_judged_and_left_as_it_was(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    before = everything(cluster)
    done = judge(cluster, tmp_path, *(f"--smi-requirement={one}" for one in CHOSEN))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "split           2     1     0      0            1" in done.stdout, "TS-080 needs split v1alpha3"
    assert everything(cluster) == before


def test_two_workers_share_the_cluster_in_namespaces_of_their_own(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    before = everything(cluster)
    done = judge(cluster, tmp_path, "-n2", *(f"--smi-requirement={one}" for one in CHOSEN))
    assert done.returncode == 0, done.stdout + done.stderr
    assert everything(cluster) == before
