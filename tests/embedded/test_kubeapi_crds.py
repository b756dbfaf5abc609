"""Custom resources: registration, validation, pruning, defaulting, versions, and the end of a CRD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.spec.crds import crds as smi_crds
from tests.embedded.bare_api import CRDS, MERGE, POTS, Api, custom_definition, pot

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["water"],
    "properties": {
        "water": {"type": "integer", "minimum": 1},
        "mode": {"type": "string", "enum": ["hot", "cold"], "default": "hot"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "leaves": {"type": "array", "items": {"type": "object", "properties": {"kind": {"type": "string"}}}},
    },
}


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.stop()


def changed(**spec: Any) -> dict[str, Any]:
    made = custom_definition(SCHEMA)
    made["spec"] |= spec
    return made


def defined(api: Api, manifest: dict[str, Any]) -> dict[str, Any]:
    """Creates a CRD and gives it as it is once its names are settled."""
    made = api.made(CRDS, manifest)
    assert made["status"]["conditions"] is None
    found: dict[str, Any] = api.get(f"{CRDS}/{made['metadata']['name']}").body
    return found


def test_a_crd_is_established_and_served_at_once(api: Api) -> None:
    made = defined(api, custom_definition(SCHEMA))
    conditions = {item["type"]: item["status"] for item in made["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["storedVersions"] == ["v1"]
    assert made["spec"]["names"] == {"plural": "pots", "kind": "Pot", "singular": "pot", "listKind": "PotList"}
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert api.get(POTS).body["kind"] == "PotList"
    assert "tea.example" in {group["name"] for group in api.get("/apis").body["groups"]}


def test_objects_are_validated_with_every_cause(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    answer = api.post(POTS, pot("x", mode="warm"))
    assert (answer.code, answer.reason) == (422, "Invalid")
    assert answer.message == (
        'Pot.tea.example "x" is invalid: [spec.water: Required value, '
        'spec.mode: Unsupported value: "warm": supported values: "hot", "cold"]'
    )
    assert answer.causes() == {("spec.water", "FieldValueRequired"), ("spec.mode", "FieldValueNotSupported")}
    assert answer.body["details"]["kind"] == "Pot"


def test_objects_are_pruned_and_defaulted(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    made = api.made(POTS, pot("x", water=1, old=2, free={"any": {"thing": 1}}, leaves=[{"kind": "a", "age": 3}]))
    assert made["spec"] == {"water": 1, "mode": "hot", "free": {"any": {"thing": 1}}, "leaves": [{"kind": "a"}]}
    assert api.get(f"{POTS}/x").body == made


def test_unknown_fields_of_custom_resources_warn_or_fail(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    warned = api.post(POTS, pot("x", water=1, leaves=[{"age": 3}]))
    assert warned.headers["warning"] == '299 - "unknown field \\"spec.leaves[0].age\\""'
    strict = api.post(f"{POTS}?fieldValidation=Strict", pot("y", water=1, old=2))
    assert strict.message == (
        'Pot in version "v1" cannot be handled as a Pot: strict decoding error: unknown field "spec.old"'
    )


def test_an_update_is_validated_and_needs_a_revision(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    made = api.made(POTS, pot("x", water=1))
    assert api.patch(f"{POTS}/x", {"spec": {"water": 0}}).causes() == {("spec.water", "FieldValueInvalid")}
    blind = api.put(f"{POTS}/x", pot("x", water=2))
    assert blind.message.endswith("metadata.resourceVersion: Invalid value: 0: must be specified for an update")
    made["spec"]["water"] = 2
    assert api.put(f"{POTS}/x", made).body["metadata"]["generation"] == 2


def test_without_a_status_subresource_status_is_a_field(api: Api) -> None:
    made = custom_definition(SCHEMA)
    version = made["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"]["properties"]["status"] = {
        "type": "object",
        "properties": {"hot": {"type": "boolean"}},
    }
    api.made(CRDS, made)
    created = api.made(POTS, pot("x", water=1) | {"status": {"hot": True}})
    assert created["status"] == {"hot": True}
    assert api.get(f"{POTS}/x/status").code == 404
    assert api.patch(f"{POTS}/x", {"status": {"hot": False}}).body["metadata"]["generation"] == 2


def test_status_and_scale_subresources(api: Api) -> None:
    scale = {"specReplicasPath": ".spec.water", "statusReplicasPath": ".status.water"}
    api.made(CRDS, custom_definition(SCHEMA, subresources={"status": {}, "scale": scale}))
    created = api.made(POTS, pot("x", water=1) | {"status": {"water": 5}})
    assert "status" not in created
    assert api.patch(f"{POTS}/x/status", {"status": {"water": 5}}).body["status"] == {"water": 5}
    assert api.get(f"{POTS}/x").body["metadata"]["generation"] == 1
    scaled = api.patch(f"{POTS}/x/scale", {"spec": {"replicas": 3}}).body
    assert (scaled["spec"], scaled["status"]) == ({"replicas": 3}, {"replicas": 5})
    assert api.get(f"{POTS}/x").body["spec"]["water"] == 3


def test_printer_columns(api: Api) -> None:
    columns = [
        {"name": "Water", "type": "integer", "jsonPath": ".spec.water"},
        {"name": "Leaves", "type": "string", "jsonPath": ".spec.leaves[*].kind", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    api.made(CRDS, custom_definition(SCHEMA, additionalPrinterColumns=columns))
    api.made(POTS, pot("x", water=3, leaves=[{"kind": "a"}, {"kind": "b"}]))
    table = api.get(POTS, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Water", "Leaves", "Age"]
    assert table["rows"][0]["cells"][:3] == ["x", 3, "a"]


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (changed() | {"metadata": {"name": "cups.tea.example"}}, "metadata.name"),
        (changed(versions=[]), "spec.versions"),
        (changed(group="tea"), "spec.group"),
        (changed(scope="Everywhere"), "spec.scope"),
        (changed(names={"plural": "pots"}), "spec.names.kind"),
        (changed(names={"plural": "pots", "kind": "Pot", "shortNames": ["Short"]}), "spec.names.shortNames[0]"),
        (changed(conversion={"strategy": "Webhook"}), "spec.conversion.webhookClientConfig"),
        (
            changed(
                conversion={
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"url": "http://x"}, "conversionReviewVersions": ["v1"]},
                }
            ),
            "spec.conversion.webhookClientConfig.url",
        ),
        (changed(preserveUnknownFields=True), "spec.preserveUnknownFields"),
    ],
)
def test_crds_that_are_refused(api: Api, manifest: dict[str, Any], field: str) -> None:
    answer = api.post(CRDS, manifest)
    assert answer.code == 422, answer.text
    assert field in {name for name, _ in answer.causes()}
    assert api.get(POTS).code == 404


@pytest.mark.parametrize(
    ("flags", "good"),
    [([True, False], True), ([False, False], False), ([True, True], False)],
)
def test_exactly_one_version_is_stored(api: Api, flags: list[bool], good: bool) -> None:
    made = custom_definition(SCHEMA)
    one = made["spec"]["versions"][0]
    made["spec"]["versions"] = [one | {"name": f"v{index}", "storage": flag} for index, flag in enumerate(flags)]
    answer = api.post(CRDS, made)
    assert (answer.code == 201) is good
    if not good:
        assert "must have exactly one version marked as storage version" in answer.message


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"properties": {}}, ".properties[spec].type"),
        ({"type": "array"}, ".properties[spec].items"),
        ({"type": "object", "properties": {"a": {}}}, ".properties[spec].properties[a].type"),
        ({"type": "object", "$ref": "#/x"}, ".properties[spec].$ref"),
        ({"type": "tea"}, ".properties[spec].type"),
        ({"type": "string", "pattern": "("}, ".properties[spec].pattern"),
        ({"type": "string", "x-kubernetes-validations": []}, ".properties[spec].x-kubernetes-validations"),
        ({"type": "string", "default": 1}, ".properties[spec].default"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ".properties[spec].uniqueItems"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            ".properties[spec].additionalProperties",
        ),
        ({"type": "object", "anyOf": [{"type": "object"}]}, ".properties[spec].anyOf[0].type"),
        (
            {"type": "array", "items": {"type": "object", "properties": {}}, "x-kubernetes-list-type": "map"},
            ".properties[spec].x-kubernetes-list-map-keys",
        ),
    ],
)
def test_schemas_that_are_not_structural(api: Api, schema: dict[str, Any], field: str) -> None:
    answer = api.post(CRDS, custom_definition(schema))
    assert answer.code == 422, answer.text
    assert f"spec.validation.openAPIV3Schema{field}" in {name for name, _ in answer.causes()}


def test_a_version_without_a_schema_is_refused(api: Api) -> None:
    made = custom_definition()
    del made["spec"]["versions"][0]["schema"]
    where = "spec.versions[0].schema.openAPIV3Schema"
    assert api.post(CRDS, made).causes() == {(where, "FieldValueRequired")}


def test_names_that_are_taken_are_not_accepted(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    other = custom_definition(SCHEMA, kind="Cup")
    other["spec"]["names"]["shortNames"] = ["pot"]
    made = defined(api, other)
    conditions = {item["type"]: (item["status"], item["reason"]) for item in made["status"]["conditions"]}
    assert conditions["NamesAccepted"] == ("False", "ShortNamesConflict")
    assert conditions["Established"] == ("False", "NotAccepted")
    assert api.get(POTS.replace("pots", "cups")).code == 404


def test_names_that_become_free_are_accepted(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    other = custom_definition(SCHEMA, kind="Cup")
    other["spec"]["names"]["shortNames"] = ["pot"]
    api.made(CRDS, other)
    api.delete(f"{CRDS}/pots.tea.example")
    conditions = api.get(f"{CRDS}/cups.tea.example").body["status"]["conditions"]
    assert {item["type"]: item["status"] for item in conditions} == {"NamesAccepted": "True", "Established": "True"}
    assert api.get(POTS.replace("pots", "cups")).code == 200


def test_deprecated_versions_warn(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA, deprecated=True))
    assert api.get(POTS).headers["warning"] == '299 - "tea.example/v1 Pot is deprecated"'
    assert "deprecated" in api.post(POTS, pot("x", water=1)).headers["warning"]


def test_selectable_fields_can_be_selected_by(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA, selectableFields=[{"jsonPath": ".spec.mode"}]))
    api.made(POTS, pot("x", water=1))
    api.made(POTS, pot("y", water=1, mode="cold"))
    found = api.get(f"{POTS}?fieldSelector=spec.mode%3Dcold").body["items"]
    assert [item["metadata"]["name"] for item in found] == ["y"]


def test_whole_numbers_lose_their_fraction(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    body = b'{"apiVersion":"tea.example/v1","kind":"Pot","metadata":{"name":"x"},"spec":{"water":80.0}}'
    answer = api.raw("POST", POTS, body, content_type="application/json")
    assert '"water":80,' in answer.text or '"water":80}' in answer.text
    assert api.raw("POST", POTS, body.replace(b"80.0", b"1e999"), content_type="application/json").code == 400


def test_scope_and_names_are_fixed(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    answer = api.patch(f"{CRDS}/pots.tea.example", {"spec": {"scope": "Cluster"}})
    assert answer.causes() == {("spec.scope", "FieldValueInvalid")}


def test_a_schema_can_grow(api: Api) -> None:
    made = defined(api, custom_definition(SCHEMA))
    api.made(POTS, pot("x", water=1))
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    schema["sugar"] = {"type": "integer", "default": 0}
    updated = api.put(f"{CRDS}/pots.tea.example", made).body
    assert updated["metadata"]["generation"] == 2
    assert api.get(f"{POTS}/x").body["spec"]["sugar"] == 0
    assert api.made(POTS, pot("y", water=1, sugar=3))["spec"]["sugar"] == 3


def test_a_stored_version_cannot_go(api: Api) -> None:
    made = defined(api, custom_definition(SCHEMA))
    made["spec"]["versions"][0]["name"] = "v2"
    answer = api.put(f"{CRDS}/pots.tea.example", made)
    assert ("status.storedVersions[0]", "FieldValueInvalid") in answer.causes()


def test_a_version_that_is_no_longer_served_is_404(api: Api) -> None:
    made = custom_definition(SCHEMA)
    one = made["spec"]["versions"][0]
    made["spec"]["versions"] = [one, one | {"name": "v2", "storage": False}]
    made = defined(api, made)
    assert api.get(POTS.replace("/v1/", "/v2/")).code == 200
    made["spec"]["versions"][1]["served"] = False
    assert api.put(f"{CRDS}/pots.tea.example", made).code == 200
    assert api.get(POTS.replace("/v1/", "/v2/")).code == 404
    assert [version["version"] for version in api.get("/apis/tea.example").body["versions"]] == ["v1"]


def test_deleting_a_crd_removes_its_objects_and_its_paths(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    api.made(POTS, pot("x", water=1))
    deleted = api.delete(f"{CRDS}/pots.tea.example").body
    assert deleted["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert api.get(POTS).code == 404
    assert api.get("/apis/tea.example").code == 404
    api.made(CRDS, custom_definition(SCHEMA))
    assert api.get(POTS).body["items"] == []


def test_a_crd_waits_for_objects_with_finalizers(api: Api) -> None:
    api.made(CRDS, custom_definition(SCHEMA))
    held = pot("held", water=1)
    held["metadata"]["finalizers"] = ["tea.example/hold"]
    api.made(POTS, held)
    api.made(POTS, pot("free", water=1))
    crd = api.delete(f"{CRDS}/pots.tea.example").body
    assert crd["metadata"]["deletionTimestamp"]
    assert [item["metadata"]["name"] for item in api.get(POTS).body["items"]] == ["held"]
    refused = api.post(POTS, pot("late", water=1))
    assert (refused.code, refused.message) == (
        403,
        'pots.tea.example "late" is forbidden: create not allowed while custom resource definition is terminating',
    )
    api.raw("PATCH", f"{POTS}/held", b'{"metadata":{"finalizers":null}}', content_type=MERGE)
    assert api.get(f"{CRDS}/pots.tea.example").code == 404
    assert api.get(POTS).code == 404


def test_cluster_scoped_kinds_live_outside_namespaces(api: Api) -> None:
    api.made(CRDS, changed(scope="Cluster"))
    api.made("/apis/tea.example/v1/pots", pot("x", water=1))
    assert api.get("/apis/tea.example/v1/pots/x").code == 200
    assert api.get(f"{POTS}/x").code == 404


def test_the_crds_of_the_spec_are_accepted(api: Api) -> None:
    for crd in smi_crds():
        made = defined(api, crd)
        assert {item["status"] for item in made["status"]["conditions"]} == {"True"}
    groups = {group["name"]: len(group["versions"]) for group in api.get("/apis").body["groups"]}
    assert groups["split.smi-spec.io"] == 4
    assert groups["access.smi-spec.io"] == 4
