"""Access, ports and protocols: what TCPRoute, UDPRoute and `destination.port` open. Service ports equal pod ports."""

from pytest_smi import (
    ANY,
    HTTPRouteGroup,
    Smi,
    TCPRoute,
    TrafficTarget,
    UDPRoute,
    Workload,
    assert_allowed,
    assert_denied,
    assert_that,
    is_allowed,
    port,
    requirement,
)


@requirement("TA-040")
def test_the_destinations_port_restricts_the_grant(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """`destination.port` 8080 opens 8080 and leaves 9090 closed for the same path."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")], port=8080))
    assert_allowed(kettle.get(teapot, "/pour", port=8080))
    assert_denied(kettle.get(teapot, "/pour", port=9090))


@requirement("TA-041")
def test_without_a_port_every_port_is_meant(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """`destination.port` absent opens every port of the destination."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour", port=8080), kettle.get(teapot, "/pour", port=9090))


@requirement("TA-042")
def test_a_tcp_route_restricts_to_its_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A TCPRoute with one port opens that port only."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [7000])]))
    assert_allowed(kettle.tcp(teapot, 7000))
    assert_denied(kettle.tcp(teapot, 7001))


@requirement("TA-043")
def test_a_tcp_route_without_ports_means_every_port(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """No port specified opens all TCP ports."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [])]))
    assert_allowed(kettle.tcp(teapot, 7000), kettle.tcp(teapot, 7001))


@requirement("TA-044")
def test_each_of_several_ports_is_allowed(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A list of ports opens each of them and no other."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [7000, 7001])]))
    assert_allowed(kettle.tcp(teapot, 7000), kettle.tcp(teapot, 7001))
    assert_denied(kettle.tcp(teapot, 7002))


@requirement("TA-045")
def test_the_documents_layer_4_example_allows_its_tcp_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """TCP passes on all three ports that the example lists."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [7000, 7001, 7002])]))
    assert_allowed(*(kettle.tcp(teapot, number) for number in (7000, 7001, 7002)))


@requirement("TA-046")
def test_the_documents_layer_4_example_allows_its_udp_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """UDP passes on both ports that the example lists."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [UDPRoute("tea-datagrams", [5530, 5531])]))
    assert_allowed(kettle.udp(teapot, 5530), kettle.udp(teapot, 5531))


@requirement("TA-047")
def test_a_port_is_open_for_the_protocol_of_its_route_only(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A port that only the TCPRoute lists takes no UDP, and one that only the UDPRoute lists takes no TCP."""
    tcp, udp = TCPRoute("tea-ports", [7000, 5531]), UDPRoute("tea-datagrams", [5530, 7001])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [tcp, udp]))
    assert_allowed(kettle.tcp(teapot, 7000), kettle.udp(teapot, 5530))
    assert_denied(kettle.udp(teapot, 5531), kettle.tcp(teapot, 7001))


@requirement("TA-048")
def test_a_tcp_route_beside_http_routes_narrows_them_to_its_ports(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """As in the document's example: HTTP is allowed on the listed port and route, not on either alone."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [8080]), ANY("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour", port=8080))
    assert_denied(kettle.get(teapot, "/pour", port=9090), kettle.get(teapot, "/admin", port=8080))


@requirement("TA-049")
def test_http_routes_alone_hold_on_every_port(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Without a TCPRoute the routes are open on each HTTP port, and nothing else is."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour", port=8080), kettle.get(teapot, "/pour", port=9090))
    assert_denied(kettle.get(teapot, "/admin", port=8080), kettle.get(teapot, "/admin", port=9090))


@requirement("TA-050")
def test_a_tcp_route_alone_allows_raw_tcp(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Listed sources may speak TCP; others may not."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")]))
    assert_allowed(kettle.tcp(teapot))
    assert_denied(intruder.tcp(teapot))


@requirement("TA-051")
def test_observe_http_on_a_port_of_a_tcp_route(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document does not say whether a TCPRoute alone lets HTTP through on its port."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [8080, 7000])]))
    assert_allowed(kettle.tcp(teapot, 7000))
    smi.observe("HTTP is allowed on a port that only a TCPRoute lists", is_allowed(kettle.get(teapot, port=8080)))


@requirement("TA-052")
def test_http_routes_let_no_other_bytes_through(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """With an HTTPRouteGroup alone a line that is no HTTP does not reach the application, which would complain."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot))
    answer = kettle.raw(teapot, b"smi-id: {id}\r\n\r\n").within(0.3).send()[0].body
    assert_that(smi, teapot.pod.name not in answer, "bytes that are no HTTP do not reach the application", answer)


@requirement("TA-053")
def test_port_grants_of_two_traffic_targets_do_not_mix(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """The sources of one TrafficTarget do not get the ports of another."""
    smi.apply(
        TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [7000])]),
        TrafficTarget("milk", [cosy], teapot, [TCPRoute("milk-ports", [7001])]),
    )
    assert_allowed(kettle.tcp(teapot, 7000), cosy.tcp(teapot, 7001))
    assert_denied(kettle.tcp(teapot, 7001), cosy.tcp(teapot, 7000))


@requirement("TA-054")
def test_a_tcp_route_and_the_destinations_port_mean_tcp_on_that_port(
    smi: Smi, kettle: Workload, teapot: Workload
) -> None:
    """Where a TCPRoute has no fields, `destination.port` says which port takes TCP."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")], port=7000))
    assert_allowed(kettle.tcp(teapot, 7000))
    assert_denied(kettle.tcp(teapot, 7001))


@requirement("TA-055")
def test_observe_whether_ports_are_of_the_service_or_of_the_pod(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A Service maps 8000 to 7000: a rule for which of the two opens it?"""
    ports, name = [port(8000, "tcp", 7000), port(8080)], smi.fresh("mapped")
    mapped = smi.service(name, {"pytest-smi.dev/workload": "teapot"}, teapot, ports=ports)
    for whose, number in (("the Service's port opens it", 8000), ("the pod's port opens it", 7000)):
        smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports", [number, 7001])]))
        smi.apply(TrafficTarget("mark", [kettle], teapot, [HTTPRouteGroup("mark", [ANY(f"/mark-{number}$")])]))
        assert_allowed(kettle.get(mapped, f"/mark-{number}"))
        smi.observe(whose, is_allowed(kettle.tcp(mapped, 8000)))


@requirement("TA-056")
def test_tcp_and_udp_routes_may_be_mixed(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """One TrafficTarget with a rule of each kind opens the ports of each for its own protocol."""
    tcp, udp = TCPRoute("tea-ports", [7000]), UDPRoute("tea-datagrams", [5530])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [tcp, udp]))
    assert_allowed(kettle.tcp(teapot, 7000), kettle.udp(teapot, 5530))
    assert_denied(kettle.tcp(teapot, 7001), kettle.udp(teapot, 5531))
