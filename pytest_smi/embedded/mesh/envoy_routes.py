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
    CLIENT,
    CONNECTION,
    DESTINATION_HEADER,
    STREAMS,
    Resource,
    format_string,
    service_cluster,
    typed,
)
from pytest_smi.embedded.mesh.envoy_rbac import enforce, enforce_at_client, exact_header, header
from pytest_smi.embedded.mesh.model import ANYONE, Grant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_smi.embedded.mesh.model import Answers, HttpMatch, PodKey, Policy, Protocol, Route, ServicePort


def inbound(policy: Policy) -> Resource:
    """What each port of each meshed pod lets in. A port without grants is not listed, and what is not is refused."""
    addresses = {pod.key: pod.ip for pod in policy.pods}
    refusal = {"direct_response": {"status": 503 if policy.unavailable else 403}}
    everything: list[Resource] = [{"connect_matcher": {}}, {"prefix": "/"}]
    refused = [{"match": match, **refusal} for match in everything]
    hosts = []
    for (key, port, protocol), grants in policy.inbound.items():
        leak = [_leak(protocol, policy.leak)] if policy.leak else []
        if protocol != "udp" and (grants or leak) and not policy.unavailable:
            judged = [_inbound_route(protocol, grants, key, policy.answers)] if grants else refused
            hosts.append(_host(addresses[key], port, [*leak, *judged]))
    return _table("inbound", [*hosts, {"name": "refused", "domains": ["*"], "routes": refused}])


def _inbound_route(protocol: Protocol, grants: Iterable[Grant], pod: PodKey, answers: Answers) -> Resource:
    match: Resource = {"prefix": "/"} if protocol == "http" else {"connect_matcher": {}}
    enforced: Resource = {"match": match, "typed_per_filter_config": enforce(grants)}
    if protocol == "http" and answers != "application":
        return {**enforced, "direct_response": _canned(pod, forged=answers == "forger")}
    forward: Resource = {"cluster": APP, "timeout": "0s"}
    if protocol == "tcp":
        forward["upgrade_configs"] = [{"upgrade_type": "CONNECT", "connect_config": {}}]
    return {**enforced, "route": forward}


def _canned(pod: PodKey, *, forged: bool) -> Resource:
    """An answer of the proxy's own. A forged one says what the sample application would (Envoy 1.40 can do that)."""
    if not forged:
        return {"status": 200, "body": {"inline_string": "welcome\n"}}
    words = f'{{"app":"pytest-smi","pod":"{pod[1]}","id":"%REQ(x-smi-id)%"}}'
    return {"status": 200, "body_format": format_string(words)}


def _leak(protocol: Protocol, percent: int) -> Resource:
    route = _inbound_route(protocol, [Grant(frozenset({ANYONE}))], ("", ""), "application")
    return {**route, "match": {**route["match"], "runtime_fraction": {"default_value": {"numerator": percent}}}}


def services(policy: Policy) -> Resource:
    """Where HTTP requests of meshed clients to each Service port go."""
    hosts = []
    for service in _ports(policy, "http"):
        guard = _guard(policy, service)
        routes = [
            {"match": match, **guard, **_forward(route)}
            for route in policy.routes[service.key]
            for match in _request_matches(route.match)
        ]
        hosts.append(_host(service.cluster_ip, service.port, routes))
    return _table("services", hosts, policy.taken_away)


def streams(policy: Policy) -> Resource:
    """Where TCP connections of meshed clients to each Service port go; the authority names ClusterIP and port."""
    hosts = []
    for service in _ports(policy, "tcp"):
        guard = _guard(policy, service)
        routes = [
            {"match": {"connect_matcher": {}}, **guard, **_forward(route)} for route in policy.routes[service.key]
        ]
        hosts.append(_host(service.cluster_ip, service.port, routes))
    return typed("config.route.v3.RouteConfiguration", name=STREAMS, virtual_hosts=hosts)


def _ports(policy: Policy, protocol: Protocol) -> Iterator[ServicePort]:
    return (service for service in policy.services.values() if service.protocol == protocol)


def _guard(policy: Policy, service: ServicePort) -> Resource:
    grants = policy.guards.get(service.key)
    return {} if grants is None else {"typed_per_filter_config": enforce_at_client(grants, policy.pods)}


def _forward(route: Route) -> Resource:
    shares = route.shares
    if not shares:
        return {"direct_response": {"status": 503}}
    if len(shares) == 1:
        return {"route": {"cluster": service_cluster(shares[0][0]), "timeout": "0s"}}
    clusters = [{"name": service_cluster(key), "weight": weight} for key, weight in shares]
    weighted: Resource = {"clusters": clusters}
    if route.choice == "request":
        return {"route": {"weighted_clusters": weighted, "timeout": "0s"}}
    sticky = {"filter_state": {"key": CLIENT if route.choice == "client" else CONNECTION}}
    weighted["use_hash_policy"] = True
    return {"route": {"weighted_clusters": weighted, "hash_policy": [sticky], "timeout": "0s"}}


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


def _host(ip: str, port: int, routes: list[Resource]) -> Resource:
    name = f"{ip}:{port}"
    return {"name": name, "domains": [name], "routes": routes}


def _table(name: str, hosts: list[Resource], taken_away: Iterable[str] = ()) -> Resource:
    """Routes are found by the address that the client connected to, never by what it wrote into `Host`."""
    return typed(
        "config.route.v3.RouteConfiguration",
        name=name,
        vhost_header=DESTINATION_HEADER,
        request_headers_to_remove=[DESTINATION_HEADER, *taken_away],
        virtual_hosts=hosts,
    )
