"""One minimal, valid object of each kind, and manifests taken apart, wherever a version keeps its fields."""

import copy
from collections.abc import Callable
from typing import Any

from pytest_smi import (
    GET,
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
    assert_that,
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


def example_of(smi: Smi, kind: str) -> Resource:
    """A minimal object of a kind, as the documents show it in this version."""
    if kind == "TCPRoute" and smi.versions.specs != "v1alpha4":
        return TCPRoute("example")
    return _EXAMPLES[kind]()


def without(manifest: dict[str, Any], *path: str) -> dict[str, Any]:
    """A copy of a manifest that lacks one field."""
    body = copy.deepcopy(manifest)
    place = body
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return body


def with_value(manifest: dict[str, Any], value: Any, *path: str | int) -> dict[str, Any]:
    """A copy of a manifest with one field set."""
    body: Any = copy.deepcopy(manifest)
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return dict(body)


def body_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """What an author wrote: everything but the metadata, and the status that a mesh may add (API-028)."""
    return {key: value for key, value in manifest.items() if key not in ("metadata", "status")}


def write_back(smi: Smi, path: str) -> None:
    """Read the object at a path and write it there again as it is: what the API server shows it has to take."""
    reply = smi.api.request("PUT", path, smi.api.get(path))
    assert_that(smi, reply.code == 200, f"what was read at {path} can be written there", reply.body)


def target_of(smi: Smi) -> tuple[str, ...]:
    """Where a TrafficTarget of this version has its fields."""
    return () if smi.versions.access == "v1alpha1" else ("spec",)


def rules_of(smi: Smi) -> tuple[str, ...]:
    """Where a TrafficTarget of this version has its rules."""
    return (*target_of(smi), "specs" if smi.versions.access == "v1alpha1" else "rules")


def matches_of(smi: Smi) -> tuple[str, ...]:
    """Where an HTTPRouteGroup of this version has its matches."""
    return ("matches",) if smi.versions.specs in ("v1alpha1", "v1alpha2") else ("spec", "matches")
