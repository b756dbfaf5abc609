"""Objects through the API: create, read, update, patch, delete, and everything that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.bare_api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
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


def test_a_new_object_gets_identity_and_revision(api: Api) -> None:
    made = api.made(CONFIG_MAPS, config_map("identity", a="1"))
    assert {"uid", "creationTimestamp", "resourceVersion"} <= made["metadata"].keys()
    assert api.get(f"{CONFIG_MAPS}/identity").body == made


def test_a_name_is_taken_only_once(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("taken"))
    answer = api.post(CONFIG_MAPS, config_map("taken"))
    assert (answer.code, answer.reason) == (409, "AlreadyExists")
    assert answer.message == 'configmaps "taken" already exists'


def test_generated_names_differ(api: Api) -> None:
    manifest = config_map("")
    manifest["metadata"] = {"generateName": "made-"}
    names = {api.made(CONFIG_MAPS, manifest)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


def test_without_any_name_nothing_is_made(api: Api) -> None:
    manifest = config_map("")
    manifest["metadata"] = {}
    answer = api.post(CONFIG_MAPS, manifest)
    assert answer.code == 422
    assert answer.causes() == {("metadata.name", "FieldValueRequired")}


@pytest.mark.parametrize("name", ["Big", "under_score", "-dash", "a" * 254, "dot.", "ümlaut"])
def test_bad_names_are_refused(api: Api, name: str) -> None:
    answer = api.post(CONFIG_MAPS, config_map(name))
    assert answer.code == 422
    assert answer.causes() == {("metadata.name", "FieldValueInvalid")}


def test_bad_labels_are_refused(api: Api) -> None:
    manifest = config_map("labels")
    manifest["metadata"]["labels"] = {"-a": "x", "b": "no spaces"}
    answer = api.post(CONFIG_MAPS, manifest)
    assert answer.code == 422
    assert answer.causes() == {("metadata.labels", "FieldValueInvalid")}


def test_labels_must_be_strings(api: Api) -> None:
    manifest = config_map("labels")
    manifest["metadata"]["labels"] = {"a": 1}
    answer = api.post(CONFIG_MAPS, manifest)
    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert "cannot unmarshal" in answer.message


def test_creating_with_a_revision_is_refused(api: Api) -> None:
    manifest = config_map("revision")
    manifest["metadata"]["resourceVersion"] = "7"
    answer = api.post(CONFIG_MAPS, manifest)
    assert answer.message == "resourceVersion should not be set on objects to be created"


def test_an_update_needs_the_newest_revision(api: Api) -> None:
    old = api.made(CONFIG_MAPS, config_map("update", a="1"))
    new = api.put(f"{CONFIG_MAPS}/update", {**old, "data": {"a": "2"}})
    assert new.code == 200
    assert int(new.body["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    stale = api.put(f"{CONFIG_MAPS}/update", {**old, "data": {"a": "3"}})
    assert (stale.code, stale.reason) == (409, "Conflict")
    assert stale.message.endswith("please apply your changes to the latest version and try again")


def test_an_update_that_changes_nothing_has_no_revision(api: Api) -> None:
    old = api.made(CONFIG_MAPS, config_map("same", a="1"))
    assert api.put(f"{CONFIG_MAPS}/same", old).body["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


def test_identity_cannot_be_changed(api: Api) -> None:
    old = api.made(CONFIG_MAPS, config_map("fixed"))
    changed = {
        **old,
        "metadata": {**old["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z", "labels": {"a": "b"}},
    }
    new = api.put(f"{CONFIG_MAPS}/fixed", changed).body
    assert new["metadata"]["creationTimestamp"] == old["metadata"]["creationTimestamp"]
    other = {**old, "metadata": {**new["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}
    answer = api.put(f"{CONFIG_MAPS}/fixed", other)
    assert (answer.code, answer.reason) == (409, "Conflict")


def test_names_in_body_and_path_agree(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("one"))
    answer = api.put(f"{CONFIG_MAPS}/one", config_map("two"))
    assert answer.code == 400
    assert answer.message == "the name of the object (two) does not match the name on the URL (one)"


def test_namespaces_in_body_and_path_agree(api: Api) -> None:
    answer = api.post(CONFIG_MAPS, config_map("x", "elsewhere"))
    assert answer.code == 400
    assert "the namespace of the provided object does not match" in answer.message


def test_merge_patch(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("merge", a="1", b="2"))
    answer = api.patch(f"{CONFIG_MAPS}/merge", {"data": {"a": None, "c": "3"}})
    assert answer.body["data"] == {"b": "2", "c": "3"}


def test_json_patch(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("json", a="1"))
    good = api.patch(f"{CONFIG_MAPS}/json", [{"op": "replace", "path": "/data/a", "value": "2"}], JSON_PATCH)
    assert good.body["data"] == {"a": "2"}
    failed = api.patch(f"{CONFIG_MAPS}/json", [{"op": "test", "path": "/data/a", "value": "1"}], JSON_PATCH)
    assert (failed.code, failed.reason) == (422, "Invalid")
    malformed = api.patch(f"{CONFIG_MAPS}/json", {"op": "add"}, JSON_PATCH)
    assert malformed.code == 400


def test_strategic_merge_patch_joins_containers(api: Api) -> None:
    api.made(DEPLOYMENTS, deployment("strategic"))
    extra = {"spec": {"template": {"spec": {"containers": [{"name": "more", "image": "x:1"}]}}}}
    answer = api.patch(f"{DEPLOYMENTS}/strategic", extra, STRATEGIC)
    names = [item["name"] for item in answer.body["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["app", "more"]


def test_a_patch_with_a_stale_revision_conflicts(api: Api) -> None:
    old = api.made(CONFIG_MAPS, config_map("stale"))
    api.patch(f"{CONFIG_MAPS}/stale", {"data": {"a": "1"}})
    patch = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"a": "2"}}
    assert api.patch(f"{CONFIG_MAPS}/stale", patch).code == 409


def test_deleting_removes_at_once_what_nothing_holds(api: Api) -> None:
    made = api.made(CONFIG_MAPS, config_map("gone"))
    answer = api.delete(f"{CONFIG_MAPS}/gone")
    assert (answer.code, answer.body["status"]) == (200, "Success")
    assert answer.body["details"]["uid"] == made["metadata"]["uid"]
    missing = api.get(f"{CONFIG_MAPS}/gone")
    assert (missing.code, missing.reason, missing.message) == (404, "NotFound", 'configmaps "gone" not found')


def test_finalizers_hold_an_object(api: Api) -> None:
    manifest = config_map("held")
    manifest["metadata"]["finalizers"] = ["tea.example/hold"]
    api.made(CONFIG_MAPS, manifest)
    marked = api.delete(f"{CONFIG_MAPS}/held")
    assert marked.body["metadata"]["deletionTimestamp"]
    added = api.patch(f"{CONFIG_MAPS}/held", {"metadata": {"finalizers": ["tea.example/hold", "tea.example/new"]}})
    assert added.code == 422
    assert added.causes() == {("metadata.finalizers", "FieldValueForbidden")}
    assert api.patch(f"{CONFIG_MAPS}/held", {"metadata": {"finalizers": []}}).code == 200
    assert api.get(f"{CONFIG_MAPS}/held").code == 404


def test_preconditions_protect_a_later_object_of_the_same_name(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("precondition"))
    answer = api.delete(f"{CONFIG_MAPS}/precondition", {"preconditions": {"uid": "other"}})
    assert (answer.code, answer.reason) == (409, "Conflict")
    assert "Precondition failed: UID in precondition: other" in answer.message


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_propagation_policies_are_left_for_the_garbage_collector(api: Api, policy: str, finalizer: str) -> None:
    name = f"policy-{policy.lower()}"
    api.made(CONFIG_MAPS, config_map(name))
    answer = api.delete(f"{CONFIG_MAPS}/{name}", {"propagationPolicy": policy})
    assert answer.body["metadata"]["finalizers"] == [finalizer]


def test_an_unknown_propagation_policy_is_refused(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("policy"))
    assert api.delete(f"{CONFIG_MAPS}/policy", {"propagationPolicy": "Maybe"}).code == 422
    assert api.get(f"{CONFIG_MAPS}/policy").code == 200


def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name, label in (("c1", "x"), ("c2", "x"), ("c3", "y")):
        manifest = config_map(name)
        manifest["metadata"]["labels"] = {"collect": label}
        api.made(CONFIG_MAPS, manifest)
    answer = api.delete(f"{CONFIG_MAPS}?labelSelector=collect%3Dx")
    assert sorted(item["metadata"]["name"] for item in answer.body["items"]) == ["c1", "c2"]
    left = api.get(f"{CONFIG_MAPS}?labelSelector=collect").body["items"]
    assert [item["metadata"]["name"] for item in left] == ["c3"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", CONFIG_MAPS), ("PATCH", f"{CONFIG_MAPS}/dry"), ("DELETE", f"{CONFIG_MAPS}/dry")],
)
def test_a_dry_run_answers_and_changes_nothing(api: Api, method: str, path: str) -> None:
    if method != "POST":
        api.post(CONFIG_MAPS, config_map("dry", a="1"))
    before = api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"dry-new"},"data":{"a":"2"}}'
    if method == "PATCH":
        body = b'{"data":{"a":"2"}}'
    sent = None if method == "DELETE" else body
    kind = MERGE if method == "PATCH" else "application/json"
    answer = api.raw(method, f"{path}?dryRun=All", sent, content_type=kind)
    assert answer.code in (200, 201)
    if method != "DELETE":
        assert answer.body["data"] == {"a": "2"}
    assert api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"] == before


def test_a_dry_run_is_still_checked(api: Api) -> None:
    assert api.post(f"{CONFIG_MAPS}?dryRun=All", config_map("NOPE")).code == 422
    wrong = api.post(f"{CONFIG_MAPS}?dryRun=Some", config_map("dry-x"))
    assert wrong.message == (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some": supported values: "All"'
    )


def test_unknown_fields_warn_are_ignored_or_refused(api: Api) -> None:
    manifest = config_map("unknown") | {"tea": 1}
    warned = api.post(f"{CONFIG_MAPS}?dryRun=All", manifest)
    assert warned.headers["warning"] == '299 - "unknown field \\"tea\\""'
    assert "tea" not in warned.body
    ignored = api.post(f"{CONFIG_MAPS}?dryRun=All&fieldValidation=Ignore", manifest)
    assert ignored.code == 201
    assert "warning" not in ignored.headers
    strict = api.post(f"{CONFIG_MAPS}?dryRun=All&fieldValidation=Strict", manifest)
    assert strict.code == 400
    assert strict.message.endswith('strict decoding error: unknown field "tea"')


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "application/json",
            b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{"a":"1","a":"2"}}',
        ),
        ("application/yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\ndata: {a: '1', a: '2'}\n"),
    ],
)
def test_duplicate_keys_are_refused_when_strict(api: Api, kind: str, body: bytes) -> None:
    strict = api.raw("POST", f"{CONFIG_MAPS}?dryRun=All&fieldValidation=Strict", body, content_type=kind)
    assert strict.code == 400
    assert 'duplicate field "data.a"' in strict.message
    loose = api.raw("POST", f"{CONFIG_MAPS}?dryRun=All&fieldValidation=Ignore", body, content_type=kind)
    assert loose.body["data"] == {"a": "2"}


def test_yaml_bodies_are_read(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  when: '2024-01-01'\n"
    answer = api.raw("POST", CONFIG_MAPS, body, content_type="application/yaml")
    assert answer.body["data"] == {"when": "2024-01-01"}


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
    assert answer.message == 'Deployment.apps "parts" is invalid: spec.selector: Required value'


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
    assert "status" not in api.get(path).body
    assert "status" not in api.patch(path, {"status": {"replicas": 9}}).body
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
    assert api.patch(f"{PODS}/frozen", {"spec": {"nodeName": "here"}}).code == 200
    answer = api.patch(f"{PODS}/frozen", {"spec": {"hostname": "x"}})
    assert answer.causes() == {("spec", "FieldValueForbidden")}


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
