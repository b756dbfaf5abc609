"""API, definitions: the CRDs that a mesh brings."""

from typing import Any

from pytest_smi import KINDS, Resource, Smi, assert_that, requirement

ESTABLISHED = {"Established": "True", "NamesAccepted": "True"}


@requirement("API-001")
def test_the_definition_is_established(smi: Smi, definition: dict[str, Any]) -> None:
    """The CRD exists under its full name, and the API server serves it."""
    conditions = {c["type"]: c["status"] for c in definition.get("status", {}).get("conditions", [])}
    holds = {name: conditions.get(name) for name in ESTABLISHED} == ESTABLISHED
    assert_that(smi, holds, "the CRD is Established and its names are accepted", conditions or "no CRD")


@requirement("API-002")
def test_the_group_is_the_specs(smi: Smi, definition: dict[str, Any]) -> None:
    """`specs.smi-spec.io`, not `spec.smi-spec.io`, and so on."""
    assert smi.kind is not None
    group = definition.get("spec", {}).get("group")
    assert_that(smi, group == KINDS[smi.kind].group, f"the group is {KINDS[smi.kind].group}", group)


@requirement("API-003")
def test_objects_belong_to_a_namespace(smi: Smi, definition: dict[str, Any]) -> None:
    """Every SMI kind is namespaced."""
    scope = definition.get("spec", {}).get("scope")
    assert_that(smi, scope == "Namespaced", "the scope is Namespaced", scope)


@requirement("API-004")
def test_discovery_tells_the_names(smi: Smi) -> None:
    """Plural, singular, kind and the short name that kubectl users type."""
    assert smi.kind is not None
    plural, short = KINDS[smi.kind].plural, KINDS[smi.kind].short
    listed = smi.api.get(f"/apis/{smi.api_version(smi.kind)}").get("resources", [])
    found: dict[str, Any] = next((r for r in listed if r["name"] == plural), {})
    names = (found.get("kind"), found.get("singularName"), short in found.get("shortNames", []))
    expected = f"discovery lists {plural} with kind {smi.kind}, its singular and short name {short}"
    assert_that(smi, names == (smi.kind, smi.kind.lower(), True), expected, found or "not listed")


@requirement("API-005")
def test_the_version_is_served_and_one_is_stored(smi: Smi, definition: dict[str, Any]) -> None:
    """The version that the profile declares is served; exactly one version is the stored one."""
    assert smi.kind is not None
    versions = definition.get("spec", {}).get("versions", [])
    served = [version["name"] for version in versions if version["served"]]
    wanted = smi.api_version(smi.kind).split("/")[1]
    stored = [version["name"] for version in versions if version["storage"]]
    assert_that(smi, wanted in served, f"{wanted} is served", served)
    assert_that(smi, len(stored) == 1, "exactly one version is stored", stored)


@requirement("API-006")
def test_a_table_shows_the_root_service(smi: Smi, example: Resource) -> None:
    """`kubectl get ts` has a column Service with the split's root."""
    smi.apply(example)
    path = smi.path(example)
    table = smi.api.request("GET", path, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    columns = [column["name"] for column in table.get("columnDefinitions", [])]
    assert_that(smi, "Service" in columns, "the Table has a column Service", columns)
    cell = table["rows"][0]["cells"][columns.index("Service")]
    assert_that(smi, cell == "root", "the column holds the root Service's name", cell)
