"""Server-side apply: who owns what, conflicts, and fields that a manager gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.bare_api import (
    APPLY,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    POTS,
    Answer,
    Api,
    config_map,
    custom_definition,
    deployment,
    pot,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    server = Api()
    keyed = {
        "type": "object",
        "properties": {
            "cups": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                },
            },
            "rules": {"type": "array", "items": {"type": "string"}},
        },
    }
    server.made(CRDS, custom_definition(keyed, subresources={"status": {}}))
    yield server
    server.stop()


def apply(api: Api, path: str, manifest: Any, manager: str, *, force: bool = False) -> Answer:
    query = f"?fieldManager={manager}" + ("&force=true" if force else "")
    return api.patch(path + query, manifest, APPLY)


def owners(obj: Any) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_apply_creates_what_is_missing(api: Api) -> None:
    answer = apply(api, f"{CONFIG_MAPS}/new", config_map("new", a="1"), "one")
    assert answer.code == 201
    entry = answer.body["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"], entry["fieldsV1"]) == ("one", "Apply", {"f:data": {"f:a": {}}})


def test_apply_twice_changes_nothing(api: Api) -> None:
    first = apply(api, f"{CONFIG_MAPS}/twice", config_map("twice", a="1"), "one").body
    assert apply(api, f"{CONFIG_MAPS}/twice", config_map("twice", a="1"), "one").body == first


def test_a_field_of_another_manager_is_a_conflict_that_names_it(api: Api) -> None:
    path = f"{CONFIG_MAPS}/conflict"
    apply(api, path, config_map("conflict", a="1"), "one")
    answer = apply(api, path, config_map("conflict", a="2"), "two")
    assert (answer.code, answer.reason) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]
    assert api.get(path).body["data"] == {"a": "1"}


def test_several_conflicts_are_listed_by_manager(api: Api) -> None:
    path = f"{CONFIG_MAPS}/several"
    apply(api, path, config_map("several", a="1", b="1"), "one")
    answer = apply(api, path, config_map("several", a="2", b="2"), "two")
    assert answer.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b'


def test_agreement_is_shared_and_no_conflict(api: Api) -> None:
    path = f"{CONFIG_MAPS}/shared"
    apply(api, path, config_map("shared", a="1"), "one")
    both = owners(apply(api, path, config_map("shared", a="1"), "two").body)
    assert both == {"one": {"f:data": {"f:a": {}}}, "two": {"f:data": {"f:a": {}}}}


def test_force_takes_the_field_over(api: Api) -> None:
    path = f"{CONFIG_MAPS}/force"
    apply(api, path, config_map("force", a="1", b="1"), "one")
    answer = apply(api, path, config_map("force", a="2"), "two", force=True)
    assert answer.body["data"] == {"a": "2", "b": "1"}
    assert owners(answer.body) == {"one": {"f:data": {"f:b": {}}}, "two": {"f:data": {"f:a": {}}}}


def test_what_a_manager_no_longer_says_is_removed(api: Api) -> None:
    path = f"{CONFIG_MAPS}/remove"
    apply(api, path, config_map("remove", a="1", b="1"), "one")
    assert apply(api, path, config_map("remove", a="1"), "one").body["data"] == {"a": "1"}


def test_what_a_manager_wants_empty_stays_when_its_last_field_goes(api: Api) -> None:
    apply(api, f"{POTS}/bare", pot("bare", rules=["a"]), "one")
    found = apply(api, f"{POTS}/bare", pot("bare"), "one")
    assert found.body["spec"] == {}


def test_what_another_manager_wants_too_stays(api: Api) -> None:
    path = f"{CONFIG_MAPS}/stay"
    apply(api, path, config_map("stay", a="1", b="1"), "one")
    apply(api, path, config_map("stay", b="1"), "two")
    answer = apply(api, path, config_map("stay", a="1"), "one")
    assert answer.body["data"] == {"a": "1", "b": "1"}


def test_an_ordinary_update_takes_fields_over_and_then_conflicts(api: Api) -> None:
    path = f"{CONFIG_MAPS}/ordinary"
    apply(api, path, config_map("ordinary", a="1"), "one")
    changed = api.patch(f"{path}?fieldManager=editor", {"data": {"a": "2"}}).body
    assert owners(changed) == {"editor": {"f:data": {"f:a": {}}}}
    answer = apply(api, path, config_map("ordinary", a="1"), "one")
    assert answer.code == 409
    assert answer.message.startswith('Apply failed with 1 conflict: conflict with "editor" using v1: .data.a')


def test_keyed_lists_are_merged_item_by_item(api: Api) -> None:
    path = f"{POTS}/keyed"
    apply(api, path, pot("keyed", cups=[{"name": "a", "size": 1}]), "one")
    apply(api, path, pot("keyed", cups=[{"name": "b", "size": 2}]), "two")
    cups = api.get(path).body["spec"]["cups"]
    assert cups == [{"name": "a", "size": 1}, {"name": "b", "size": 2}]
    left = apply(api, path, pot("keyed", cups=[]), "one").body["spec"]["cups"]
    assert left == [{"name": "b", "size": 2}]


def test_atomic_lists_belong_to_one_manager(api: Api) -> None:
    path = f"{POTS}/atomic"
    apply(api, path, pot("atomic", rules=["x"]), "one")
    answer = apply(api, path, pot("atomic", rules=["x", "y"]), "two")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .spec.rules'


def test_containers_of_a_deployment_are_merged_by_name(api: Api) -> None:
    path = f"{DEPLOYMENTS}/containers"
    apply(api, path, deployment("containers"), "one")
    item = {"name": "app", "env": [{"name": "X", "value": "1"}]}
    intent = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "containers"},
        "spec": {"template": {"spec": {"containers": [item]}}},
    }
    found = apply(api, path, intent, "two").body["spec"]["template"]["spec"]["containers"]
    assert [(one["image"], one["env"]) for one in found] == [("python:3", [{"name": "X", "value": "1"}])]


def test_replicas_can_be_left_to_somebody_else(api: Api) -> None:
    path = f"{DEPLOYMENTS}/replicas"
    apply(api, path, deployment("replicas", replicas=1), "one")
    api.patch(f"{path}/scale?fieldManager=scaler", {"spec": {"replicas": 5}})
    assert apply(api, path, deployment("replicas", replicas=1), "one").code == 409
    answer = apply(api, path, deployment("replicas"), "one")
    assert (answer.code, answer.body["spec"]["replicas"]) == (200, 5)


def test_status_is_applied_through_its_own_door(api: Api) -> None:
    path = f"{POTS}/status"
    apply(api, path, pot("status", rules=["x"]), "one")
    intent = {"apiVersion": "tea.example/v1", "kind": "Pot", "metadata": {"name": "status"}, "status": {"hot": True}}
    answer = apply(api, f"{path}/status", intent, "brewer")
    assert answer.body["status"] == {"hot": True}
    entry = next(item for item in answer.body["metadata"]["managedFields"] if item["manager"] == "brewer")
    assert entry["subresource"] == "status"
    ignored = apply(api, path, pot("status", rules=["x"]) | {"status": {"hot": False}}, "one")
    assert ignored.body["status"] == {"hot": True}


def test_apply_needs_a_manager(api: Api) -> None:
    answer = api.patch(f"{CONFIG_MAPS}/manager", config_map("manager"), APPLY)
    assert answer.message == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


def test_force_is_for_apply_only(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("only"))
    answer = api.patch(f"{CONFIG_MAPS}/only?force=true", {})
    assert answer.causes() == {("force", "FieldValueForbidden")}


def test_an_intent_has_no_managed_fields(api: Api) -> None:
    manifest = config_map("managed")
    manifest["metadata"]["managedFields"] = [{"manager": "x"}]
    assert apply(api, f"{CONFIG_MAPS}/managed", manifest, "one").message == "metadata.managedFields must be nil"


def test_yaml_intents(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: b\n"
    answer = api.raw("PATCH", f"{CONFIG_MAPS}/yaml?fieldManager=one", body, content_type=APPLY)
    assert (answer.code, answer.body["data"]) == (201, {"a": "b"})


def test_unknown_fields_of_an_intent_are_refused(api: Api) -> None:
    answer = apply(api, f"{CONFIG_MAPS}/unknown", config_map("unknown", a="1") | {"tea": 1}, "one")
    assert answer.code == 500
    assert answer.message == (
        "failed to create typed patch object (default/unknown; /v1, Kind=ConfigMap): .tea: field not declared in schema"
    )


def test_a_dry_run_reports_conflicts_and_stores_nothing(api: Api) -> None:
    path = f"{CONFIG_MAPS}/dry"
    apply(api, path, config_map("dry", a="1"), "one")
    answer = api.patch(f"{path}?fieldManager=two&dryRun=All", config_map("dry", a="2"), APPLY)
    assert answer.code == 409
    forced = api.patch(f"{path}?fieldManager=two&dryRun=All&force=true", config_map("dry", a="2"), APPLY)
    assert forced.body["data"] == {"a": "2"}
    assert api.get(path).body["data"] == {"a": "1"}
