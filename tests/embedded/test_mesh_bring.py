"""Bringing a mesh by manifests, reading its version, restarting it: each part on a cluster, without a run of tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.errors import HarnessError, MeshError
from pytest_smi.mesh.diagnose import diagnose
from pytest_smi.mesh.install import bring, claim, remove
from pytest_smi.mesh.profile import Profile, load_profile
from pytest_smi.mesh.record import Record, records
from pytest_smi.mesh.restart import restart, restartable
from pytest_smi.mesh.schema_look import Diagnose, Dump, Logs, Probe, Version
from pytest_smi.mesh.version import version_of

RUN = "0a1b2c"
SPACE = "mesh-system"
_SERVES = """
import http.server, os, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass
    def do_GET(self):
        body = b'{"version": "2.0.1"}' if self.path == "/version" else b"x" * 300_000
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("serving", flush=True)
socketserver.TCPServer((os.environ["BIND"], 9091), Handler).serve_forever()
"""
LABELS = {"app": "controller"}

Bring = Callable[..., Record]


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """A cluster without any mesh."""
    found = EmbeddedCluster()
    try:
        found.wait()
        yield found
    finally:
        found.close()


def definition(plural: str, kind: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    spec = {"group": "tea.example.com", "scope": "Namespaced", "names": names, "versions": versions}
    meta = {"name": f"{plural}.tea.example.com"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


def controller() -> dict[str, Any]:
    env = [{"name": "BIND", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    container = {"name": "controller", "image": "tea:1.4.0", "command": [sys.executable, "-c", _SERVES], "env": env}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    meta = {"name": "controller", "labels": {"app.kubernetes.io/version": "1.3.9"}}
    spec = {"selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def mesh() -> list[dict[str, Any]]:
    """A mesh's objects, an object of a kind of its own before the definition of that kind."""
    return [
        {"apiVersion": "tea.example.com/v1", "kind": "Cup", "metadata": {"name": "mine"}, "spec": {"mode": "allow"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "annotations": {"tea": "green"}}},
        definition("cups", "Cup"),
        controller(),
    ]


def profile(folder: Path, objects: list[dict[str, Any]], more: str = "") -> Profile:
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    text = f'name = "tea"\nnamespace = "{SPACE}"\n[versions]\nsplit = ["v1alpha4"]\n'
    text += '[ready]\ndeployments = ["controller"]\nseconds = 60\n[restart]\ndeployments = ["controller"]\n'
    text += '[install]\nmethod = "manifests"\nmanifests = ["objects.yaml"]\n'
    (folder / "tea.toml").write_text(text + more)
    return load_profile(str(folder / "tea.toml"))


@pytest.fixture
def brought(cluster: EmbeddedCluster) -> Iterator[Bring]:
    """Brings a mesh; whatever of it is there at the end is removed."""

    def begin(wanted: Profile) -> Record:
        record = claim(cluster, wanted, RUN)
        bring(cluster, record)
        return record

    yield begin
    for record in records(cluster.api):
        remove(cluster, record)


def there(cluster: EmbeddedCluster, path: str) -> dict[str, Any] | None:
    return cluster.api.find(path)


CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/cups.tea.example.com"
CUP = f"/apis/tea.example.com/v1/namespaces/{SPACE}/cups/mine"


def test_manifests_come_in_a_workable_order_labelled_and_go_with_the_mesh(
    cluster: EmbeddedCluster, brought: Bring, tmp_path: Path
) -> None:
    deny = '[deny]\nobject = { api = "tea.example.com/v1", kind = "Cup", name = "mine" }\npatch.spec.mode = "deny"\n'
    record = brought(profile(tmp_path, mesh(), deny))
    for path in (CRD, CUP, f"/apis/apps/v1/namespaces/{SPACE}/deployments/controller"):
        found = there(cluster, path)
        assert found is not None
        assert found["metadata"]["labels"]["pytest-smi.dev/run"] == RUN
    assert cluster.api.get(CUP)["spec"] == {"mode": "deny"}
    space = cluster.api.get(f"/api/v1/namespaces/{SPACE}")["metadata"]
    assert (space["annotations"]["tea"], space["labels"]["pytest-smi.dev/run"]) == ("green", RUN)
    (read,) = records(cluster.api)
    assert read == record
    assert read.undo_deny == {"spec": {"mode": "allow"}}
    remove(cluster, read)
    assert [there(cluster, path) for path in (CRD, f"/api/v1/namespaces/{SPACE}")] == [None, None]


def test_an_object_of_somebody_else_stops_the_install_and_stays(
    cluster: EmbeddedCluster, brought: Bring, tmp_path: Path
) -> None:
    cluster.api.create(definition("cups", "Cup"))
    try:
        with pytest.raises(MeshError, match=r"CustomResourceDefinition cups.tea.example.com is there already, and not"):
            brought(profile(tmp_path, mesh()))
        for record in records(cluster.api):
            remove(cluster, record)
        assert there(cluster, CRD)
    finally:
        cluster.api.delete(CRD)


def test_what_an_uninstall_would_take_must_not_be_there_before(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    cluster.api.create(definition("cups", "Cup"))
    remains = '[uninstall]\nremains = ["CustomResourceDefinition/*.tea.example.com"]\n'
    try:
        with pytest.raises(MeshError, match=r"parts of a mesh already: CustomResourceDefinition cups.tea.example.com"):
            claim(cluster, profile(tmp_path, mesh(), remains), RUN)
        assert there(cluster, f"/api/v1/namespaces/{SPACE}") is None
    finally:
        cluster.api.delete(CRD)


def test_what_a_mesh_makes_itself_goes_as_remains(cluster: EmbeddedCluster, brought: Bring, tmp_path: Path) -> None:
    remains = '[uninstall]\nremains = ["ClusterRole/tea-*"]\n'
    record = brought(profile(tmp_path, [controller()], remains))
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "tea-1"}}
    cluster.api.create({**role, "rules": []})
    remove(cluster, record)
    assert there(cluster, "/apis/rbac.authorization.k8s.io/v1/clusterroles/tea-1") is None


def test_a_kind_that_never_comes_is_named(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    unknown = {"apiVersion": "no.example.com/v1", "kind": "Nothing", "metadata": {"name": "x"}}
    record = claim(cluster, profile(tmp_path, [unknown]), RUN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_smi.mesh.bring._SERVED_SECONDS", 0.3)
        with pytest.raises(HarnessError, match=r"waited 0.3 s for Nothing of no.example.com/v1 to be served"):
            bring(cluster, record)
    remove(cluster, record)


def test_version_diagnosis_and_restart_of_a_mesh_that_runs(
    cluster: EmbeddedCluster, brought: Bring, tmp_path: Path
) -> None:
    wanted = brought(profile(tmp_path, [controller()])).profile
    probe = Probe(pods=LABELS, port=9091, path="/version")
    ways = {
        Version(deployment="controller"): "1.4.0",
        Version(deployment="controller", label="app.kubernetes.io/version"): "1.3.9",
        Version(deployment="nowhere"): "unknown",
        Version(): "unknown",
    }
    assert {way: version_of(cluster, replace(wanted, version=way)) for way in ways} == ways
    by_http = Version(http=probe, pattern='"version": "([^"]+)"')
    assert version_of(cluster, replace(wanted, version=by_http)) == "2.0.1"

    dumps = (Dump(pods=LABELS, port=9091, path="/all"), Dump(pods=LABELS, port=9, path="/"))
    asked = Diagnose(kilobytes=2, logs=(Logs(pods=LABELS), Logs(pods=LABELS, container="no")), http=dumps)
    said = {title.partition(" ")[2]: text for title, text in diagnose(cluster, replace(wanted, diagnose=asked)).items()}
    assert said["log"].strip() == "serving"
    assert said[":9091/all"] == "x" * 2048 + "\n… (cut)"
    assert said["no"].startswith("could not be fetched: ")
    assert said[":9/"].startswith("could not be fetched: ")
    late = diagnose(cluster, replace(wanted, diagnose=replace(asked, seconds=1e-9)))
    assert all(text.startswith("not fetched: all of it took longer than") for text in late.values())

    def pods() -> set[str]:
        return {one["metadata"]["uid"] for one in cluster.api.list(f"/api/v1/namespaces/{SPACE}/pods")}

    before = pods()
    restart(cluster, wanted)
    assert len(pods()) == 1
    assert not pods() & before


def test_a_mesh_that_somebody_else_brought_is_not_restarted(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    wanted = profile(tmp_path, [controller()])
    assert not restartable(cluster, wanted)
    with pytest.raises(MeshError, match=r"tea may not be restarted: no run brought it"):
        restart(cluster, wanted)
