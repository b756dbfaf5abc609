"""The official Python client and kubectl, as people use them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from kubernetes import client as k8s
from kubernetes import dynamic, watch
from kubernetes.client.exceptions import ApiException

from pytest_smi.spec.crds import crds as smi_crds
from tests.embedded.bare_api import CRDS, Api, config_map, custom_definition, deployment, pot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPLIT: dict[str, Any] = {
    "apiVersion": "split.smi-spec.io/v1alpha4",
    "kind": "TrafficSplit",
    "metadata": {"name": "canary"},
    "spec": {"service": "teapot", "backends": [{"service": "china", "weight": 90}, {"service": "glass", "weight": 10}]},
}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    server = Api()
    for crd in smi_crds():
        server.made(CRDS, crd)
    server.made(CRDS, custom_definition())
    yield server
    server.stop()


@pytest.fixture
def connection(api: Api) -> Iterator[k8s.ApiClient]:
    configuration = k8s.Configuration()
    configuration.host = api.url
    with k8s.ApiClient(configuration) as one:
        yield one


def test_custom_objects(connection: k8s.ApiClient) -> None:
    custom = k8s.CustomObjectsApi(connection)
    where = ("tea.example", "v1", "default", "pots")
    made = custom.create_namespaced_custom_object(*where, body=pot("a", water=1))
    assert made["metadata"]["generation"] == 1
    patched = custom.patch_namespaced_custom_object(*where, name="a", body={"spec": {"water": 2}})
    assert patched["spec"] == {"water": 2}
    assert [item["metadata"]["name"] for item in custom.list_namespaced_custom_object(*where)["items"]] == ["a"]
    custom.delete_namespaced_custom_object(*where, name="a")
    with pytest.raises(ApiException) as caught:
        custom.get_namespaced_custom_object(*where, name="a")
    assert caught.value.status == 404


def test_typed_objects(connection: k8s.ApiClient) -> None:
    core, apps = k8s.CoreV1Api(connection), k8s.AppsV1Api(connection)
    core.create_namespace({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "typed"}})
    apps.create_namespaced_deployment("typed", deployment("d", replicas=2))
    found = apps.read_namespaced_deployment("d", "typed")
    assert found.spec.replicas == 2
    assert found.spec.template.spec.containers[0].image == "python:3"
    apps.patch_namespaced_deployment_scale("d", "typed", {"spec": {"replicas": 5}})
    assert apps.read_namespaced_deployment_scale("d", "typed").spec.replicas == 5
    assert [item.metadata.name for item in core.list_namespace().items if item.metadata.name == "typed"] == ["typed"]
    assert core.list_node().items == []


def test_the_watch_of_the_client_follows_and_stops(connection: k8s.ApiClient, api: Api) -> None:
    custom = k8s.CustomObjectsApi(connection)
    where = ("tea.example", "v1", "default", "pots")
    since = custom.list_namespaced_custom_object(*where)["metadata"]["resourceVersion"]
    api.made("/apis/tea.example/v1/namespaces/default/pots", pot("w", water=1))
    stream = watch.Watch()
    seen = []
    options: dict[str, Any] = {"resource_version": since, "timeout_seconds": 5}
    for event in stream.stream(custom.list_namespaced_custom_object, *where, **options):
        seen.append((event["type"], event["object"]["metadata"]["name"]))
        stream.stop()
    assert seen == [("ADDED", "w")]


def test_the_dynamic_client_discovers_and_applies(connection: k8s.ApiClient) -> None:
    dynamic_client = dynamic.DynamicClient(connection)
    splits = dynamic_client.resources.get(api_version="split.smi-spec.io/v1alpha4", kind="TrafficSplit")
    made = splits.server_side_apply(body=SPLIT, namespace="default", field_manager="tests")
    assert made.spec.service == "teapot"
    other = {**SPLIT, "spec": {**SPLIT["spec"], "service": "kettle"}}
    with pytest.raises(ApiException) as caught:
        splits.server_side_apply(body=other, namespace="default", field_manager="others")
    assert caught.value.status == 409
    splits.server_side_apply(body=other, namespace="default", field_manager="others", force_conflicts=True)
    assert splits.get(name="canary", namespace="default").spec.service == "kettle"
    splits.delete(name="canary", namespace="default")


def test_one_connection_serves_many_requests(api: Api) -> None:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", api.port, maxsize=1)
    for _ in range(20):
        assert pool.request("GET", "/api/v1/namespaces").status == 200
    assert pool.num_connections == 1
    pool.close()


def test_chunked_bodies_are_read(api: Api) -> None:
    body = json.dumps(config_map("chunked", a="1")).encode()
    pieces = iter([body[:10], body[10:]])
    response = urllib3.request(
        "POST",
        f"{api.url}/api/v1/namespaces/default/configmaps",
        body=pieces,
        headers={"content-type": "application/json"},
    )
    assert response.status == 201


def run(api: Api, folder: Path, *args: str, stdin: str = "") -> str:
    result = api.kubectl(*args, stdin=stdin, folder=folder)
    assert result.returncode == 0, f"kubectl {' '.join(args)}: {result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kubectl")


def test_kubectl_gets_by_short_name_with_columns(api: Api, folder: Path) -> None:
    applied = run(api, folder, "apply", "--server-side", "--validate=false", "-f", "-", stdin=json.dumps(SPLIT))
    assert "canary serverside-applied" in applied
    lines = run(api, folder, "get", "ts,tt,htr", "-A").splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "SERVICE", "AGE"]
    assert lines[1].split()[:3] == ["default", "trafficsplit.split.smi-spec.io/canary", "teapot"]
    assert "canary" in run(api, folder, "get", "smi", "-o", "name")
    assert json.loads(run(api, folder, "get", "ts", "canary", "-o", "json"))["spec"] == SPLIT["spec"]


def test_kubectl_applies_edits_and_deletes(api: Api, folder: Path) -> None:
    manifest = json.dumps(deployment("web", replicas=1))
    assert "created" in run(api, folder, "apply", "--validate=false", "-f", "-", stdin=manifest)
    assert "unchanged" in run(api, folder, "apply", "--validate=false", "-f", "-", stdin=manifest)
    changed = json.dumps(deployment("web", replicas=3))
    assert "configured" in run(api, folder, "apply", "--validate=false", "-f", "-", stdin=changed)
    assert "scaled" in run(api, folder, "scale", "deploy/web", "--replicas=4")
    assert "image updated" in run(api, folder, "set", "image", "deploy/web", "app=python:4")
    assert "labeled" in run(api, folder, "label", "deploy", "web", "tier=front")
    assert "annotated" in run(api, folder, "annotate", "deploy", "web", "a=b")
    assert "restarted" in run(api, folder, "rollout", "restart", "deploy/web")
    found = json.loads(run(api, folder, "get", "deploy", "web", "-o", "json"))
    assert found["spec"]["replicas"] == 4
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "python:4"
    assert "web" in run(api, folder, "get", "deploy", "-l", "tier=front", "-o", "name")
    described = run(api, folder, "describe", "deploy", "web")
    assert "Replicas:               4 desired" in described
    assert "deleted" in run(api, folder, "delete", "deploy", "web", "--wait=true", "--timeout=10s")


def test_kubectl_waits_for_a_crd(api: Api, folder: Path) -> None:
    run(api, folder, "wait", "--for=condition=Established", "crd/pots.tea.example", "--timeout=5s")


def test_kubectl_patches_status(api: Api, folder: Path) -> None:
    run(api, folder, "apply", "--validate=false", "-f", "-", stdin=json.dumps(deployment("patched")))
    run(
        api,
        folder,
        "patch",
        "deploy",
        "patched",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"replicas":1}}',
    )
    assert run(api, folder, "get", "deploy", "patched", "-o", "jsonpath={.status.replicas}") == "1"


def test_kubectl_shows_the_servers_refusal(api: Api, folder: Path) -> None:
    bad = {**SPLIT, "spec": {"service": "x", "backends": [{"service": "y"}]}}
    result = api.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(bad), folder=folder)
    assert result.returncode == 1
    assert 'The TrafficSplit "canary" is invalid: spec.backends[0].weight: Required value' in result.stderr


def test_kubectl_reads_what_a_newcomer_asks_for(api: Api, folder: Path) -> None:
    listed = run(api, folder, "api-resources", "--api-group=split.smi-spec.io").splitlines()
    assert listed[1].split() == ["trafficsplits", "ts", "split.smi-spec.io/v1alpha4", "true", "TrafficSplit"]
    assert "Server Version: v1." in run(api, folder, "version")
    assert "split.smi-spec.io/v1alpha4" in run(api, folder, "api-versions").splitlines()
    assert run(api, folder, "get", "ns", "default", "--no-headers").split()[:2] == ["default", "Active"]
    run(api, folder, "get", "all,events,endpointslices,crds,apiservices,leases,clusterroles", "-A")
