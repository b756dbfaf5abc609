"""Objects through the API: create, read, update, patch, delete, and everything that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.stop()


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
    assert "the UID in the precondition (other) does not match the UID in record" in answer.message


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
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'
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
    ("kind", "body", "told"),
    [
        (
            "application/json",
            b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{"a":"1","a":"2"}}',
            'duplicate field "data.a"',
        ),
        (
            "application/yaml",
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\ndata: {a: '1', a: '2'}\n",
            'line 4: key "a" already set in map',
        ),
    ],
)
def test_duplicate_keys_are_refused_when_strict(api: Api, kind: str, body: bytes, told: str) -> None:
    strict = api.raw("POST", f"{CONFIG_MAPS}?dryRun=All&fieldValidation=Strict", body, content_type=kind)
    assert strict.code == 400
    assert told in strict.message
    loose = api.raw("POST", f"{CONFIG_MAPS}?dryRun=All&fieldValidation=Ignore", body, content_type=kind)
    assert loose.body["data"] == {"a": "2"}


def test_yaml_bodies_are_read(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  when: '2024-01-01'\n"
    answer = api.raw("POST", CONFIG_MAPS, body, content_type="application/yaml")
    assert answer.body["data"] == {"when": "2024-01-01"}
