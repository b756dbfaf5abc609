"""The role that `pytest-smi rbac` prints is enough for a run, and every rule of it is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.kubeconfig import KubeconfigCluster
from pytest_smi.cluster.rights import RIGHTS, Right, manifests
from pytest_smi.errors import ClusterError
from pytest_smi.evidence import Case, Instance
from pytest_smi.mesh.lifecycle import Mesh
from pytest_smi.mesh.profile import load_profile
from pytest_smi.spec.releases import ApiVersions
from pytest_smi.spec.resources import ANY, Backend, TrafficSplit, TrafficTarget
from pytest_smi.workload.manifests import Deployed
from pytest_smi.workload.scene import Scene
from pytest_smi.workload.smi import Smi
from tests.embedded.run_process import PytestRun
from tests.embedded.standing_mesh import flags, snapshot, standing_mesh

VERSIONS = {"access": "v1alpha3", "specs": "v1alpha4", "split": "v1alpha2"}
NEEDED = tuple(right for right in RIGHTS if right.needed)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with standing_mesh(tmp_path_factory.mktemp("mesh")) as found:
        yield found


def kubeconfig_of(cluster: EmbeddedCluster, folder: Path, account: str, objects: list[dict[str, Any]]) -> Path:
    """Applies the manifests of a role; a kubeconfig for its ServiceAccount."""
    for manifest in objects:
        cluster.api.apply(manifest)
    path = f"/api/v1/namespaces/default/serviceaccounts/{account}/token"
    token = cluster.api.request("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}).body
    assert cluster.kubeconfig
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token["status"]["token"]}
    found = folder / f"kubeconfig-{account}"
    found.write_text(yaml.safe_dump(config))
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_passes_with_exactly_the_printed_role(cluster: EmbeddedCluster, tmp_path: Path, workers: int) -> None:
    command = [sys.executable, "-m", "pytest_smi.cli", "rbac", "--account=least"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    config = kubeconfig_of(cluster, tmp_path, "least", list(yaml.safe_load_all(printed)))
    before = snapshot(cluster.api)
    chosen = "TA-001,TA-005,TA-028,TSC-030,TS-007,API-001,API-002,API-005,API-009,XG-009"
    run = PytestRun(tmp_path, *flags(tmp_path, config), f"--smi-requirement={chosen}", f"-n{workers}")
    try:
        assert run.status == 0, run.said
    finally:
        run.kill_rest()
    assert snapshot(cluster.api) == before


def work(kubeconfig: Path, run: str, folder: Path) -> None:
    """What a run does in the cluster, once each."""
    cluster = KubeconfigCluster(str(kubeconfig))
    cluster.facts()
    flags(folder, None)
    profile = load_profile(str(folder / "mine.toml"))
    scene = Scene(cluster, profile, run)
    try:
        scene.settle_in()
        scene.add(Deployed("kettle", scene.namespace), Deployed("teapot", scene.namespace))
        scene.wait()
        mesh = Mesh(profile, cluster, folder)
        case = Case(Instance("", "", "", "", "own", VERSIONS, "all"))
        smi = Smi(scene, mesh, case, ApiVersions(**VERSIONS), mesh.header_encoding(cluster, "v1alpha4"))
        smi.apply(TrafficTarget("tea", [smi.workload("kettle")], smi.workload("teapot"), [ANY()]))
        smi.apply(TrafficSplit("split", "teapot", [Backend("teapot", 1)]))
        smi.delete_all()
        scene._lease._api.patch(scene._lease._path, {"spec": {}})  # type: ignore[union-attr]  # what its thread does
        with smi.deployed(Deployed("guest", scene.namespace)):
            pass
    finally:
        scene.close()


def named(right: Right) -> str:
    resource = right.resources[0].replace("/", "-")
    return f"{right.verbs[0]}-{resource}"


def test_all_of_it_together_is_enough(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    config = kubeconfig_of(cluster, tmp_path, "all", manifests("default", "all", NEEDED, role="all"))
    before = snapshot(cluster.api)
    work(config, "all", tmp_path)
    assert snapshot(cluster.api) == before


@pytest.mark.parametrize("without", NEEDED, ids=named)
def test_without_one_rule_the_missing_right_is_named(cluster: EmbeddedCluster, tmp_path: Path, without: Right) -> None:
    name = f"no-{named(without)}"
    rest = [right for right in NEEDED if right is not without]
    config = kubeconfig_of(cluster, tmp_path, name, manifests("default", name, rest, role=name))
    before = snapshot(cluster.api)
    with pytest.raises(ClusterError) as raised:
        work(config, name, tmp_path)
    told = str(raised.value)
    assert "\n" not in told
    where = f" of {without.group}" if without.group else ""
    assert any(f"no right to {verb} {what}{where} in " in told for verb in without.verbs for what in without.resources)
    assert "grant what `pytest-smi rbac` prints" in told
    for space in set(snapshot(cluster.api)) - set(before):
        if space.startswith("/api/v1/namespaces "):
            cluster.api.delete(f"/api/v1/namespaces/{space.rpartition('/')[2]}")


def test_every_right_says_why() -> None:
    assert all(right.why for right in RIGHTS)
    assert not any("*" in right.verbs or ("*" in right.resources and right.needed) for right in RIGHTS)
