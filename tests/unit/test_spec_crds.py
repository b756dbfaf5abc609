"""The CRDs: what their schemas accept and refuse, checked by a JSON Schema validator that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft4Validator

from pytest_smi.spec.crds import crds
from pytest_smi.spec.kinds import KINDS
from pytest_smi.spec.releases import RELEASES
from pytest_smi.spec.render import render
from pytest_smi.spec.resources import GET, HTTPRouteGroup, Match
from pytest_smi.spec.schemas import schema
from tests.unit.spec_strategies import expressible

if TYPE_CHECKING:
    from pytest_smi.spec.releases import ApiVersions
    from pytest_smi.spec.render import HeaderEncoding
    from pytest_smi.spec.resources import Resource

EVERY = [(kind.kind, version) for kind in KINDS.values() for version in kind.versions]


def complaints(manifest: dict[str, Any], encoding: HeaderEncoding = "array") -> list[str]:
    """What the schema of the manifest's version says against it."""
    version = manifest["apiVersion"].partition("/")[2]
    validator = Draft4Validator(schema(manifest["kind"], version, encoding))
    return [error.message for error in validator.iter_errors(manifest)]


def manifest(kind: str, version: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": KINDS[kind].api_version(version), "kind": kind, "metadata": {"name": "x"}} | body


def test_there_is_one_crd_per_kind_with_its_names() -> None:
    made = {crd["spec"]["names"]["kind"]: crd for crd in crds()}
    assert set(made) == set(KINDS)
    names = {kind: crd["spec"]["names"]["shortNames"] for kind, crd in made.items()}
    assert names == {
        "TrafficTarget": ["tt"],
        "IdentityBinding": ["ib"],
        "HTTPRouteGroup": ["htr"],
        "TCPRoute": ["tr"],
        "UDPRoute": ["ur"],
        "TrafficSplit": ["ts"],
    }
    for kind, crd in made.items():
        assert crd["metadata"]["name"] == f"{KINDS[kind].plural}.{KINDS[kind].group}"
        assert crd["spec"]["scope"] == "Namespaced"
        assert crd["spec"]["names"]["categories"] == ["smi"]


def test_every_version_is_served_and_the_newest_stored() -> None:
    for crd in crds():
        versions = crd["spec"]["versions"]
        assert tuple(version["name"] for version in versions) == KINDS[crd["spec"]["names"]["kind"]].versions
        assert all(version["served"] for version in versions)
        assert [version["name"] for version in versions if version["storage"]] == ["v1alpha4"]


def test_served_versions_may_be_restricted() -> None:
    served = {
        (crd["spec"]["names"]["kind"], version["name"])
        for crd in crds(served={"split": ["v1alpha2"], "access": ["v1alpha3"]})
        for version in crd["spec"]["versions"]
        if version["served"]
    }
    assert served == {("TrafficSplit", "v1alpha2"), ("TrafficTarget", "v1alpha3")}


def test_conversion_is_none_without_a_webhook_and_names_it_otherwise() -> None:
    assert all(crd["spec"]["conversion"] == {"strategy": "None"} for crd in crds())
    for crd in crds(conversion_url="https://127.0.0.1:1/convert", ca_bundle="QUJD"):
        assert crd["spec"]["conversion"] == {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://127.0.0.1:1/convert", "caBundle": "QUJD"},
            },
        }


def test_a_split_shows_its_service_in_a_column_in_every_version() -> None:
    split = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "TrafficSplit")
    for version in split["spec"]["versions"]:
        assert version["additionalPrinterColumns"][0] == {
            "name": "Service",
            "type": "string",
            "jsonPath": ".spec.service",
        }


def _structural(node: dict[str, Any], path: str, inside: bool = False) -> list[str]:
    """Breaches of the rules for structural schemas: a type everywhere outside of junctors, none inside of them."""
    found = []
    if inside and set(node) & {"type", "description", "default"}:
        found.append(f"{path}: {sorted(node)} inside a junctor")
    if not inside and "type" not in node and not node.get("x-kubernetes-int-or-string"):
        found.append(f"{path}: no type")
    if "properties" in node and "additionalProperties" in node:
        found.append(f"{path}: properties and additionalProperties")
    for name, child in node.get("properties", {}).items():
        found += _structural(child, f"{path}.{name}", inside)
    for key in ("items", "additionalProperties"):
        if key in node:
            found += _structural(node[key], f"{path}[]", inside)
    if "not" in node:
        found += _structural(node["not"], f"{path}!", True)
    return found


@pytest.mark.parametrize(("kind", "version"), EVERY)
@pytest.mark.parametrize("encoding", ["array", "map"])
def test_schemas_are_structural(kind: str, version: str, encoding: HeaderEncoding) -> None:
    assert _structural(schema(kind, version, encoding), kind) == []


@settings(deadline=None, database=None, max_examples=100)
@given(expressible())
def test_schemas_accept_what_is_rendered(case: tuple[Resource, ApiVersions]) -> None:
    resource, versions = case
    for written in render(resource, versions, namespace="tea"):
        if written["kind"] == "IdentityBinding":
            schemes = written["spec"]["schemes"]
            if not schemes or {"serviceAccount", "podLabelSelector"} <= set(schemes):
                assert complaints(written)
                continue
        assert complaints(written) == []


TARGET = {"destination": {"kind": "ServiceAccount", "name": "a"}, "rules": [], "sources": []}
SPLIT: dict[str, Any] = {"service": "a", "backends": [{"service": "b", "weight": 1}]}
POUR = {"name": "pour", "pathRegex": "/pour", "methods": ["GET"]}


def without(body: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != key}


def weighted(weight: object) -> dict[str, Any]:
    return {"spec": SPLIT | {"backends": [{"service": "b", "weight": weight}]}}


def target(**changes: Any) -> dict[str, Any]:
    return {"spec": TARGET | changes}


def schemes(**given: Any) -> dict[str, Any]:
    return {"spec": {"schemes": given}}


LABELS = {"matchLabels": {"app": "teapot"}}

REFUSED = [
    ("TrafficTarget", "v1alpha3", {}),
    ("TrafficTarget", "v1alpha3", {"spec": without(TARGET, "destination")}),
    ("TrafficTarget", "v1alpha3", {"spec": without(TARGET, "rules")}),
    ("TrafficTarget", "v1alpha4", {"spec": without(TARGET, "sources")}),
    ("TrafficTarget", "v1alpha3", target(rules=[{"kind": "GRPCRoute", "name": "x"}])),
    ("TrafficTarget", "v1alpha2", target(rules=[{"kind": "UDPRoute", "name": "x"}])),
    ("TrafficTarget", "v1alpha2", target(destination={"kind": "ServiceAccount", "name": "a", "port": "80"})),
    ("TrafficTarget", "v1alpha2", target(destination={"kind": "ServiceAccount", "name": "a", "port": 80.5})),
    ("TrafficTarget", "v1alpha4", target(sources=[{"kind": "Group", "name": "x"}])),
    ("TrafficTarget", "v1alpha1", {"specs": [], "sources": []}),
    ("HTTPRouteGroup", "v1alpha1", {"matches": [without(POUR, "methods")]}),
    ("HTTPRouteGroup", "v1alpha2", {}),
    ("HTTPRouteGroup", "v1alpha3", {"matches": [POUR]}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {}}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {"matches": [without(POUR, "name")]}}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {"matches": [POUR | {"methods": ["get"]}]}}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {"matches": [POUR | {"methods": ["PROPFIND"]}]}}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {"matches": [POUR | {"headers": {"a": "b"}}]}}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {"matches": [POUR | {"headers": [{"a": 1}]}]}}),
    ("TCPRoute", "v1alpha4", {"spec": {"matches": {"ports": ["80"]}}}),
    ("UDPRoute", "v1alpha4", {"spec": {"matches": [{"ports": [80]}]}}),
    ("TrafficSplit", "v1alpha1", weighted("half")),
    ("TrafficSplit", "v1alpha1", weighted(0.5)),
    ("TrafficSplit", "v1alpha2", weighted("500m")),
    ("TrafficSplit", "v1alpha2", weighted(0.5)),
    ("TrafficSplit", "v1alpha4", weighted(-200)),
    ("TrafficSplit", "v1alpha4", {}),
    ("TrafficSplit", "v1alpha4", {"spec": without(SPLIT, "service")}),
    ("TrafficSplit", "v1alpha4", {"spec": without(SPLIT, "backends")}),
    ("TrafficSplit", "v1alpha4", {"spec": SPLIT | {"backends": [{"service": "b"}]}}),
    ("TrafficSplit", "v1alpha3", {"spec": SPLIT | {"matches": [{"kind": "TCPRoute", "name": "x"}]}}),
    ("TrafficSplit", "v1alpha3", {"spec": SPLIT | {"matches": [{"kind": "HTTPRouteGroup"}]}}),
    ("IdentityBinding", "v1alpha4", {}),
    ("IdentityBinding", "v1alpha4", {"spec": {}}),
    ("IdentityBinding", "v1alpha4", schemes()),
    ("IdentityBinding", "v1alpha4", schemes(spiffeIdentities=[])),
    ("IdentityBinding", "v1alpha4", schemes(podLabelSelector={})),
    ("IdentityBinding", "v1alpha4", schemes(podLabelSelector={"matchLabels": {}})),
    ("IdentityBinding", "v1alpha4", schemes(podLabelSelector=LABELS, serviceAccount="teapot")),
]

ACCEPTED = [
    ("TrafficTarget", "v1alpha1", {"destination": {"kind": "ServiceAccount", "name": "a"}}),
    ("TrafficTarget", "v1alpha2", {"spec": {"destination": {"kind": "ServiceAccount", "name": "a", "port": 80}}}),
    ("TrafficTarget", "v1alpha3", target()),
    ("TrafficTarget", "v1alpha3", target(sources=[{"kind": "Group", "name": "system:authenticated"}])),
    ("TrafficTarget", "v1alpha4", target(sources=[{"kind": "IdentityBinding", "name": "x", "group": "g"}])),
    ("HTTPRouteGroup", "v1alpha2", {"matches": [POUR | {"headers": [{"a": "b", "c": "d"}]}]}),
    ("HTTPRouteGroup", "v1alpha4", {"spec": {"matches": [{"name": "pour"}, POUR, POUR, POUR | {"pathRegex": "(["}]}}),
    ("TCPRoute", "v1alpha1", {}),
    ("TCPRoute", "v1alpha3", {"spec": {}}),
    ("TCPRoute", "v1alpha4", {"spec": {"matches": {}}}),
    ("TCPRoute", "v1alpha4", {"spec": {"matches": {"ports": [0, 70000, -1]}}}),
    ("TrafficSplit", "v1alpha1", weighted("500m")),
    ("TrafficSplit", "v1alpha1", weighted(1)),
    ("TrafficSplit", "v1alpha4", {"spec": SPLIT | {"backends": []}}),
    ("TrafficSplit", "v1alpha4", {"spec": SPLIT | {"matches": []}}),
    ("IdentityBinding", "v1alpha4", schemes(podLabelSelector=LABELS, spiffeIdentities=["cluster.local/ns/a/sa/b"])),
]


@pytest.mark.parametrize(("kind", "version", "body"), REFUSED)
def test_schemas_refuse(kind: str, version: str, body: dict[str, Any]) -> None:
    assert complaints(manifest(kind, version, body))


@pytest.mark.parametrize(("kind", "version", "body"), ACCEPTED)
def test_schemas_accept(kind: str, version: str, body: dict[str, Any]) -> None:
    assert complaints(manifest(kind, version, body)) == []


def test_header_encoding_decides_what_the_schema_takes() -> None:
    group = HTTPRouteGroup("r", [Match("m", headers={"a": "b"}), GET(name="n")])
    as_map = render(group, RELEASES["main"], namespace="tea", header_encoding="map")[0]
    as_array = render(group, RELEASES["main"], namespace="tea", header_encoding="array")[0]
    assert complaints(as_map, "map") == complaints(as_array, "array") == []
    assert complaints(as_map, "array")
    assert complaints(as_array, "map")


def test_every_field_explains_itself() -> None:
    def bare(node: dict[str, Any], path: str) -> list[str]:
        found = []
        for name, child in node.get("properties", {}).items():
            if name not in ("metadata", "matchLabels") and not child.get("description"):
                found.append(f"{path}.{name}")
            found += bare(child, f"{path}.{name}")
            found += bare(child.get("items", {}), f"{path}.{name}[]")
        return found

    assert [gap for kind, version in EVERY for gap in bare(schema(kind, version, "array"), kind)] == []
