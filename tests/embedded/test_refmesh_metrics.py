"""The reference mesh's metrics as clients of the API server meet them: discovery, kubectl, rights, both shapes."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.embedded.mesh.metrics_log import ROTATE_BYTES
from pytest_smi.spec.metrics import API_SERVICE, MEASURED, ROOT, metrics_path
from pytest_smi.spec.metrics_read import Item, Listing
from tests.embedded.cluster_process import until
from tests.embedded.refmesh_scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGISTRATION = f"/apis/apiregistration.k8s.io/v1/apiservices/{API_SERVICE}"
OLD = "server\thttp\t1.000000\t275\t0\t200\tkettle.tea.pod.cluster.local\t127.0.0.3:8080\t-\t-\n"
PROFILE = """
name = "older"
[versions]
access = ["v1alpha4"]
specs = ["v1alpha4"]
split = ["v1alpha4"]
metrics = ["v1alpha1"]
[settle]
seconds = 10.0
[onboarding]
pod_annotations = { "embedded.pytest-smi.dev/sidecar" = "true" }
"""
JUDGED = ("TM-005", "TM-007", "TM-020", "TM-023", "TM-029", "TM-030", "TM-040", "TM-047", "TM-049", "TM-057")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    found = Scene(tmp_path_factory.mktemp("metrics"))
    yield found
    found.close()


def calls(scene: Scene, count: int, client: str = "kettle", server: str = "teapot") -> None:
    for _ in range(count):
        assert scene.http(client, server).status == 200


def item(scene: Scene, path: str) -> Item:
    return Item(scene.cluster.get(path))


def kubectl(scene: Scene, *arguments: str) -> str:
    command = ["kubectl", "--kubeconfig", scene.cluster.said["kubeconfig"], *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_calls_are_counted_at_both_ends_and_forgotten(scene: Scene) -> None:
    scene.allow("kettle")
    scene.allowed(scene.http, "kettle", "teapot")
    calls(scene, 20)
    path = metrics_path("pods", "tea", "teapot")
    until("the calls to be counted", lambda: item(scene, f"{path}?t=30s").success >= 20)
    edges = Listing(scene.cluster.get(metrics_path("pods", "tea", "kettle", edges=True), t="30s")).items
    assert [(one.edge.direction, one.edge.resource.name) for one in edges] == [("to", "teapot")]
    until("the calls to be forgotten", lambda: item(scene, path).total == 0)
    scene.clear()


def test_kubectl_discovers_them_and_core_resources_stay_first(scene: Scene) -> None:
    listed = kubectl(scene, "api-resources", "--api-group", "metrics.smi-spec.io", "-o", "name").split()
    assert listed == sorted(f"{plural}.metrics.smi-spec.io" for plural in MEASURED)
    assert "pod/teapot" in kubectl(scene, "get", "pods", "-n", "tea", "-o", "name").split()
    raw = json.loads(kubectl(scene, "get", "--raw", metrics_path("deployments", "tea")))
    assert raw["kind"] == "TrafficMetricsList"


def test_the_registration_is_available_and_goes_with_the_mesh(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    try:
        until("the API to be available", lambda: available(scene))
        scene.mesh.close()
        assert scene.cluster.find(REGISTRATION) is None
        with pytest.raises(ApiFailure):
            scene.cluster.get(ROOT)
    finally:
        scene.close()


def available(scene: Scene) -> bool:
    conditions = scene.cluster.get(REGISTRATION).get("status", {}).get("conditions", [])
    return any((one["type"], one["status"]) == ("Available", "True") for one in conditions)


def test_without_the_front_proxy_certificate_nobody_is_believed(scene: Scene) -> None:
    port = scene.cluster.get(REGISTRATION)["spec"]["service"]["port"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    connection.request("GET", ROOT, headers={"X-Remote-User": "admin", "X-Remote-Group": "system:masters"})
    answer = connection.getresponse()
    told: dict[str, Any] = json.loads(answer.read())
    connection.close()
    assert (answer.status, told["kind"]) == (401, "Status")


def test_the_log_is_rotated_and_counting_goes_on(scene: Scene) -> None:
    log = scene.state / "mesh" / "envoy" / "traffic.log"
    scene.allow("kettle")
    scene.allowed(scene.http, "kettle", "teapot")
    until("Envoy to write", log.exists)
    with log.open("a") as file:
        file.write(OLD * (ROTATE_BYTES // len(OLD) + 1))
    until("the log to be moved", lambda: not log.exists() or log.stat().st_size < ROTATE_BYTES)
    calls(scene, 5)
    until("Envoy to write a new one", log.exists)
    path = metrics_path("pods", "tea", "teapot")
    before = item(scene, f"{path}?t=60s").success
    calls(scene, 5)
    until("further calls to be counted", lambda: item(scene, f"{path}?t=60s").success >= before + 5)
    scene.clear()


def test_the_suite_takes_the_older_shape_as_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "scene", "--older-metrics")
    try:
        (tmp_path / "older.toml").write_text(PROFILE)
        where = ["--smi-cluster=kubeconfig", f"--smi-kubeconfig={scene.cluster.said['kubeconfig']}"]
        command = [sys.executable, "-m", "pytest", "--smi-mesh=./older.toml", *where, "-q", "-p", "no:hypothesispytest"]
        command += ["--smi-results=results.json", *(f"--smi-requirement={one}" for one in JUDGED)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        scene.close()
    instances = {one["requirement"]: one for one in json.loads((tmp_path / "results.json").read_text())["instances"]}
    verdicts = {name: one["verdict"] for name, one in instances.items()}
    assert verdicts == {name: "unsupported" if name in ("TM-005", "TM-057") else "pass" for name in JUDGED}
    assert instances["TM-029"]["evidence"]["observations"] == {"side": "the older shape, without it"}
    assert instances["TM-023"]["evidence"]["observations"] == {"unit": ["ms"]}
