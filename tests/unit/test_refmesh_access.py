"""What TrafficTargets and routes mean to the reference mesh."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.spec.convert import DESTINATION_PORT
from tests.unit.refmesh_objects import (
    POUR,
    STIR,
    account,
    group,
    may,
    meta,
    opens,
    pod,
    policy,
    port,
    ports,
    rule,
    service,
    target,
)

MENU = group("menu", POUR, STIR)
TCP = {"kind": "TCPRoute", "name": "tcp"}
UDP = {"kind": "UDPRoute", "name": "udp"}


def test_without_a_target_every_port_of_a_meshed_pod_is_closed() -> None:
    found = policy()
    teapot = {port: grants for (key, port, _), grants in found.inbound.items() if key == ("tea", "teapot")}
    assert teapot == {8080: (), 7000: (), 5353: ()}


def test_a_pod_without_sidecar_is_not_guarded() -> None:
    assert not [key for key, *_ in policy().inbound if key == ("tea", "outsider")]


def test_a_listed_source_is_let_in_and_nobody_else() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("menu")))
    assert may(found, "kettle")
    assert not may(found, "intruder")
    assert not may(found, "kettle2")


def test_only_the_destination_is_opened() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("menu")))
    assert not may(found, "kettle", to="china")


def test_path_and_method_must_both_fit() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("menu")))
    assert may(found, "kettle", "/stir", "POST")
    assert not may(found, "kettle", "/pour", "POST")
    assert not may(found, "kettle", "/stir", "GET")
    assert not may(found, "kettle", "/pour", "HEAD")


def test_a_path_is_anchored_at_its_start_only() -> None:
    found = policy(
        group("g", {"name": "a", "pathRegex": "/pour|/cup", "methods": ["GET"]}), target("t", ["kettle"], rule("g"))
    )
    assert may(found, "kettle", "/pour/tea")
    assert may(found, "kettle", "/cup/1")
    assert not may(found, "kettle", "/x/pour")


def test_named_matches_are_the_only_ones_that_count() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("menu", "pour")))
    assert may(found, "kettle", "/pour")
    assert not may(found, "kettle", "/stir", "POST")


def test_a_name_that_no_match_has_grants_nothing() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("menu", "ghost")))
    assert not may(found, "kettle")


def test_rules_and_sources_are_alternatives() -> None:
    found = policy(group("a", POUR), group("b", STIR), target("t", ["kettle", "cosy"], rule("a"), rule("b")))
    assert may(found, "kettle", "/pour")
    assert may(found, "cosy", "/stir", "POST")


def test_targets_add_up_without_mixing() -> None:
    found = policy(
        group("a", POUR), group("b", STIR), target("1", ["kettle"], rule("a")), target("2", ["cosy"], rule("b"))
    )
    assert may(found, "kettle", "/pour")
    assert may(found, "cosy", "/stir", "POST")
    assert not may(found, "kettle", "/stir", "POST")
    assert not may(found, "cosy", "/pour")


@pytest.mark.parametrize("missing", ["sources", "rules", "destination"])
def test_a_target_that_lacks_a_part_is_inert(missing: str) -> None:
    one = target("t", ["kettle"], rule("menu"))
    del one["spec"][missing]
    assert not may(policy(MENU, one), "kettle")


def test_empty_sources_let_nobody_in() -> None:
    found = policy(MENU, target("t", [], rule("menu")))
    assert not may(found, "kettle")
    assert not may(found, "intruder")


def test_an_absent_route_grants_nothing_beside_one_that_is_there() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("ghost"), rule("menu", "pour")))
    assert may(found, "kettle", "/pour")
    assert not may(found, "kettle", "/stir", "POST")


def test_an_absent_tcp_route_keeps_http_closed() -> None:
    found = policy(MENU, target("t", ["kettle"], rule("menu"), TCP))
    assert not may(found, "kettle")


def test_kinds_have_name_spaces_of_their_own() -> None:
    found = policy(group("tcp", POUR), target("t", ["kettle"], TCP))
    assert not opens(found, "kettle", 7000)
    assert not may(found, "kettle")


def test_routes_are_looked_up_in_the_targets_namespace() -> None:
    found = policy(group("menu", POUR, namespace="tea2"), target("t", ["kettle"], rule("menu")))
    assert not may(found, "kettle")


def test_a_source_of_an_unknown_kind_is_nobody() -> None:
    found = policy(MENU, target("t", [{"kind": "Group", "name": "kettle", "namespace": "tea"}], rule("menu")))
    assert not may(found, "kettle")


def test_a_source_of_another_namespace_is_let_in_by_its_full_name() -> None:
    found = policy(MENU, target("t", [account("kettle", "tea2")], rule("menu")))
    assert may(found, "kettle2")
    assert not may(found, "kettle")


def test_an_omitted_namespace_is_the_targets_own() -> None:
    found = policy(MENU, target("t", [account("kettle", None)], rule("menu"), to=account("teapot", None)))
    assert may(found, "kettle")
    assert not may(found, "kettle2")


def test_a_target_does_not_open_pods_of_another_namespace() -> None:
    elsewhere = target("t", ["kettle"], rule("menu"), namespace="tea2")
    assert not may(policy(group("menu", POUR, namespace="tea2"), elsewhere), "kettle")


def test_tcp_ports_are_those_listed_and_none_listed_is_all() -> None:
    listed = policy(ports("tcp", 7000), target("t", ["kettle"], TCP))
    assert opens(listed, "kettle", 7000)
    assert not opens(listed, "intruder", 7000)
    assert not opens(policy(ports("tcp", 7001), target("t", ["kettle"], TCP)), "kettle", 7000)
    assert opens(policy(ports("tcp"), target("t", ["kettle"], TCP)), "kettle", 7000)
    assert opens(policy(meta("TCPRoute", "tcp"), target("t", ["kettle"], TCP)), "kettle", 7000)


def test_tcp_and_udp_routes_say_nothing_of_each_other() -> None:
    tcp = policy(ports("tcp"), target("t", ["kettle"], TCP))
    udp = policy(ports("udp", kind="UDPRoute"), target("t", ["kettle"], UDP))
    assert not opens(tcp, "kettle", 5353, udp=True)
    assert not opens(udp, "kettle", 7000)
    assert opens(udp, "kettle", 5353, udp=True)


def test_tcp_ports_and_http_routes_of_one_target_hold_together() -> None:
    elsewhere = policy(MENU, ports("tcp", 7000), target("t", ["kettle"], rule("menu"), TCP))
    assert not may(elsewhere, "kettle")
    assert opens(elsewhere, "kettle", 7000)
    here = policy(MENU, ports("tcp", 8080), target("t", ["kettle"], rule("menu"), TCP))
    assert may(here, "kettle")
    assert not may(here, "kettle", "/admin")


def test_a_tcp_route_alone_opens_http_as_tcp() -> None:
    assert may(policy(ports("tcp", 8080), target("t", ["kettle"], TCP)), "kettle", "/anything")


def test_an_http_route_alone_opens_no_tcp() -> None:
    assert not opens(policy(MENU, target("t", ["kettle"], rule("menu"))), "kettle", 7000)


def test_a_destination_port_of_older_versions_restricts_everything() -> None:
    note = {DESTINATION_PORT: "7000"}
    found = policy(MENU, ports("tcp"), target("t", ["kettle"], rule("menu"), TCP, annotations=note))
    assert not may(found, "kettle")
    assert opens(found, "kettle", 7000)


def test_a_destination_port_that_is_no_number_opens_nothing() -> None:
    one = target("t", ["kettle"], rule("menu"), annotations={DESTINATION_PORT: "web"})
    assert not may(policy(MENU, one), "kettle")


@pytest.mark.parametrize("headers", [{"X-Milk": "^oat$", "x-sugar": ".*"}, [{"X-Milk": "^oat$"}, {"x-sugar": ".*"}]])
def test_header_filters_must_all_hold_in_either_encoding(headers: Any) -> None:
    found = policy(group("g", {"name": "a", "headers": headers}), target("t", ["kettle"], rule("g")))
    assert may(found, "kettle", "/any", "PUT", headers={"x-milk": "oat", "x-sugar": ""})
    assert not may(found, "kettle", headers={"x-milk": "oat"})
    assert not may(found, "kettle", headers={"x-milk": "oatly", "x-sugar": "1"})


def test_a_match_with_only_a_name_grants_nothing() -> None:
    assert not may(policy(group("g", {"name": "a"}), target("t", ["kettle"], rule("g"))), "kettle")


@pytest.mark.parametrize(("given", "method"), [({"pathRegex": "/pour"}, "DELETE"), ({"methods": ["GET"]}, "GET")])
def test_what_a_match_leaves_out_is_free(given: dict[str, Any], method: str) -> None:
    assert may(policy(group("g", {"name": "a", **given}), target("t", ["kettle"], rule("g"))), "kettle", method=method)


def test_an_invalid_pattern_closes_its_match_and_no_other() -> None:
    bad = {"name": "bad", "pathRegex": "([", "methods": ["GET"]}
    worse = {"name": "worse", "headers": {"x y": ".*"}}
    found = policy(group("g", bad, worse, POUR), target("t", ["kettle"], rule("g")))
    assert may(found, "kettle", "/pour")
    assert not may(found, "kettle", "/other")


def test_every_pod_of_the_destination_account_is_opened_and_no_other_behind_its_service() -> None:
    more = [pod("twin", account="teapot", number=20, app="teapot"), pod("odd", number=21, app="teapot")]
    found = policy(*more, MENU, target("t", ["kettle"], rule("menu")))
    assert may(found, "kettle", to="twin")
    assert not may(found, "kettle", to="odd")


def test_ports_come_from_the_services_that_select_a_pod() -> None:
    named = service("named", "teapot", ports=[port(80, "http", "web"), port(9, "tcp", "ghost")], app="teapot")
    plain = service("plain", "teapot", ports=[port(8080, "tcp")], app="teapot")
    teapot = {(number, kind) for key, number, kind in policy(*named, *plain).inbound if key == ("tea", "teapot")}
    assert teapot == {(8080, "http"), (7000, "tcp"), (5353, "udp")}


def binding(name: str = "ib", namespace: str = "tea", **schemes: Any) -> dict[str, Any]:
    return {**meta("IdentityBinding", name, namespace), "spec": {"schemes": schemes}}


IB = {"kind": "IdentityBinding", "group": "access.smi-spec.io", "name": "ib", "namespace": "tea"}


@pytest.mark.parametrize(
    "schemes",
    [
        {"serviceAccount": "kettle"},
        {"podLabelSelector": {"matchLabels": {"app": "kettle"}}},
        {"spiffeIdentities": ["spiffe://cluster.local/ns/tea/sa/kettle"]},
        {"spiffeIdentities": ["cluster.local/ns/tea/sa/kettle"]},
        {"serviceAccount": "cosy", "spiffeIdentities": ["spiffe://cluster.local/ns/tea/sa/kettle"]},
    ],
)
def test_each_scheme_of_a_binding_names_sources(schemes: dict[str, Any]) -> None:
    found = policy(MENU, binding(**schemes), target("t", [IB], rule("menu")))
    assert may(found, "kettle")
    assert not may(found, "intruder")
    assert not may(found, "kettle2")


def test_labels_tell_pods_of_one_account_apart() -> None:
    twin = pod("twin", account="kettle", number=20)
    found = policy(
        twin, MENU, binding(podLabelSelector={"matchLabels": {"app": "twin"}}), target("t", [IB], rule("menu"))
    )
    assert may(found, "twin")
    assert not may(found, "kettle")


def test_the_namespace_bounds_every_scheme() -> None:
    theirs = binding(
        namespace="tea2",
        spiffeIdentities=["spiffe://cluster.local/ns/tea/sa/kettle"],
        podLabelSelector={"matchLabels": {"app": "kettle"}},
    )
    found = policy(MENU, theirs, target("t", [{**IB, "namespace": "tea2"}], rule("menu")))
    assert not may(found, "kettle")


def test_a_binding_elsewhere_or_nowhere_binds_nobody() -> None:
    wanted = target("t", [IB], rule("menu"))
    assert not may(policy(MENU, wanted), "kettle")
    assert not may(policy(MENU, binding(namespace="tea2", serviceAccount="kettle"), wanted), "kettle")


@pytest.mark.parametrize(
    "schemes",
    [
        {"serviceAccount": "teapot"},
        {"podLabelSelector": {"matchLabels": {"app": "teapot"}}},
        {"spiffeIdentities": ["spiffe://cluster.local/ns/tea/sa/teapot"]},
    ],
)
def test_a_binding_can_be_the_destination(schemes: dict[str, Any]) -> None:
    found = policy(MENU, binding(**schemes), target("t", ["kettle"], rule("menu"), to=IB))
    assert may(found, "kettle")
    assert not may(found, "kettle", to="china")


@pytest.mark.parametrize(
    "broken",
    [
        target("b", [{"kind": "ServiceAccount"}], rule("menu")),
        target("b", ["kettle"], {"kind": "HTTPRouteGroup"}),
        target("b", ["kettle"], rule("odd")),
        target("b", ["kettle"], rule("menu"), to={"kind": "ServiceAccount"}),
    ],
)
def test_a_malformed_target_grants_nothing_and_harms_no_other(broken: dict[str, Any]) -> None:
    odd = group("odd", {"name": "odd", "pathRegex": 5, "methods": ["GET"]})
    found = policy(MENU, odd, broken, target("t", ["cosy"], rule("menu")))
    assert may(found, "cosy")
    assert not may(found, "kettle")
