"""The three route tables (RDS), where policy and splits live so that open connections obey a change at once.

`inbound` is what the server sidecars enforce, `services` where HTTP requests to a ClusterIP go, `streams` where TCP
connections to a ClusterIP go; these travel as CONNECT requests inside Envoy and between sidecars, so that they are
decided before the server is reached, also when it would speak first. One table each, because Envoy spends an inotify
instance on each file it watches, and Linux has 128 of them for a user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.envoy_base import (
    APP,
    STREAMS,
    Resource,
    action,
    matcher_input,
    matcher_map,
    service_cluster,
    typed,
)
from pytest_smi.embedded.mesh.envoy_rbac import enforce, enforce_at_client, exact_header, header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_smi.embedded.mesh.model import Grant, HttpMatch, Policy, Protocol, Route, ServicePort, Shares

_Table = dict[str, dict[str, Resource]]


def inbound(policy: Policy) -> Resource:
    """What each port of each meshed pod lets in. Ports that are missing here answer 404: closed."""
    addresses = {pod.key: pod.ip for pod in policy.pods}
    table: _Table = {}
    for (key, port, protocol), grants in policy.inbound.items():
        if protocol != "udp":
            route = _inbound_route(protocol, grants, unavailable=policy.unavailable)
            table.setdefault(addresses[key], {})[str(port)] = action("route", route)
    return _configuration("inbound", [_by_destination(table)] if table else [])


def _inbound_route(protocol: Protocol, grants: Iterable[Grant], *, unavailable: bool) -> Resource:
    match: Resource = {"prefix": "/"} if protocol == "http" else {"connect_matcher": {}}
    forward: Resource = {"cluster": APP, "timeout": "0s"}
    if protocol == "tcp":
        forward["upgrade_configs"] = [{"upgrade_type": "CONNECT", "connect_config": {}}]
    answer: Resource = {"direct_response": {"status": 503}} if unavailable else {"route": forward}
    return typed("config.route.v3.Route", match=match, typed_per_filter_config=enforce(grants), **answer)


def services(policy: Policy) -> Resource:
    """Where HTTP requests of meshed clients to each Service port go."""
    table: _Table = {}
    for service in _ports(policy, "http"):
        guard = _guard(policy, service)
        routes = [
            typed("config.route.v3.Route", match=match, **guard, **_forward(route.shares))
            for route in policy.routes[service.key]
            for match in _request_matches(route.match)
        ]
        found = action("routes", typed("config.route.v3.RouteList", routes=routes))
        table.setdefault(service.cluster_ip, {})[str(service.port)] = found
    return _configuration("services", [_by_destination(table)] if table else [])


def streams(policy: Policy) -> Resource:
    """Where TCP connections of meshed clients to each Service port go; the authority names ClusterIP and port."""
    hosts = []
    for service in _ports(policy, "tcp"):
        guard = _guard(policy, service)
        routes = [
            {"match": {"connect_matcher": {}}, **guard, **_forward(route.shares)}
            for route in policy.routes[service.key]
        ]
        domain = f"{service.cluster_ip}:{service.port}"
        hosts.append({"name": domain, "domains": [domain], "routes": routes})
    return typed("config.route.v3.RouteConfiguration", name=STREAMS, virtual_hosts=hosts)


def _ports(policy: Policy, protocol: Protocol) -> Iterator[ServicePort]:
    return (service for service in policy.services.values() if service.protocol == protocol)


def _guard(policy: Policy, service: ServicePort) -> Resource:
    grants = policy.guards.get(service.key)
    return {} if grants is None else {"typed_per_filter_config": enforce_at_client(grants, policy.pods)}


def _forward(shares: Shares) -> Resource:
    if not shares:
        return {"direct_response": {"status": 503}}
    if len(shares) == 1:
        return {"route": {"cluster": service_cluster(shares[0][0]), "timeout": "0s"}}
    clusters = [{"name": service_cluster(key), "weight": weight} for key, weight in shares]
    return {"route": {"weighted_clusters": {"clusters": clusters}, "timeout": "0s"}}


def _request_matches(match: HttpMatch | None) -> list[Resource]:
    """Envoy route matches, any of which is the match. They take the path without its query, as `permission` does."""
    if match is None:
        return [{"prefix": "/"}]
    path: Resource = {"prefix": "/"} if match.path is None else {"safe_regex": {"regex": match.path}}
    headers = [header(name, pattern) for name, pattern in match.headers]
    alternatives = [[one] for one in headers] if match.any_header and headers else [headers]
    methods = [None] if match.methods is None else sorted(match.methods)
    return [
        {**path, "headers": [*chosen, *([exact_header(":method", method)] if method else [])]}
        for chosen in alternatives
        for method in methods
    ]


def _by_destination(table: _Table) -> Resource:
    """A virtual host that finds its route by the address and port that the client connected to, never by a header."""
    addresses = {
        ip: {"matcher": matcher_map(matcher_input("network.v3.DestinationPortInput"), ports)}
        for ip, ports in table.items()
    }
    matcher = matcher_map(matcher_input("network.v3.DestinationIPInput"), addresses)
    return {"name": "all", "domains": ["*"], "matcher": matcher}


def _configuration(name: str, hosts: list[Resource]) -> Resource:
    return typed("config.route.v3.RouteConfiguration", name=name, virtual_hosts=hosts)
