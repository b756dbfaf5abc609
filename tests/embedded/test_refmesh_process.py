"""The reference mesh as a process: what it says, how it ends, what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_smi.embedded.kubeconfig import write
from pytest_smi.embedded.mesh.ca import Authority
from tests.embedded.cluster_process import Cluster, alive, descendants, until
from tests.embedded.refmesh_scene import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    yield running
    running.close()


def start(cluster: Cluster, state: Path, *options: str, env: dict[str, str] | None = None) -> Process:
    return Process("--kubeconfig", cluster.said["kubeconfig"], "--state", str(state), *options, env=env)


def run(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest_smi.embedded.mesh", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_it_says_when_it_is_ready_and_leaves_nothing_running(cluster: Cluster, tmp_path: Path) -> None:
    mesh = start(cluster, tmp_path)
    said = mesh.first_line()
    assert said["ready"] is True
    assert said["fault"] is None
    children = descendants(mesh.process.pid)
    assert len(children) == 1
    until("the diagnosis to be written", (tmp_path / "policy.json").exists)
    assert json.loads((tmp_path / "policy.json").read_text())["guards"] == {}
    assert mesh.close() == 0
    assert not alive(children[0])


def test_a_mesh_that_is_killed_takes_envoy_along(cluster: Cluster, tmp_path: Path) -> None:
    mesh = start(cluster, tmp_path)
    mesh.first_line()
    (envoy,) = descendants(mesh.process.pid)
    mesh.process.kill()
    mesh.close()
    until("Envoy to be gone", lambda: not alive(envoy))


def test_a_mesh_whose_envoy_dies_ends(cluster: Cluster, tmp_path: Path) -> None:
    mesh = start(cluster, tmp_path)
    mesh.first_line()
    (envoy,) = descendants(mesh.process.pid)
    os.kill(envoy, 9)
    assert mesh.process.wait(10) == 1
    mesh.close()


def test_its_control_plane_begins_anew_while_envoy_serves(cluster: Cluster, tmp_path: Path) -> None:
    mesh = start(cluster, tmp_path)
    mesh.first_line()
    for _ in range(2):
        (envoy,) = descendants(mesh.process.pid)
        mesh.tell("restart")
        assert mesh.first_line()["ready"] is True
        assert descendants(mesh.process.pid) == [envoy]
    assert mesh.close() == 0
    assert not alive(envoy)


@pytest.mark.parametrize("whom", ["mesh", "envoy"])
def test_after_a_restart_each_still_ends_with_the_other(cluster: Cluster, tmp_path: Path, whom: str) -> None:
    mesh = start(cluster, tmp_path)
    mesh.first_line()
    (envoy,) = descendants(mesh.process.pid)
    mesh.tell("restart")
    mesh.first_line()
    os.kill(mesh.process.pid if whom == "mesh" else envoy, 9)
    assert mesh.process.wait(10) == (-9 if whom == "mesh" else 1)
    mesh.close()
    until("Envoy to be gone", lambda: not alive(envoy))


def test_the_crds_stay_until_they_are_uninstalled_and_can_be_installed_again(cluster: Cluster, tmp_path: Path) -> None:
    for state in ("first", "second"):
        mesh = start(cluster, tmp_path / state)
        mesh.first_line()
        mesh.close()
        assert len(smi_crds(cluster)) == 6
    status, text = run("--kubeconfig", cluster.said["kubeconfig"], "--uninstall")
    assert (status, len(json.loads(text)["deleted"])) == (0, 6), "the metrics API went with the mesh"
    until("the CRDs to be gone", lambda: not smi_crds(cluster))


def smi_crds(cluster: Cluster) -> list[str]:
    return [crd["metadata"]["name"] for crd in cluster.items(CRDS) if "smi-spec.io" in crd["metadata"]["name"]]


def test_crds_of_somebody_else_are_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    names = {"kind": "TrafficSplit", "plural": "trafficsplits"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1alpha2", "served": True, "storage": True, "schema": schema}
    theirs = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "trafficsplits.split.smi-spec.io"},
        "spec": {"group": "split.smi-spec.io", "names": names, "scope": "Namespaced", "versions": [version]},
    }
    until(
        "the CRDs to be gone",
        lambda: not smi_crds(cluster) or run("--kubeconfig", cluster.said["kubeconfig"], "--uninstall"),
    )
    cluster.create("apiextensions.k8s.io/v1", "customresourcedefinitions", "", theirs)
    try:
        mesh = start(cluster, tmp_path)
        assert "trafficsplits.split.smi-spec.io of somebody else" in mesh.first_line()["error"]
        assert mesh.close() == 3
    finally:
        cluster.delete(f"{CRDS}/trafficsplits.split.smi-spec.io")


def test_it_runs_with_a_fault_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    mesh = start(cluster, tmp_path, "--fault", "allow-all")
    assert mesh.first_line()["fault"] == "allow-all"
    assert mesh.close() == 0


def test_an_unknown_fault_is_one_line(cluster: Cluster, tmp_path: Path) -> None:
    status, text = run("--kubeconfig", cluster.said["kubeconfig"], "--state", str(tmp_path), "--fault", "alow-all")
    assert status == 3
    assert json.loads(text)["advice"] == "did you mean allow-all?"


def test_no_envoy_is_one_line(cluster: Cluster, tmp_path: Path) -> None:
    # Without its metadata the package that brings Envoy cannot be found, as on a platform it does not support.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "def gone(name): raise m.PackageNotFoundError(name)\n"
        "m.distribution = m.version = gone\n"
    )
    env = {**os.environ, "PYTHONPATH": str(hidden), "PATH": str(tmp_path)}
    mesh = start(cluster, tmp_path / "state", env=env)
    said = mesh.first_line()
    assert said["error"].startswith("no Envoy for the reference mesh")
    assert "SMI_ENVOY" in said["advice"]
    assert mesh.close() == 3


def test_no_api_server_is_one_line(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    write(config, name="gone", server="https://127.0.0.1:9", token="x", ca_pem=Authority().pem.decode())
    status, text = run("--kubeconfig", str(config), "--state", str(tmp_path / "state"))
    assert status == 3
    assert "cannot reach the API server" in json.loads(text)["error"]


def test_faults_are_listed() -> None:
    status, text = run("--list-faults")
    assert status == 0
    assert {"name", "description", "kills", "may_touch", "release"} == set(json.loads(text)[0])
