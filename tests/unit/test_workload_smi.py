"""The context of a test, as far as it needs no cluster: versions, kinds, names."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.evidence import Case
from pytest_smi.spec.releases import ApiVersions
from pytest_smi.spec.resources import GET, HTTPRouteGroup, Raw
from pytest_smi.workload.smi import Smi
from tests.unit.fakes import INSTANCE

NEWEST = ApiVersions("v1alpha4", "v1alpha4", "v1alpha4")
OLDEST = ApiVersions("v1alpha1", "v1alpha2", "v1alpha3")


def context(versions: ApiVersions, *absent: str, served: Any = ("v1alpha1", "v1alpha2", "v1alpha4")) -> Smi:
    """The context of a run against a mesh that serves these specs versions and declares these features absent."""
    onboarding = SimpleNamespace(by_protocol=SimpleNamespace(protocols=()))
    profile = SimpleNamespace(
        settle=SimpleNamespace(),
        onboarding=onboarding,
        features=SimpleNamespace(absent=absent),
        versions=SimpleNamespace(specs=served),
    )
    encodings = {"v1alpha4": "map"}
    mesh: Any = SimpleNamespace(profile=profile, header_encoding=lambda _, specs: encodings.get(specs, "array"))
    scene: Any = SimpleNamespace(namespace="tea", run="1", numbers=count(1), cluster=SimpleNamespace(api=None))
    return Smi(scene, mesh, Case(INSTANCE), versions, "array")


def test_kinds_are_those_of_the_versions_without_what_is_absent() -> None:
    assert context(NEWEST).kinds() == [
        *("TrafficTarget", "IdentityBinding", "HTTPRouteGroup", "TCPRoute", "UDPRoute", "TrafficSplit")
    ]
    assert context(NEWEST, "udp", "identity-binding").kinds() == [
        *("TrafficTarget", "HTTPRouteGroup", "TCPRoute", "TrafficSplit")
    ]
    assert "UDPRoute" not in context(OLDEST).kinds()


def test_specs_versions_of_a_pair_are_served_and_declared_compatible() -> None:
    assert context(OLDEST).specs_for("access") == ["v1alpha1", "v1alpha2"]
    assert context(NEWEST).specs_for("access") == ["v1alpha4"]
    assert context(OLDEST, served=("v1alpha4",)).specs_for("access") == []


def test_other_versions_are_written_for_the_length_of_a_block() -> None:
    smi = context(OLDEST)
    group = HTTPRouteGroup("menu", [GET("/pour$", name="pour", headers={"x-milk": "oat"})])
    with smi.writing(specs="v1alpha4"):
        (inside,) = smi.render(group)
    (outside,) = smi.render(group)
    assert inside["spec"]["matches"][0]["headers"] == {"x-milk": "oat"}
    assert outside["matches"][0]["headers"] == [{"x-milk": "oat"}]


def test_fresh_names_are_never_given_twice() -> None:
    smi = context(NEWEST)
    assert (smi.fresh("root"), smi.fresh("root")) == ("root-1", "root-2")


def test_what_a_mesh_lacks_makes_a_test_unsupported() -> None:
    with pytest.raises(pytest.skip.Exception, match="unsupported: conversion: one version is served"):
        context(NEWEST).lacks("conversion", "one version is served")


def test_malformed_objects_are_tried_in_a_dry_run_and_left_no_trace_of() -> None:
    smi = context(NEWEST)
    asked: list[dict[str, Any]] = []

    def write(manifest: dict[str, Any], **query: Any) -> dict[str, Any]:
        asked.append(query)
        return manifest

    smi.scene.cluster = cast("Any", SimpleNamespace(api=SimpleNamespace(write=write)))
    (manifest,) = smi.render(HTTPRouteGroup("menu", [GET("/pour$")]))
    assert smi.tried(Raw(manifest)) == manifest
    assert asked == [{"dryRun": "All"}]
    assert smi.applied == {}
