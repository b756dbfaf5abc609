"""Conversion between API versions: nothing is lost, and nothing is loosened on the way."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smi.spec.convert import DESTINATION_PORT, PREFIX, Unconvertible, convert, convert_review
from pytest_smi.spec.kinds import KINDS
from pytest_smi.spec.quantities import quantity
from pytest_smi.spec.read import parse
from pytest_smi.spec.render import render
from pytest_smi.spec.resources import TCPRoute, TrafficSplit, TrafficTarget
from tests.unit.spec_strategies import expressible

if TYPE_CHECKING:
    from pytest_smi.spec.releases import ApiVersions
    from pytest_smi.spec.render import HeaderEncoding
    from pytest_smi.spec.resources import Resource

ANNOTATIONS = st.none() | st.just({"example.com/note": "x"})


def api(manifest: dict[str, Any], version: str) -> str:
    return KINDS[manifest["kind"]].api_version(version)


def other_versions(manifest: dict[str, Any]) -> list[str]:
    return [api(manifest, version) for version in KINDS[manifest["kind"]].versions]


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A manifest of any kind and version, with or without annotations of its own."""
    case: tuple[Resource, ApiVersions] = draw(expressible())
    resource, versions = case
    encoding: HeaderEncoding = draw(st.sampled_from(["array", "map"]))
    manifest = draw(st.sampled_from(render(resource, versions, namespace="tea", header_encoding=encoding)))
    if (annotations := draw(ANNOTATIONS)) is not None:
        manifest["metadata"]["annotations"] = dict(annotations)
    return manifest


@settings(deadline=None, database=None, max_examples=100)
@given(manifests(), st.data())
def test_there_and_back_is_the_same_object(manifest: dict[str, Any], data: st.DataObject) -> None:
    before = copy.deepcopy(manifest)
    there = convert(manifest, data.draw(st.sampled_from(other_versions(manifest))))
    assert convert(there, manifest["apiVersion"]) == before
    assert manifest == before


@settings(deadline=None, database=None, max_examples=100)
@given(manifests(), st.data())
def test_any_tour_of_versions_ends_at_the_same_object(manifest: dict[str, Any], data: st.DataObject) -> None:
    tour = data.draw(st.lists(st.sampled_from(other_versions(manifest)), max_size=5))
    here = manifest
    for stop in tour:
        here = convert(here, stop)
    assert convert(here, manifest["apiVersion"]) == manifest


@settings(deadline=None, database=None, max_examples=100)
@given(manifests())
def test_the_meaning_in_v1alpha4_is_that_of_the_original(manifest: dict[str, Any]) -> None:
    newest = convert(manifest, api(manifest, "v1alpha4"))
    original, converted = parse(manifest), parse(newest)
    if isinstance(original, TrafficTarget) and original.port is not None:
        assert newest["metadata"]["annotations"][DESTINATION_PORT] == str(original.port)
        assert "port" not in newest["spec"]["destination"]
        original = TrafficTarget(
            original.name, original.sources, original.destination, original.rules, None, original.namespace
        )
    if isinstance(original, TCPRoute):
        assert isinstance(converted, TCPRoute)
        assert (converted.ports or None) == (original.ports or None)
    else:
        assert converted == original


def split(version: str, *weights: object, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"split.smi-spec.io/{version}",
        "kind": "TrafficSplit",
        "metadata": {"name": "ts", "namespace": "tea"},
        "spec": {
            "service": "teapot",
            "backends": [{"service": f"s{at}", "weight": weight} for at, weight in enumerate(weights)],
        }
        | spec,
    }


def weights(manifest: dict[str, Any]) -> list[Any]:
    return [backend["weight"] for backend in manifest["spec"]["backends"]]


def test_quantities_become_comparable_whole_numbers() -> None:
    newest = convert(split("v1alpha1", "1", "500m", 2), "split.smi-spec.io/v1alpha4")
    assert weights(newest) == [1000, 500, 2000]


def test_a_weight_edited_in_a_newer_version_is_what_the_old_one_reads() -> None:
    newest = convert(split("v1alpha1", "1", "1500m"), "split.smi-spec.io/v1alpha4")
    newest["spec"]["backends"][0]["weight"] = 250
    assert weights(convert(newest, "split.smi-spec.io/v1alpha1")) == ["250m", "1500m"]


def test_ratios_survive_in_quantities() -> None:
    old = convert(split("v1alpha4", 90, 10), "split.smi-spec.io/v1alpha1")
    assert quantity(weights(old)[0]) / quantity(weights(old)[1]) == 9


def test_matches_of_a_split_do_not_show_where_there_are_none() -> None:
    matches = [{"kind": "HTTPRouteGroup", "name": "tasters"}]
    old = convert(split("v1alpha4", 1, matches=matches), "split.smi-spec.io/v1alpha2")
    assert "matches" not in old["spec"]
    old["spec"]["backends"][0]["weight"] = 7
    newest = convert(old, "split.smi-spec.io/v1alpha4")
    assert newest["spec"]["matches"] == matches
    assert weights(newest) == [7]


def target(version: str, **destination: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "destination": {"kind": "ServiceAccount", "name": "teapot"} | destination,
        "sources": [{"kind": "ServiceAccount", "name": "kettle"}],
    }
    head = {
        "apiVersion": f"access.smi-spec.io/{version}",
        "kind": "TrafficTarget",
        "metadata": {"name": "tea", "namespace": "tea"},
    }
    return head | (body | {"specs": []} if version == "v1alpha1" else {"spec": body | {"rules": []}})


def test_a_port_survives_an_edit_in_a_version_without_it() -> None:
    newest = convert(target("v1alpha1", port=8080), "access.smi-spec.io/v1alpha3")
    newest["spec"]["sources"] = []
    old = convert(newest, "access.smi-spec.io/v1alpha2")
    assert old["spec"]["destination"]["port"] == 8080
    assert "annotations" not in old["metadata"]


def test_an_annotation_that_is_no_port_stays_an_annotation() -> None:
    newest = target("v1alpha4")
    newest["metadata"]["annotations"] = {DESTINATION_PORT: "080"}
    old = convert(newest, "access.smi-spec.io/v1alpha2")
    assert "port" not in old["spec"]["destination"]
    assert convert(old, newest["apiVersion"]) == newest


def test_groups_of_subjects_come_back_to_their_subjects() -> None:
    newest = target("v1alpha4")
    newest["spec"]["sources"] = [
        {"kind": "IdentityBinding", "name": "a", "group": "access.smi-spec.io"},
        {"kind": "IdentityBinding", "name": "a"},
    ]
    old = convert(newest, "access.smi-spec.io/v1alpha3")
    assert all("group" not in source for source in old["spec"]["sources"])
    assert convert(old, newest["apiVersion"]) == newest


def route(spec: Any, version: str = "v1alpha4", kind: str = "TCPRoute") -> dict[str, Any]:
    made = {"apiVersion": f"specs.smi-spec.io/{version}", "kind": kind, "metadata": {"name": "r", "namespace": "tea"}}
    return made if spec is None else made | {"spec": spec}


@pytest.mark.parametrize("spec", [None, {}, {"matches": {}}, {"matches": {"ports": []}}, {"matches": {"ports": [7]}}])
@pytest.mark.parametrize("old", ["v1alpha1", "v1alpha2", "v1alpha3"])
def test_ports_of_a_route_never_widen(spec: Any, old: str) -> None:
    there = convert(route(spec), f"specs.smi-spec.io/{old}")
    assert there.get("spec") in (None, {})
    assert convert(there, "specs.smi-spec.io/v1alpha4") == route(spec)


def test_a_fieldless_route_is_every_port() -> None:
    newest = convert(route({}, "v1alpha3"), "specs.smi-spec.io/v1alpha4")
    assert newest["spec"] == {"matches": {"ports": []}}


def test_header_filters_do_not_show_in_v1alpha1_and_come_back_after_an_edit() -> None:
    matches = [{"name": "a", "headers": [{"x": "1"}]}, {"name": "b", "pathRegex": "/b"}]
    old = convert(route({"matches": matches}, kind="HTTPRouteGroup"), "specs.smi-spec.io/v1alpha1")
    assert [set(match) for match in old["matches"]] == [{"name"}, {"name", "pathRegex"}]
    old["matches"].reverse()
    newest = convert(old, "specs.smi-spec.io/v1alpha4")
    assert newest["spec"]["matches"] == list(reversed(matches))


@pytest.mark.parametrize("garbage", ["", "{", "7", '["x"]', "[[1]]", "null", '[["s0","half"]]', "[[1,2]]"])
@pytest.mark.parametrize("key", ["quantity-weights", "split-matches", "subject-groups", "header-filters", "route-spec"])
def test_garbage_in_our_annotations_of_a_stored_object_never_hides_it(key: str, garbage: str) -> None:
    for stored in (split("v1alpha4", 1), target("v1alpha4"), route({}), route({"matches": []}, kind="HTTPRouteGroup")):
        stored["metadata"]["annotations"] = {PREFIX + key: garbage}
        for version in KINDS[stored["kind"]].versions:
            assert convert(stored, api(stored, version))["kind"] == stored["kind"]


def test_stale_annotations_do_not_bring_anything_back() -> None:
    stored = split("v1alpha4", 1)
    stored["metadata"]["annotations"] = {f"{PREFIX}split-matches": '[{"kind":"HTTPRouteGroup","name":"x"}]'}
    back = convert(convert(stored, "split.smi-spec.io/v1alpha2"), "split.smi-spec.io/v1alpha4")
    assert "matches" not in back["spec"]


def test_spoilt_header_filters_are_refused_rather_than_lost() -> None:
    newest = route({"matches": [{"name": "a", "headers": [{"x": "1"}]}]}, kind="HTTPRouteGroup")
    old = convert(newest, "specs.smi-spec.io/v1alpha1")
    old["metadata"]["annotations"][f"{PREFIX}header-filters"] = "{"
    with pytest.raises(Unconvertible):
        convert(old, "specs.smi-spec.io/v1alpha4")


@pytest.mark.parametrize(
    ("manifest", "to"),
    [
        (split("v1alpha4"), "split.smi-spec.io/v1alpha9"),
        (split("v1alpha4"), "specs.smi-spec.io/v1alpha4"),
        (split("v1alpha9"), "split.smi-spec.io/v1alpha4"),
        (split("v1alpha1", "half"), "split.smi-spec.io/v1alpha4"),
        (split("v1alpha1", "1", backends="x"), "split.smi-spec.io/v1alpha4"),
        (route({}, kind="UDPRoute"), "specs.smi-spec.io/v1alpha3"),
        ({"kind": "Pod", "apiVersion": "v1"}, "v1"),
    ],
)
def test_what_cannot_be_converted_says_so(manifest: dict[str, Any], to: str) -> None:
    with pytest.raises(Unconvertible):
        convert(manifest, to)


def review(*objects: dict[str, Any], to: str = "split.smi-spec.io/v1alpha4") -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": "u-1", "desiredAPIVersion": to, "objects": list(objects)},
    }


def test_a_review_is_answered_in_order() -> None:
    answer = convert_review(review(split("v1alpha1", "1"), split("v1alpha2", 1)))
    assert (answer["apiVersion"], answer["kind"]) == ("apiextensions.k8s.io/v1", "ConversionReview")
    response = answer["response"]
    assert (response["uid"], response["result"]) == ("u-1", {"status": "Success"})
    assert [weights(manifest) for manifest in response["convertedObjects"]] == [[1000], [1]]


@pytest.mark.parametrize("request_", [review(split("v1alpha1", "half")), {"request": {"uid": "u-1"}}])
def test_a_review_that_fails_says_why(request_: dict[str, Any]) -> None:
    response = convert_review(request_)["response"]
    assert response["uid"] == "u-1"
    assert response["result"]["status"] == "Failed"
    assert response["result"]["message"]
    assert response["convertedObjects"] == []


def test_split_read_in_an_old_version_is_the_split() -> None:
    old = parse(convert(split("v1alpha4", 90, 10), "split.smi-spec.io/v1alpha1"))
    assert isinstance(old, TrafficSplit)
    assert [backend.weight for backend in old.backends] == [90, 10]
