"""One minimal, valid object of each kind, as the documents show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
