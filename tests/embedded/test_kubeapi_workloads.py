"""Built-in kinds: their defaults, their rules, what of them may change, and their subresources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.bare_api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    Api,
    config_map,
    deployment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    server = Api(service_cidr="127.99.1.0/24")
    yield server
    server.stop()


def pod(name: str, **spec: Any) -> dict[str, Any]:
    wanted = {"containers": [{"name": "app", "image": "python:3"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": wanted}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def test_deployments_are_defaulted(api: Api) -> None:
    spec = api.made(DEPLOYMENTS, deployment("defaults"))["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_deployment_without_its_parts_is_refused(api: Api) -> None:
    manifest = deployment("parts")
    del manifest["spec"]["selector"]
    answer = api.post(DEPLOYMENTS, manifest)
    assert ("spec.selector", "FieldValueRequired") in answer.causes()


def test_a_selector_must_match_its_template_and_never_changes(api: Api) -> None:
    wrong = deployment("selector")
    wrong["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    answer = api.post(DEPLOYMENTS, wrong)
    assert "`selector` does not match template `labels`" in answer.message
    api.made(DEPLOYMENTS, deployment("selector"))
    patch = {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}}
    changed = api.patch(f"{DEPLOYMENTS}/selector", patch)
    assert ("spec.selector", "FieldValueInvalid") in changed.causes()
    assert "field is immutable" in changed.message


def test_the_generation_counts_changes_of_the_spec_only(api: Api) -> None:
    api.made(DEPLOYMENTS, deployment("generation"))
    path = f"{DEPLOYMENTS}/generation"
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"replicas": 3}}).body["metadata"]["generation"] == 2
    assert api.patch(f"{path}/status", {"status": {"replicas": 3}}).body["metadata"]["generation"] == 2


def test_status_and_spec_have_their_own_doors(api: Api) -> None:
    api.made(DEPLOYMENTS, deployment("doors") | {"status": {"replicas": 9}})
    path = f"{DEPLOYMENTS}/doors"
    assert api.get(path).body["status"] == {}
    assert api.patch(path, {"status": {"replicas": 9}}).body["status"] == {}
    answer = api.patch(f"{path}/status", {"status": {"replicas": 2}, "spec": {"replicas": 7}}).body
    assert answer["status"] == {"replicas": 2}
    assert answer["spec"]["replicas"] == 1


def test_scale(api: Api) -> None:
    api.made(DEPLOYMENTS, deployment("scale"))
    path = f"{DEPLOYMENTS}/scale/scale"
    assert api.get(path).body["spec"] == {"replicas": 1}
    assert api.patch(path, {"spec": {"replicas": 4}}).body["status"] == {"replicas": 0, "selector": "app=scale"}
    assert api.get(f"{DEPLOYMENTS}/scale").body["spec"]["replicas"] == 4
    scaled = api.get(path).body
    scaled["spec"]["replicas"] = 2
    assert api.put(path, scaled).code == 200
    assert api.put(path, scaled).code == 409
    assert api.patch(path, {"spec": {"replicas": -1}}).code == 422


def test_services_get_addresses_and_keep_them(api: Api) -> None:
    made = api.made(SERVICES, service("pot", ports=[{"port": 80}], selector={"app": "pot"}))
    address = made["spec"]["clusterIP"]
    assert address.startswith("127.99.1.")
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    replaced = service("pot", ports=[{"port": 81}])
    assert api.put(f"{SERVICES}/pot", replaced).body["spec"]["clusterIP"] == address
    changed = service("pot", ports=[{"port": 81}], clusterIP="127.99.1.200")
    answer = api.put(f"{SERVICES}/pot", changed)
    assert answer.causes() == {("spec.clusterIPs[0]", "FieldValueInvalid")}


def test_addresses_are_never_shared(api: Api) -> None:
    first = api.made(SERVICES, service("share1", ports=[{"port": 80}]))["spec"]["clusterIP"]
    second = api.made(SERVICES, service("share2", ports=[{"port": 80}]))["spec"]["clusterIP"]
    assert first != second
    assert api.post(SERVICES, service("share3", ports=[{"port": 80}], clusterIP=first)).code == 422
    assert api.post(SERVICES, service("share3", ports=[{"port": 80}], clusterIP="10.0.0.1")).code == 422


def test_a_service_that_asks_for_more_than_there_is_gets_a_warning(api: Api) -> None:
    answer = api.post(SERVICES, service("balanced", type="LoadBalancer", ports=[{"port": 80}]))
    assert answer.code == 201
    assert "this cluster opens no node ports" in answer.headers["warning"]


def test_headless_and_external_services_have_no_address(api: Api) -> None:
    headless = api.made(SERVICES, service("headless", clusterIP="None", ports=[{"port": 80}]))
    assert headless["spec"]["clusterIP"] == "None"
    external = api.made(SERVICES, service("external", type="ExternalName", externalName="tea.example"))
    assert "clusterIP" not in external["spec"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name"),
        ({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}, "spec.ports[1]"),
        ({"type": "Tea", "ports": [{"port": 80}]}, "spec.type"),
    ],
)
def test_services_that_make_no_sense(api: Api, spec: dict[str, Any], field: str) -> None:
    answer = api.post(SERVICES, service("senseless", **spec))
    assert answer.code == 422
    assert field in {name for name, _ in answer.causes()}


def test_pods_are_defaulted_and_mostly_frozen(api: Api) -> None:
    made = api.made(PODS, pod("frozen"))
    assert made["spec"]["restartPolicy"] == "Always"
    assert made["spec"]["serviceAccountName"] == "default"
    assert made["status"]["phase"] == "Pending"
    for change in ({"nodeName": "here"}, {"hostname": "x"}):
        answer = api.patch(f"{PODS}/frozen", {"spec": change})
        assert answer.causes() == {("spec", "FieldValueForbidden")}


def test_a_pod_needs_its_service_account(api: Api) -> None:
    answer = api.post(PODS, pod("nobody", serviceAccountName="kettle"))
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert answer.message == (
        'pods "nobody" is forbidden: error looking up service account default/kettle: serviceaccount "kettle" not found'
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kettle"}}
    api.made("/api/v1/namespaces/default/serviceaccounts", account)
    assert api.post(PODS, pod("nobody", serviceAccountName="kettle")).code == 201


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "A", "image": "x"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image"),
        ({"containers": [{"name": "a", "image": "x"}] * 2}, "spec.containers[1].name"),
        ({"containers": [{"image": "x"}]}, "spec.containers[0].name"),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        (
            {"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            "spec.containers[0].volumeMounts[0].name",
        ),
        (
            {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 99999}]}]},
            "spec.containers[0].ports[0].containerPort",
        ),
    ],
)
def test_pods_that_make_no_sense(api: Api, spec: dict[str, Any], field: str) -> None:
    answer = api.post(PODS, pod("senseless", **spec))
    assert answer.code == 422, answer.text
    assert field in {name for name, _ in answer.causes()}


def test_an_event_stays_with_its_object(api: Api) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "x", "namespace": "elsewhere"},
    }
    path = "/api/v1/namespaces/default/events"
    assert api.post(path, event).causes() == {("involvedObject.namespace", "FieldValueInvalid")}
    event["involvedObject"] = {"kind": "Pod", "name": "x", "namespace": "default"}
    api.made(path, event)
    found = api.get(f"{path}?fieldSelector=involvedObject.name%3Dx,involvedObject.kind%3DPod").body["items"]
    assert [item["metadata"]["name"] for item in found] == ["e"]


def test_running_pods_are_deleted_with_grace(api: Api) -> None:
    api.made(PODS, pod("graceful", nodeName="here"))
    answer = api.delete(f"{PODS}/graceful")
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 30
    again = api.delete(f"{PODS}/graceful")
    assert again.body["metadata"]["resourceVersion"] == answer.body["metadata"]["resourceVersion"]
    api.delete(f"{PODS}/graceful", {"gracePeriodSeconds": 0})
    assert api.get(f"{PODS}/graceful").code == 404


def test_secrets_encode_their_string_data(api: Api) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "tea"}}
    made = api.made(SECRETS, manifest)
    assert made["data"] == {"a": "dGVh"}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


def test_immutable_config_maps_stay(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("immutable", a="1") | {"immutable": True})
    answer = api.patch(f"{CONFIG_MAPS}/immutable", {"data": {"a": "2"}})
    assert answer.causes() == {("data", "FieldValueForbidden")}
