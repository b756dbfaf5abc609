"""A course of events in a world with bindings, odd references and late arrivals: what `rich` worlds do not show."""

from __future__ import annotations

from typing import Any

from pytest_smi.embedded.mesh import snapshot
from pytest_smi.embedded.mesh.model import spiffe_id
from pytest_smi.embedded.mesh.snapshot import Snapshot
from tests.unit.refmesh_objects import (
    POUR,
    STIR,
    Manifest,
    account,
    group,
    meta,
    pod,
    port,
    ports,
    rule,
    service,
    split,
    target,
    world,
)

MENU, LATE = rule("menu"), rule("late")


def course() -> list[Snapshot]:
    """The objects at three moments: at first, later, and when one TrafficTarget is there again."""
    first, again = world(*_at_first()), target("first", ["kettle"], MENU)
    objects = {kind: dict(found) for kind, found in first.objects.items()}
    del objects["TrafficTarget"]["tea", "first"]
    for one in _later():
        objects[one["kind"]][one["metadata"]["namespace"], one["metadata"]["name"]] = one
    again["metadata"]["uid"] = "another"
    third = {**objects, "TrafficTarget": {**objects["TrafficTarget"], ("tea", "first"): again}}
    return [first, snapshot.Snapshot(objects), snapshot.Snapshot(third)]


def binding(name: str, namespace: str = "tea", **schemes: Any) -> Manifest:
    return {**meta("IdentityBinding", name, namespace), "spec": {"schemes": schemes}}


def labels(**wanted: str) -> dict[str, Any]:
    return {"matchLabels": wanted}


def bound(name: str, namespace: str = "tea") -> dict[str, str]:
    return {"kind": "IdentityBinding", "name": name, "namespace": namespace}


def _at_first() -> list[Manifest]:
    foreign = spiffe_id("tea2", "kettle")
    return [
        group("menu", POUR, STIR),
        group("menu", POUR, namespace="tea2"),
        group("half", {"name": "half", "pathRegex": "/half"}),
        group("shared", POUR),
        ports("shared", 7000),
        ports("two", 5000, 7000),
        ports("impossible", 0, 70000),
        *_bindings(foreign),
        *_grants(),
        split("counted", "teapot", heavy=1, glass=1),
        *service("heavy", "china", "glass", pot="yes"),
        *service("mapped", "glass", ports=[port(8080, target=9090)], app="glass"),
        pod("alone", account="kettle", number=30, meshed=False),
    ]


def _bindings(foreign: str) -> list[Manifest]:
    later = binding("pots", serviceAccount="teapot")
    later["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    return [
        later,
        binding("pots", "tea2", serviceAccount="teapot"),
        binding("more-pots", podLabelSelector=labels(app="teapot")),
        binding("some", podLabelSelector=labels(app="china", pot="no")),
        binding(
            "clients",
            serviceAccount="kettle",
            spiffeIdentities=[spiffe_id("tea", "cosy"), spiffe_id("tea", "china"), foreign],
        ),
        binding("odd", spiffeIdentities=["*"]),
        target("b1", [bound("clients"), account("intruder")], MENU, to=bound("pots")),
        target("b2", ["kettle"], rule("shared"), to=bound("more-pots")),
        target("b3", ["kettle"], MENU, to=bound("some")),
        target("b4", [bound("odd"), bound("ghost")], MENU, to="china"),
        target("b5", ["kettle"], MENU, to=bound("pots", "tea2"), namespace="tea2"),
    ]


def _grants() -> list[Manifest]:
    return [
        target("first", ["kettle"], MENU),
        target("second", ["kettle"], MENU, rule("half")),
        target("default", ["default", account("kettle", "tea2")], MENU),
        target("ports", ["cosy"], rule("two", kind="TCPRoute"), rule("menu", kind="TCPRoute")),
        target("impossible", ["cosy"], rule("impossible", kind="TCPRoute"), to="glass"),
        target("shared", ["cosy"], rule("shared"), rule("shared", kind="TCPRoute"), to="china"),
        target("ghosts", ["ghost", "kettle"], MENU, to="glass"),
        target("lost", ["kettle"], MENU, to="ghost"),
        target("nothing", ["kettle"], to="glass"),
        target("late", ["cosy"], LATE),
    ]


def _later() -> list[Manifest]:
    (changed, _) = service("teapot", ports=[port(8080), port(9090)])
    return [
        group("late", POUR),
        binding("clients", serviceAccount="cosy"),
        pod("late", account="teapot", number=40, app="teapot"),
        changed,
    ]
