"""One minimal, valid object of each kind, as the documents show it, and what the live CRD says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smi import (
    GET,
    KINDS,
    Backend,
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Resource,
    RouteRef,
    Rule,
    Smi,
    TCPRoute,
    TrafficSplit,
    TrafficTarget,
    UDPRoute,
)


def _target() -> TrafficTarget:
    return TrafficTarget(
        "example",
        sources=[Identity("kettle")],
        destination=Identity("teapot"),
        rules=[Rule(RouteRef("HTTPRouteGroup", "routes"), matches=["pour"])],
    )


_EXAMPLES: dict[str, Callable[[], Resource]] = {
    "TrafficTarget": _target,
    "HTTPRouteGroup": lambda: HTTPRouteGroup("example", [GET("/pour$", name="pour")]),
    "TCPRoute": lambda: TCPRoute("example", [8080]),
    "UDPRoute": lambda: UDPRoute("example", [5530]),
    "TrafficSplit": lambda: TrafficSplit("example", "root", [Backend("china", 90), Backend("glass", 10)]),
    "IdentityBinding": lambda: IdentityBinding("example", service_account="teapot"),
}


@pytest.fixture
def example(smi: Smi) -> Resource:
    """The example of the kind under judgement."""
    assert smi.kind is not None
    if smi.kind == "TCPRoute" and smi.versions.specs != "v1alpha4":
        return TCPRoute("example")
    return _EXAMPLES[smi.kind]()


@pytest.fixture
def definition(smi: Smi) -> dict[str, Any]:
    """The live CRD of the kind under judgement, or an empty object."""
    assert smi.kind is not None
    name = f"{KINDS[smi.kind].plural}.{KINDS[smi.kind].group}"
    return smi.api.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}") or {}


@pytest.fixture
def schema(smi: Smi, definition: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """What the live CRD's schema says of a field in this version: `schema("spec", "backends", "weight")`.

    Lists are stepped into; a field that the schema does not know gives an empty object.
    """
    assert smi.kind is not None
    version = smi.api_version(smi.kind).split("/")[1]
    schemas = {one["name"]: one.get("schema", {}).get("openAPIV3Schema", {}) for one in definition["spec"]["versions"]}

    def said_of(*path: str) -> dict[str, Any]:
        place: dict[str, Any] = schemas.get(version, {})
        for name in path:
            place = place.get("items", place).get("properties", {}).get(name, {})
        return place

    return said_of
