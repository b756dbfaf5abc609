"""The seeded faults: each is described, known to the catalogue and the page, and decides something otherwise."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.embedded.mesh import snapshot
from pytest_smi.embedded.mesh.compiler import compile_policy
from pytest_smi.embedded.mesh.fault import REGISTRY, fault
from pytest_smi.embedded.mesh.faults import listing, semantics_of
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.errors import MeshError
from pytest_smi.spec.catalogue import catalogue
from pytest_smi.spec.convert import DESTINATION_PORT
from pytest_smi.spec.crds import crds
from tests.unit.metrics_objects import everything_told
from tests.unit.refmesh_course import course
from tests.unit.refmesh_objects import (
    POUR,
    STIR,
    account,
    group,
    may,
    meta,
    pod,
    policy,
    port,
    ports,
    rule,
    service,
    shares,
    split,
    target,
    world,
)

PAGE = Path(__file__).parents[2] / "docs" / "kill-matrix.md"
ORDERED = {
    "allow-all",
    "deny-all",
    "ignore-source",
    "ignore-source-namespace",
    "ignore-destination",
    "ignore-path",
    "unanchored-path",
    "ignore-methods",
    "get-implies-head",
    "ignore-headers",
    "headers-or",
    "ignore-ports",
    "matches-omitted-means-none",
    "empty-sources-means-anyone",
    "missing-route-fails-open",
    "never-revoke",
    "stale-route-edit",
    "ignore-weights",
    "weights-as-percent",
    "leak-zero-weight",
    "split-ignores-matches",
    "direct-backend-is-split",
    "503-for-everything",
    "client-side-only-enforcement",
}
MILK = {"name": "milk", "headers": {"X-Milk": "oat", "x-sugar": ".*"}}
BOTH = {"name": "both", "pathRegex": "/both$", "methods": ["PUT", "PATCH"], "headers": {"x-a": "1"}}


def rich() -> snapshot.Snapshot:
    """A world in which every decision of the semantics matters."""
    unknown = {"kind": "Group", "name": "all", "namespace": "tea"}
    binding = {"kind": "IdentityBinding", "name": "ib", "namespace": "tea"}
    objects: list[dict[str, Any]] = [
        group("menu", POUR, STIR, {"name": "any", "pathRegex": "/any", "methods": ["*"]}),
        group("special", MILK, BOTH, {"name": "bad", "pathRegex": "([", "methods": ["GET"]}),
        group("menu", {"name": "wide", "pathRegex": "/wide", "methods": ["GET"]}, namespace="tea2"),
        ports("tcp", 7000),
        ports("udp", 5353, kind="UDPRoute"),
        target("1", ["kettle", "cosy"], rule("menu", "pour", "stir"), rule("special")),
        target("2", ["cosy", unknown], rule("menu"), rule("tcp", kind="TCPRoute"), rule("udp", kind="UDPRoute")),
        target("3", [], rule("menu"), to="china"),
        target("4", ["teapot"], rule("ghost"), rule("menu"), rule("tcp", kind="TCPRoute"), to="china"),
        target("5", [binding], rule("menu"), to="glass"),
        target("6", ["kettle"], rule("menu"), to="glass", annotations={DESTINATION_PORT: "7000"}),
        target("7", ["cosy"], rule("ghost"), rule("menu"), rule("every", kind="TCPRoute"), to="glass"),
        ports("every"),
        {**meta("IdentityBinding", "ib", "tea2"), "spec": {"schemes": {"serviceAccount": "intruder"}}},
        split("s", "pots", ["special", "menu"], china=90, glass=10, teapot=0, ghost=5, small=5),
        split("nested", "china", glass=3, china=1),
        split("percent", "teapot", china=2, glass=1, teapot=0),
        split("far", "outsider", namespace="tea2", china=1),
        split("second", "pots", ["menu"], china=1),
        split("renaming", "brews", renamed=1, glass=2),
        split("every-port", "wide", broad=1),
        *service("wide", "china", ports=[port(8080), port(9090)], app="china"),
        *service("broad", "glass", ports=[port(8080), port(9090)], app="glass"),
        *service("brews", "glass", app="glass"),
        *service("renamed", "china", ports=[port(8080, name="brew")], app="china"),
        *service("small", "glass", ports=[port(9090)], app="glass"),
        *service("same", "china", "glass", pot="yes"),
        pod("twin", account="teapot", number=20, app="teapot"),
        pod("odd", account="odd", number=21, app="kettle"),
    ]
    return world(*objects)


def behaviour(semantics: Semantics) -> tuple[Any, ...]:
    """Everything that a fault could decide otherwise, over the life of some objects."""
    semantics.view(rich())
    edited: dict[str, dict[tuple[str, str], Any]] = {kind: dict(found) for kind, found in rich().objects.items()}
    edited["TrafficTarget"] = {k: v for k, v in edited["TrafficTarget"].items() if k[1] != "1"}
    two = target("2", ["intruder"], rule("menu"))
    two["metadata"]["resourceVersion"] = "2"
    edited["TrafficTarget"]["tea", "2"] = two
    edited["HTTPRouteGroup"] = {**edited["HTTPRouteGroup"], ("tea", "menu"): group("menu", STIR)}
    edited["TrafficSplit"] = {("tea", "percent"): split("percent", "teapot", china=1)}
    old_target = {
        **target("old", ["kettle"], rule("menu"), to={**account("teapot"), "port": 8080}),
        "apiVersion": "access.smi-spec.io/v1alpha2",
    }
    old_split = {
        **meta("TrafficSplit", "old", labels={"leaf": "green"}),
        "apiVersion": "split.smi-spec.io/v1alpha1",
        "spec": {"service": "pots", "backends": [{"service": one, "weight": "2"} for one in ("china", "pots")]},
    }
    nobody = {**target("nobody", [], rule("menu")), "apiVersion": "access.smi-spec.io/v1alpha3"}
    broken = {
        **group("broken", {"name": "bad", "pathRegex": "([", "methods": ["GET"]}),
        "apiVersion": "specs.smi-spec.io/v1alpha3",
    }
    return (
        compile_policy(rich(), semantics),
        compile_policy(snapshot.Snapshot(edited), semantics),
        compile_policy(snapshot.Snapshot({**edited, "TrafficSplit": {}}), semantics),
        semantics.crds(crds()),
        semantics.converted(old_target, "access.smi-spec.io/v1alpha4"),
        semantics.converted(old_split, "split.smi-spec.io/v1alpha4"),
        everything_told(semantics),
        semantics.converted(nobody, "access.smi-spec.io/v1alpha4"),
        semantics.converted(broken, "specs.smi-spec.io/v1alpha4"),
        semantics.resumes(),  # a restart; from here on what was there before may be forgotten
        compile_policy(rich(), semantics),
        *(compile_policy(moment, semantics) for moment in course()),
    )


@cache
def reference() -> tuple[Any, ...]:
    return behaviour(Semantics())


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_fault_decides_something_otherwise(name: str) -> None:
    assert behaviour(semantics_of(name)) != reference()


def test_the_reference_decides_alike_every_time() -> None:
    assert behaviour(Semantics()) == reference()


def test_the_faults_that_were_ordered_are_there() -> None:
    assert set(REGISTRY) >= ORDERED


@pytest.mark.parametrize("one", listing(), ids=lambda one: one["name"])
def test_a_fault_names_requirements_of_the_catalogue(one: dict[str, Any]) -> None:
    known = catalogue()
    assert one["kills"]
    assert not [found for found in one["kills"] if found not in known]
    assert not [prefix for prefix in one["may_touch"] if not any(found.startswith(prefix) for found in known)]
    assert not [found for found in one["kills"] if known[found].level == "open"]
    if one["release"] is None:
        newest = {found: "v1alpha1" if known[found].area == "metrics" else "v1alpha4" for found in one["kills"]}
        assert not [f for f in one["kills"] if known[f].area != "api" and newest[f] not in known[f].versions]


def test_the_page_lists_every_fault_as_it_is_described() -> None:
    rows = [f"| `{one['name']}` | {one['description']} | {', '.join(one['kills'])} |" for one in listing()]
    page = PAGE.read_text("utf-8").splitlines()
    assert [row for row in rows if row not in page] == [], "write it again: python -m tests.kills.matrix"


def test_an_unknown_fault_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(MeshError, match="did you mean ignore-methods"):
        semantics_of("ignore-method")


def test_two_faults_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="deny-all"):
        fault("deny-all", "again", kills=())(Semantics)


def test_never_revoke_forgets_when_another_target_is_created() -> None:
    menu = group("menu", POUR)
    forgetful = semantics_of("never-revoke")
    assert may(policy(menu, target("t", ["kettle"], rule("menu")), semantics=forgetful), "kettle")
    assert may(policy(menu, semantics=forgetful), "kettle")
    assert not may(policy(menu, target("u", ["cosy"], rule("menu")), semantics=forgetful), "kettle")


def test_stale_route_edit_keeps_what_it_saw_first() -> None:
    stale = semantics_of("stale-route-edit")
    tea = target("t", ["kettle"], rule("menu"))
    assert may(policy(group("menu", POUR), tea, semantics=stale), "kettle")
    assert may(policy(group("menu", STIR), tea, semantics=stale), "kettle")
    assert not may(policy(tea, semantics=stale), "kettle")


def test_weights_as_percent_gives_the_rest_to_the_last() -> None:
    assert shares(
        policy(split("s", "pots", china=2, glass=1), semantics=semantics_of("weights-as-percent")), "pots"
    ) == {
        "china": 2,
        "glass": 98,
    }


def test_client_side_enforcement_opens_the_servers() -> None:
    found = policy(
        group("menu", POUR),
        target("t", ["kettle"], rule("menu")),
        semantics=semantics_of("client-side-only-enforcement"),
    )
    assert may(found, "intruder")
    assert found.guards["tea", "teapot", 8080, False]
