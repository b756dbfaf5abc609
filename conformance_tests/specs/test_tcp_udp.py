"""Specs, TCPRoute and UDPRoute."""

import random
from typing import Any

from pytest_smi import (
    ANY,
    HTTPRouteGroup,
    Raw,
    Smi,
    TCPRoute,
    TrafficTarget,
    UDPRoute,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    port,
    requirement,
)


@requirement("TSC-060")
def test_a_tcp_route_without_fields_is_any_tcp(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Before v1alpha4 a TCPRoute has no fields and means TCP on every port."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")]))
    assert_allowed(kettle.tcp(teapot, 7000), kettle.tcp(teapot, 7001))
    assert_denied(intruder.tcp(teapot, 7000))


@requirement("TSC-061")
def test_a_tcp_route_describes_its_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """TCP on the listed ports, and on no other."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [7001, 7002])]))
    assert_allowed(kettle.tcp(teapot, 7001), kettle.tcp(teapot, 7002))
    assert_denied(kettle.tcp(teapot, 7000))


@requirement("TSC-062")
def test_no_ports_are_every_port(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """An empty list means every TCP port of the service."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [])]))
    assert_allowed(*(kettle.tcp(teapot, number) for number in (7000, 7001, 7002)), kettle.banner(teapot))
    assert_denied(intruder.tcp(teapot, 7000))


@requirement("TSC-063")
def test_observe_absent_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Where the API takes a route without `matches`, or without `ports`: every port or none?"""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("bare")]))
    specs: list[dict[str, Any]] = [{}, {"matches": {}}]
    for number, spec in enumerate(specs):
        manifest = {**smi.render(TCPRoute("bare"))[0], "spec": spec}
        smi.observe(f"{spec}: refused", smi.refused(Raw(manifest)) is not None)
        smi.apply(TrafficTarget("good", [kettle], teapot, [HTTPRouteGroup("marks", [ANY(f"/mark-{number}$")])]))
        assert_allowed(kettle.get(teapot, f"/mark-{number}"))
        smi.observe(f"{spec}: TCP is allowed", is_allowed(kettle.tcp(teapot)))


@requirement("TSC-064")
def test_a_udp_route_describes_its_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """UDP on the listed port, and on no other."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [UDPRoute("tea-datagrams", [5530])]))
    assert_allowed(kettle.udp(teapot, 5530))
    assert_denied(kettle.udp(teapot, 5531))


@requirement("TSC-065")
def test_no_udp_ports_are_every_udp_port(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """An empty list means every UDP port of the service."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [UDPRoute("tea-datagrams", [])]))
    assert_allowed(kettle.udp(teapot, 5530), kettle.udp(teapot, 5531))


@requirement("TSC-066")
def test_a_route_says_nothing_about_the_other_protocol(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """A TCPRoute for every port opens no UDP port, and a UDPRoute for every port opens no TCP port."""
    smi.apply(
        TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [])]),
        TrafficTarget("milk", [cosy], teapot, [UDPRoute("milk-datagrams", [])]),
    )
    assert_allowed(kettle.tcp(teapot), cosy.udp(teapot))
    assert_denied(kettle.udp(teapot), cosy.tcp(teapot))


@requirement("TSC-067")
def test_protocols_in_which_the_server_speaks_first_pass(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """A proxy that waits for the client's first bytes to guess the protocol would hang here."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")]))
    assert_allowed(kettle.banner(teapot))
    assert_denied(intruder.banner(teapot))


@requirement("TSC-068")
def test_bytes_are_carried_unaltered(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """A megabyte of random bytes comes back as it was sent, also when the client ends its side of the connection."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")]))
    noise = random.Random(2021).randbytes(700_000).decode("latin-1")  # on the wire every other one takes two bytes
    assert_allowed(kettle.tcp(teapot, body=noise), kettle.half_close(teapot, body=noise), times=1)
    assert_denied(intruder.tcp(teapot), intruder.half_close(teapot))


@requirement("TSC-069")
def test_observe_a_port_of_no_service(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document speaks of ports of a Kubernetes service: what of a port that the pod has and no Service names?"""
    narrow = smi.service(smi.fresh("narrow"), {"pytest-smi.dev/workload": "teapot"}, teapot, ports=[port(7001, "tcp")])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [7000, 7001])]))
    assert_allowed(kettle.tcp(narrow, 7001))
    smi.observe("a port of the pod, by its address", is_allowed(kettle.tcp(smi.scene.at_pod(teapot), 7000)))


@requirement("TSC-070")
def test_impossible_ports_open_nothing(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """0 and 70000 are refused, or stand for no port at all."""
    impossible = TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [0, 70000])])
    smi.observe("refused", smi.refused(impossible) is not None)
    smi.apply(TrafficTarget("good", [cosy], teapot, [TCPRoute("good-ports", [7000])]))
    assert_allowed(cosy.tcp(teapot, 7000))
    assert_denied(kettle.tcp(teapot, 7000), kettle.tcp(teapot, 7001))


@requirement("TSC-071")
def test_one_route_object_may_be_used_by_several_policies(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """Two TrafficTargets refer to one group; an edit of the group reaches both."""
    menu = HTTPRouteGroup("menu", [ANY("/pour$", name="serve")])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [menu]), TrafficTarget("milk", [teapot], cosy, [menu]))
    assert_allowed(kettle.get(teapot, "/pour"), teapot.get(cosy, "/pour"))
    smi.apply(HTTPRouteGroup("menu", [ANY("/stir$", name="serve")]))
    assert_allowed(kettle.get(teapot, "/stir"), teapot.get(cosy, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), teapot.get(cosy, "/pour"))
