"""Rendering in every API version, and reading back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smi.spec.expand import expand
from pytest_smi.spec.quantities import milli
from pytest_smi.spec.read import Unreadable, parse
from pytest_smi.spec.releases import RELEASES, ApiVersions
from pytest_smi.spec.render import NotExpressible, render
from pytest_smi.spec.resources import (
    ANY,
    GET,
    POST,
    Backend,
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Match,
    Raw,
    RouteRef,
    Rule,
    TCPRoute,
    TrafficSplit,
    TrafficTarget,
    UDPRoute,
)
from tests.unit.spec_strategies import expressible

if TYPE_CHECKING:
    from pytest_smi.spec.render import HeaderEncoding
    from pytest_smi.spec.resources import Resource

KETTLE, TEAPOT = Identity("kettle", "tea"), Identity("teapot", "tea")
TEA = TrafficTarget("tea", [KETTLE], TEAPOT, [GET("/pour$", name="pour")])
V1, V2, V3, V4 = RELEASES["0.4.0"], RELEASES["0.5.0"], RELEASES["0.6.0"], RELEASES["main"]


def rendered(resource: Resource, versions: ApiVersions, **options: Any) -> list[dict[str, Any]]:
    return render(resource, versions, namespace="tea", **options)


def test_traffic_target_v1alpha1_has_its_fields_at_the_top_and_calls_the_rules_specs() -> None:
    group, target = rendered(replace(TEA, port=8080), V1)
    assert group["metadata"] == {"name": "tea-routes", "namespace": "tea"}
    assert target == {
        "apiVersion": "access.smi-spec.io/v1alpha1",
        "kind": "TrafficTarget",
        "metadata": {"name": "tea", "namespace": "tea"},
        "destination": {"kind": "ServiceAccount", "name": "teapot", "namespace": "tea", "port": 8080},
        "specs": [{"kind": "HTTPRouteGroup", "name": "tea-routes", "matches": ["pour"]}],
        "sources": [{"kind": "ServiceAccount", "name": "kettle", "namespace": "tea"}],
    }


@pytest.mark.parametrize("versions", [V2, V3, V4])
def test_traffic_target_from_v1alpha2_on_has_a_spec_with_rules(versions: ApiVersions) -> None:
    target = rendered(TEA, versions)[-1]
    assert target["apiVersion"] == f"access.smi-spec.io/{versions.access}"
    assert set(target["spec"]) == {"destination", "rules", "sources"}
    assert target["spec"]["rules"] == [{"kind": "HTTPRouteGroup", "name": "tea-routes", "matches": ["pour"]}]


@pytest.mark.parametrize(
    ("specs", "top"), [("v1alpha1", True), ("v1alpha2", True), ("v1alpha3", False), ("v1alpha4", False)]
)
def test_http_route_group_moves_below_spec_in_v1alpha3(specs: str, top: bool) -> None:
    (group,) = rendered(HTTPRouteGroup("routes", [GET("/pour$", name="pour")]), ApiVersions(specs=specs))
    matches = [{"name": "pour", "pathRegex": "/pour$", "methods": ["GET"]}]
    assert group == {
        "apiVersion": f"specs.smi-spec.io/{specs}",
        "kind": "HTTPRouteGroup",
        "metadata": {"name": "routes", "namespace": "tea"},
    } | ({"matches": matches} if top else {"spec": {"matches": matches}})


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("array", [{"cookie": "a"}, {"x-milk": "^oat$"}]), ("map", {"cookie": "a", "x-milk": "^oat$"})],
)
def test_headers_are_written_in_the_encoding_asked_for(encoding: HeaderEncoding, written: object) -> None:
    group = HTTPRouteGroup("routes", [Match("milky", headers={"x-milk": "^oat$", "cookie": "a"})])
    (manifest,) = rendered(group, V4, header_encoding=encoding)
    assert manifest["spec"]["matches"] == [{"name": "milky", "headers": written}]


@pytest.mark.parametrize(
    ("specs", "body"),
    [
        ("v1alpha1", {}),
        ("v1alpha2", {}),
        ("v1alpha3", {"spec": {}}),
        ("v1alpha4", {"spec": {"matches": {"ports": []}}}),
    ],
)
def test_tcp_route_for_every_port(specs: str, body: dict[str, Any]) -> None:
    (manifest,) = rendered(TCPRoute("tcp"), ApiVersions(specs=specs))
    assert {key: manifest[key] for key in manifest if key not in ("apiVersion", "kind", "metadata")} == body


def test_ports_are_named_in_v1alpha4() -> None:
    manifests = [rendered(kind("r", [7000, 7001]), V4)[0] for kind in (TCPRoute, UDPRoute)]
    assert [manifest["kind"] for manifest in manifests] == ["TCPRoute", "UDPRoute"]
    assert all(manifest["spec"] == {"matches": {"ports": [7000, 7001]}} for manifest in manifests)


def test_split_weights_are_quantities_in_v1alpha1_and_whole_numbers_after() -> None:
    split = TrafficSplit("ts", "teapot", [Backend("china", "900m"), Backend("glass", "1")])
    (old,) = rendered(split, ApiVersions(split="v1alpha1"))
    assert [backend["weight"] for backend in old["spec"]["backends"]] == ["900m", "1"]
    (new,) = rendered(TrafficSplit("ts", "teapot", [Backend("china", 90), Backend("glass", "1k")]), V4)
    assert [backend["weight"] for backend in new["spec"]["backends"]] == [90, 1000]


def test_split_matches_render_the_group_before_the_split() -> None:
    tasters = HTTPRouteGroup("tasters", [Match("milky", headers={"x-milk": "oat"})])
    group, split = rendered(TrafficSplit("ts", "teapot", {"glass": 1}, [tasters, RouteRef("HTTPRouteGroup", "x")]), V4)
    assert group["metadata"]["name"] == "tasters"
    assert split["spec"]["matches"] == [
        {"kind": "HTTPRouteGroup", "name": "tasters"},
        {"kind": "HTTPRouteGroup", "name": "x"},
    ]


def test_identity_binding_writes_the_schemes_that_are_given() -> None:
    (manifest,) = rendered(IdentityBinding("id", "teapot", ["spiffe://a/b"]), V4)
    assert manifest["spec"] == {"schemes": {"serviceAccount": "teapot", "spiffeIdentities": ["spiffe://a/b"]}}
    (manifest,) = rendered(IdentityBinding("id", match_labels={"app": "teapot"}), V4)
    assert manifest["spec"] == {"schemes": {"podLabelSelector": {"matchLabels": {"app": "teapot"}}}}


def test_namespaces_are_written_out_unless_left_out_on_purpose() -> None:
    target = TrafficTarget("tea", [Identity("kettle"), Identity("cosy", "")], Identity("teapot"), [], namespace="tea2")
    spec = rendered(target, V4)[0]["spec"]
    assert spec["destination"]["namespace"] == "tea2"
    assert [source.get("namespace") for source in spec["sources"]] == ["tea2", None]


def test_bare_matches_share_one_group_in_the_place_of_the_first() -> None:
    tcp = RouteRef("TCPRoute", "ports")
    target = TrafficTarget("tea", [KETTLE], TEAPOT, [tcp, GET("/pour$"), POST("/stir$"), Rule(tcp)])
    group, manifest = rendered(target, V4)
    assert [match["name"] for match in group["spec"]["matches"]] == ["get-pour", "post-stir"]
    assert [rule["kind"] for rule in manifest["spec"]["rules"]] == ["TCPRoute", "HTTPRouteGroup", "TCPRoute"]


def test_a_route_object_used_twice_is_rendered_once() -> None:
    group = HTTPRouteGroup("routes", [GET("/pour$", name="pour"), GET("/stir$", name="stir")])
    target = TrafficTarget("tea", [KETTLE], TEAPOT, [Rule(group, ["pour"]), Rule(group, ["stir"])])
    assert [manifest["kind"] for manifest in rendered(target, V4)] == ["HTTPRouteGroup", "TrafficTarget"]


def test_a_group_without_matches_is_a_reference() -> None:
    assert len(rendered(TrafficTarget("tea", [KETTLE], TEAPOT, [HTTPRouteGroup("routes")]), V4)) == 1


def test_two_different_objects_of_one_name_are_refused() -> None:
    rules = [TCPRoute("x", [1]), TCPRoute("x", [2])]
    with pytest.raises(ValueError, match="two different TCPRoute objects"):
        rendered(TrafficTarget("tea", [KETTLE], TEAPOT, rules), V4)


def test_raw_passes_through_untouched_as_a_copy() -> None:
    manifest = {"kind": "TrafficTarget", "spec": {"rules": []}}
    (passed,) = rendered(Raw(manifest), V4)
    assert passed == manifest
    passed["spec"]["rules"].append(1)
    assert manifest["spec"] == {"rules": []}


HEADERS = HTTPRouteGroup("r", [Match("m", "/", ["GET"], {"x-milk": "oat"})])
BINDING = IdentityBinding("teapot-id", "teapot", namespace="tea")


@pytest.mark.parametrize(
    ("resource", "versions", "reason"),
    [
        (replace(TEA, port=8080), V3, "TCPRoute rule for 8080"),
        (HEADERS, ApiVersions(specs="v1alpha1"), "no header filters"),
        (HTTPRouteGroup("r", [Match("m", "/")]), ApiVersions(specs="v1alpha1"), "requires pathRegex and methods"),
        (TCPRoute("t", [80]), V2, "cannot name ports in specs v1alpha3"),
        (UDPRoute("u"), V2, "does not exist in specs v1alpha3"),
        (TrafficTarget("t", [KETTLE], TEAPOT, [RouteRef("UDPRoute", "u")]), V2, "no UDPRoute rules"),
        (TrafficTarget("t", [KETTLE], BINDING, []), V3, "no IdentityBinding subjects"),
        (TrafficTarget("t", [Identity("k", "tea", group="g")], TEAPOT, []), V3, "no group"),
        (BINDING, V3, "does not exist in access v1alpha3"),
        (TrafficSplit("s", "a", {"b": 1}, []), ApiVersions(split="v1alpha2"), "no matches"),
        (TrafficSplit("s", "a", {"b": "500m"}), V4, "not a whole number"),
        (TEA, ApiVersions(access="v1alpha3"), "no API version of specs"),
    ],
)
def test_what_a_version_cannot_say_is_refused_with_the_reason(
    resource: Resource, versions: ApiVersions, reason: str
) -> None:
    with pytest.raises(NotExpressible, match=reason) as caught:
        rendered(resource, versions)
    assert caught.value.reason == str(caught.value)


def test_a_map_cannot_hold_two_filters_of_one_header() -> None:
    group = HTTPRouteGroup("r", [Match("m", headers=[("a", "1"), ("a", "2")])])
    assert parse(rendered(group, V4)[0]) == replace_namespace(group)
    with pytest.raises(NotExpressible, match="two filters of one header"):
        rendered(group, V4, header_encoding="map")


def replace_namespace(group: HTTPRouteGroup) -> HTTPRouteGroup:
    return HTTPRouteGroup(group.name, group.matches, "tea")


def canonical(resource: Resource, versions: ApiVersions) -> Resource:
    """What a version cannot tell apart, made equal: absent and empty ports; quantities and thousandths."""
    if isinstance(resource, TCPRoute | UDPRoute):
        return type(resource)(resource.name, resource.ports or None, resource.namespace)
    if isinstance(resource, TrafficSplit) and versions.split == "v1alpha1":
        backends = [Backend(backend.service, milli(backend.weight)) for backend in resource.backends]
        return TrafficSplit(resource.name, resource.service, backends, resource.matches, resource.namespace)
    return resource


@settings(deadline=None, database=None, max_examples=100)
@given(expressible(), st.sampled_from(["array", "map"]))
def test_reading_what_was_rendered_gives_the_same(case: tuple[Resource, ApiVersions], encoding: HeaderEncoding) -> None:
    resource, versions = case
    manifests = render(resource, versions, namespace="tea", header_encoding=encoding)
    wanted = [canonical(plain, versions) for plain in expand(resource, "tea")]
    read = [parse(manifest) for manifest in manifests]
    if versions.split == "v1alpha1":
        assert read == wanted
    else:
        assert [canonical(plain, versions) for plain in read] == wanted


def test_absent_and_empty_read_differently() -> None:
    head = {"apiVersion": "specs.smi-spec.io/v1alpha4", "kind": "TCPRoute", "metadata": {"name": "t", "namespace": "a"}}
    assert parse(head) == TCPRoute("t", None, "a")
    assert parse(head | {"spec": {"matches": {"ports": []}}}) == TCPRoute("t", [], "a")


def test_header_array_elements_with_several_keys_count_whole() -> None:
    manifest = rendered(HTTPRouteGroup("r", [ANY(name="m")]), V4)[0]
    manifest["spec"]["matches"][0]["headers"] = [{"a": "1", "b": "2"}]
    group = parse(manifest)
    assert isinstance(group, HTTPRouteGroup)
    assert group.matches[0].headers == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({}, "apiVersion is missing"),
        ({"apiVersion": "spec.smi-spec.io/v1alpha1", "kind": "TCPRoute", "metadata": {"name": "t"}}, "no SMI kind"),
        ({"apiVersion": "split.smi-spec.io/v1alpha9", "kind": "TrafficSplit"}, "no SMI kind"),
        (
            {"apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget", "metadata": {"name": "t"}},
            "destination",
        ),
        (
            {
                "apiVersion": "specs.smi-spec.io/v1alpha4",
                "kind": "TCPRoute",
                "metadata": {"name": "t"},
                "spec": {"matches": [{"ports": [1]}]},
            },
            "list",
        ),
        (
            {
                "apiVersion": "split.smi-spec.io/v1alpha4",
                "kind": "TrafficSplit",
                "metadata": {"name": "t"},
                "spec": {"service": "a", "backends": [{"service": "b", "weight": "1"}]},
            },
            "not an integer",
        ),
    ],
)
def test_an_unreadable_manifest_says_what_is_wrong(manifest: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(manifest)
