"""Neutral resources: pleasant to write, frozen, comparable."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from pytest_smi.spec import resources
from pytest_smi.spec.resources import (
    ANY,
    GET,
    POST,
    Backend,
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Match,
    RouteRef,
    Rule,
    TCPRoute,
    TrafficSplit,
    TrafficTarget,
    UDPRoute,
)


class Workload:
    def __init__(self, name: str) -> None:
        self.identity = Identity(name, "tea")
        self.service_name = name


KETTLE, TEAPOT = Workload("kettle"), Workload("teapot")


def test_a_workload_stands_for_its_identity() -> None:
    target = TrafficTarget("tea", sources=[KETTLE], destination=TEAPOT, rules=[GET("/pour$")])
    assert target.sources == (Identity("kettle", "tea"),)
    assert target.destination == Identity("teapot", "tea")


def test_something_without_identity_is_refused_as_a_subject() -> None:
    with pytest.raises(TypeError, match="no subject"):
        TrafficTarget("tea", sources=["kettle"], destination=TEAPOT, rules=[])  # type: ignore[list-item]


def test_a_binding_is_a_subject_of_its_own_kind_and_group() -> None:
    binding = IdentityBinding("teapot-id", service_account="teapot", namespace="tea")
    target = TrafficTarget("tea", sources=[KETTLE], destination=binding, rules=[])
    assert target.destination == Identity("teapot-id", "tea", "IdentityBinding", "access.smi-spec.io")


def test_a_whole_group_becomes_a_rule_that_names_each_match() -> None:
    menu = HTTPRouteGroup("menu", [GET("/pour$", name="pour"), GET("/stir$"), GET("/stir$")])
    (rule,) = TrafficTarget("tea", [KETTLE], TEAPOT, [menu]).rules
    assert rule == Rule(menu, ["pour", "get-stir", "get-stir-2"])
    assert menu.reference == Rule(RouteRef("HTTPRouteGroup", "menu"), ["pour", "get-stir", "get-stir-2"])


def test_a_rule_without_matches_is_written_on_demand_only() -> None:
    menu = HTTPRouteGroup("menu", [GET("/pour$")])
    assert [
        one.matches for one in TrafficTarget("tea", [KETTLE], TEAPOT, [Rule(menu)]).rules if isinstance(one, Rule)
    ] == [None]


def test_route_objects_become_rules_and_bare_matches_stay() -> None:
    ports = TCPRoute("ports", [7000])
    target = TrafficTarget("tea", [KETTLE], TEAPOT, [GET("/pour$"), ports, RouteRef("HTTPRouteGroup", "ghost")])
    assert target.rules == (GET("/pour$"), Rule(ports), Rule(RouteRef("HTTPRouteGroup", "ghost")))


def test_a_rule_takes_matches_by_name_or_as_objects() -> None:
    pour = GET("/pour$", name="pour")
    group = HTTPRouteGroup("routes", [pour, POST("/stir$", name="stir")])
    assert Rule(group, [pour, "stir"]).matches == ("pour", "stir")


def test_a_rule_refuses_a_match_without_a_name() -> None:
    with pytest.raises(ValueError, match="give the Match a name"):
        Rule(HTTPRouteGroup("routes"), [GET("/pour$")])


def test_backends_may_be_a_mapping_and_services_workloads() -> None:
    split = TrafficSplit("ts", TEAPOT, {"china": 90, "glass": 10})
    assert split.service == "teapot"
    assert split.backends == (Backend("china", 90), Backend("glass", 10))
    assert Backend(KETTLE, 1).service == "kettle"


@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_each_verb_makes_a_match_of_that_method_only(verb: str) -> None:
    match = getattr(resources, verb)("/pour$", name="pour", headers={"x-milk": "^oat$"})
    assert match == Match("pour", "/pour$", [verb], {"x-milk": "^oat$"})


def test_any_without_arguments_is_everything() -> None:
    assert ANY() == Match(path=".*", methods=["*"])


def test_the_order_in_which_headers_are_written_does_not_matter() -> None:
    assert Match(headers={"a": "1", "b": "2"}) == Match(headers=[("b", "2"), ("a", "1")])


def test_two_filters_of_one_header_are_both_kept() -> None:
    assert Match(headers=[("x-milk", "^o"), ("x-milk", "t$")]).headers == (("x-milk", "^o"), ("x-milk", "t$"))


def test_generated_match_names_say_what_matches_and_do_not_collide() -> None:
    first = GET("/pour$").named([])
    second = GET("/pour/$").named(["get-pour"])
    assert (first.name, second.name) == ("get-pour", "get-pour-2")
    assert ANY().named([]).name == "any-any"
    assert Match().named([]).name == "match"
    assert GET(name="mine").named(["mine"]).name == "mine"


def test_tcp_and_udp_routes_of_one_name_differ() -> None:
    routes: list[object] = [TCPRoute("x", [1]), UDPRoute("x", [1])]
    assert routes[0] != routes[1]


def test_resources_are_frozen_hashable_and_travel_between_processes() -> None:
    target = TrafficTarget("tea", [KETTLE], TEAPOT, [GET("/pour$", headers={"x": "y"}), TCPRoute("t", [1])])
    assert pickle.loads(pickle.dumps(target)) == target
    assert hash(target) == hash(dataclasses.replace(target))
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.name = "other"  # type: ignore[misc]
