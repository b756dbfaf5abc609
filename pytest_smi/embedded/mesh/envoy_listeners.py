"""Listeners (LDS). They follow pods and Services only; nothing in here changes with policy.

One listener for each meshed pod on its pod IP, with all its ports: connections from private addresses are other
sidecars and must bring a certificate, as must any from outside of the mesh; all others are the pod's neighbours talking
plainly, and are handed to the sidecar of whoever sent them. One for each Service on its ClusterIP, and three inside
Envoy (see `internals`).
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.envoy_base import (
    CLIENT,
    CONNECTION,
    DESTINATION,
    DESTINATION_HEADER,
    PLAIN,
    SIDECAR,
    STREAMS,
    TO_SIDECAR,
    TO_SIDECAR_TUNNEL,
    TO_STREAMS,
    Resource,
    action,
    client_state,
    extension,
    file_source,
    format_string,
    kube_cluster,
    matcher_input,
    matcher_map,
    sidecar_cluster,
    socket_address,
    tls_context,
    typed,
)
from pytest_smi.embedded.mesh.envoy_rbac import RBAC
from pytest_smi.embedded.mesh.metrics_log import access_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_smi.embedded.mesh.model import Pod, Policy, Protocol, ServicePort

_Ports = "dict[int, Protocol]"
_LOOPBACK_HOST = "127.0.0.0/16"
_STRANGERS_SECONDS = "0.5s"
_CLIENT_ADDRESS = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:0"
_LOCAL_ADDRESS = "%DOWNSTREAM_LOCAL_ADDRESS%"
# Headers by which a client could steer Envoy's router or pose as a proxy in front of us.
_STEERING = (
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
)


def listeners(policy: Policy, directory: Path) -> list[Resource]:
    """All listeners. Route tables are watched in `directory`, certificates read from its folder `tls`."""
    ports: dict[tuple[str, str], dict[int, Protocol]] = {}
    for key, number, protocol in policy.inbound:
        if protocol != "udp":
            ports.setdefault(key, {})[number] = protocol
    services: dict[tuple[str, str], list[ServicePort]] = {}
    for service in policy.services.values():
        if service.protocol != "udp":
            services.setdefault((service.namespace, service.service), []).append(service)
    outside = [f"{pod.ip}/32" for pod in policy.pods if not pod.meshed]
    return [
        *internals(policy, directory),
        *(_pod(pod, ports[pod.key], outside, directory) for pod in policy.pods if pod.key in ports),
        *(_service(list(of_one), outside, directory) for of_one in services.values()),
    ]


def internals(policy: Policy, directory: Path) -> list[Resource]:
    """The listeners inside Envoy: `streams`, `plain` and `sidecar`.

    `streams` shares out TCP connections by the route table of that name. `plain` unwraps a TCP connection towards a pod
    that has no sidecar. `sidecar` sends on what it gets under the certificate of the pod whose address comes along as
    filter state; without a pod of that address it closes.
    """
    unwrap = {
        "match": {"connect_matcher": {}},
        "route": {"cluster": PLAIN, "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    }
    hosts = [{"name": PLAIN, "domains": ["*"], "routes": [unwrap]}]
    # Clusters are written first, but at the very start Envoy may look at the listeners first.
    table = {"name": PLAIN, "virtual_hosts": hosts, "validate_clusters": False}
    meshed = [pod for pod in policy.pods if pod.meshed]
    return [
        _inside(STREAMS, [_chain(STREAMS, _http(STREAMS, directory, tunnel=True))]),
        _inside(PLAIN, [_chain(PLAIN, _manager(tunnel=True, route_config=table))]),
        *([_sidecar(meshed)] if meshed else []),
    ]


def _sidecar(meshed: list[Pod]) -> Resource:
    chains = [_chain(pod.ip, _tcp_proxy(sidecar_cluster(pod.key))) for pod in meshed]
    source = matcher_input("network.v3.FilterStateInput", key=CLIENT)
    by_client = matcher_map(source, {client_state(pod): _chosen(pod.ip) for pod in meshed})
    return _inside(SIDECAR, chains, filter_chain_matcher=by_client)


def _inside(name: str, chains: list[Resource], **fields: Any) -> Resource:
    """A listener inside Envoy; the address to go on to comes with the connection."""
    original = extension("original-dst", "filters.listener.original_dst.v3.OriginalDst")
    return _listener(name, internal_listener={}, listener_filters=[original], filter_chains=chains, **fields)


def _pod(pod: Pod, ports: Mapping[int, Protocol], outside: list[str], directory: Path) -> Resource:
    """A meshed pod's listener: from sidecars (`http`, `tcp`) by mutual TLS, from pods that dial it plainly (`dial-…`)
    through theirs. Whoever is `outside` meets mutual TLS too, and is cut off if it brings no certificate soon.
    """
    to_app = _set_state({DESTINATION: f"{pod.private}:%DOWNSTREAM_LOCAL_PORT%"})
    dialled = _set_state({DESTINATION: _LOCAL_ADDRESS}, client=True)
    tls = {
        "common_tls_context": tls_context(directory / "tls", pod.key),
        "require_client_certificate": True,
        # Resuming would skip looking at the certificate.
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
    }
    socket = extension("tls", "transport_sockets.tls.v3.DownstreamTlsContext", **tls)
    chains = {
        "http": _chain("http", to_app, _http("inbound", directory), transport_socket=socket),
        "tcp": _chain("tcp", to_app, _http("inbound", directory, tunnel=True), transport_socket=socket),
        "dial-http": _chain("dial-http", dialled, _tcp_proxy(TO_SIDECAR)),
        "dial-tcp": _chain("dial-tcp", dialled, _tunnel_proxy(TO_SIDECAR_TUNNEL)),
    }
    used = [chain for name, chain in chains.items() if name.removeprefix("dial-") in ports.values()]
    stranger = _chain("outside", to_app, _http("inbound", directory), transport_socket=socket)
    used.append({**stranger, "transport_socket_connect_timeout": _STRANGERS_SECONDS})
    sidecars = str(ip_network(f"{pod.private}/24", strict=False))
    others = _by_source([_LOOPBACK_HOST, *outside], _chosen("outside"), otherwise=_by_port(ports, "dial-"))
    matcher = _by_source([sidecars], _by_port(ports), otherwise={"matcher": others})
    return _on(f"pod|{pod.namespace}|{pod.name}", pod.ip, ports, filter_chains=used, filter_chain_matcher=matcher)


def _service(service: list[ServicePort], outside: list[str], directory: Path) -> Resource:
    """A Service's listener: plain forwarding for clients outside the mesh, routing for those inside."""
    ports = {one.port: one.protocol for one in service}
    first = service[0]
    state = _set_state({}, client=True)
    cluster = f"{kube_cluster(first.namespace, first.service)}%DOWNSTREAM_LOCAL_PORT%"
    chains = {
        "http": _chain("http", state, _http("services", directory)),
        "tcp": _chain("tcp", state, _tunnel_proxy(TO_STREAMS)),
    }
    kube = _chain("kube", _set_state({"envoy.tcp_proxy.cluster": cluster}), _tcp_proxy(PLAIN))
    used = [kube, *(chain for name, chain in chains.items() if name in ports.values())]
    matcher = _by_source([_LOOPBACK_HOST, *outside], _chosen("kube"), otherwise=_by_port(ports))
    name = f"service|{first.namespace}|{first.service}"
    return _on(name, first.cluster_ip, ports, filter_chains=used, filter_chain_matcher=matcher)


def _on(name: str, ip: str, ports: Mapping[int, Protocol], **fields: Any) -> Resource:
    first, *more = sorted(ports)
    if more:
        fields["additional_addresses"] = [{"address": socket_address(ip, port)} for port in more]
    return _listener(name, address=socket_address(ip, first), **fields)


def _listener(name: str, **fields: Any) -> Resource:
    return typed("config.listener.v3.Listener", name=name, **fields)


def _chain(name: str, *filters: Resource, **fields: Any) -> Resource:
    return {"name": name, "filters": list(filters), **fields}


def _chosen(chain: str) -> Resource:
    return action(chain, {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": chain})


def _by_source(ranges: list[str], inside: Resource, *, otherwise: Resource) -> Resource:
    """A matcher on the client's address. It names chains, so that a change of addresses leaves connections alone."""
    networks = [ip_network(one) for one in ranges]
    listed = [{"address_prefix": str(n.network_address), "prefix_len": n.prefixlen} for n in networks]
    ip_matcher = {
        "@type": "type.googleapis.com/xds.type.matcher.v3.IPMatcher",
        "range_matchers": [{"ranges": listed, "on_match": inside}],
    }
    tree = {
        "input": matcher_input("network.v3.SourceIPInput"),
        "custom_match": {"name": "ip", "typed_config": ip_matcher},
    }
    return {"matcher_tree": tree, "on_no_match": otherwise}


def _by_port(ports: Mapping[int, Protocol], prefix: str = "") -> Resource:
    chosen = {str(port): _chosen(f"{prefix}{protocol}") for port, protocol in sorted(ports.items())}
    return {"matcher": matcher_map(matcher_input("network.v3.DestinationPortInput"), chosen)}


def _set_state(values: dict[str, str], *, client: bool = False) -> Resource:
    """Remembers things about a connection; they go along on its way inside Envoy."""
    states: list[Resource] = [
        {"object_key": key, "format_string": format_string(text), "shared_with_upstream": "TRANSITIVE"}
        for key, text in values.items()
    ]
    # Addresses, because these are hashable in every Envoy we know: connections of different clients must never share an
    # upstream connection.
    if client:
        came = {"object_key": CLIENT, "factory_key": DESTINATION, "format_string": format_string(_CLIENT_ADDRESS)}
        states.append({**came, "shared_with_upstream": "TRANSITIVE"})
        other_end = format_string("%DOWNSTREAM_REMOTE_ADDRESS%")
        states.append({"object_key": CONNECTION, "factory_key": DESTINATION, "format_string": other_end})
    return extension("state", "filters.network.set_filter_state.v3.Config", on_new_connection=states)


def _tcp_proxy(cluster: str, **fields: Any) -> Resource:
    kind = "filters.network.tcp_proxy.v3.TcpProxy"
    return extension("tcp", kind, stat_prefix="tcp", cluster=cluster, idle_timeout="0s", **fields)


def _tunnel_proxy(cluster: str) -> Resource:
    return _tcp_proxy(cluster, tunneling_config={"hostname": _LOCAL_ADDRESS})


def _http(table: str, directory: Path, *, tunnel: bool = False) -> Resource:
    """An HTTP connection manager on one of the route tables."""
    source = file_source(directory / f"{table}.json")
    log = access_log("server" if table == "inbound" else "client", directory, tunnel=tunnel)
    return _manager(tunnel=tunnel, rds={"route_config_name": table, "config_source": source}, access_log=log)


def _manager(*, tunnel: bool, **more: Any) -> Resource:
    """Takes requests as they are: paths unchanged, no ids added, nothing of the client's believed."""
    router = extension("router", "filters.http.router.v3.Router", suppress_envoy_headers=True)
    destination = {"key": DESTINATION_HEADER, "value": _LOCAL_ADDRESS}
    changes: list[Resource] = [
        {"append": {"header": destination, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
        *({"remove": name} for name in _STEERING),
    ]
    mutation = extension("unsteered", "http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=changes)
    fields: dict[str, Any] = {
        "stat_prefix": "http",
        "codec_type": "HTTP2" if tunnel else "AUTO",
        "http_protocol_options": {"accept_http_10": True, "enable_trailers": True},
        "http2_protocol_options": {"allow_connect": tunnel},
        "upgrade_configs": [{"upgrade_type": "CONNECT" if tunnel else "websocket"}],
        "early_header_mutation_extensions": [mutation],
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
    }
    filters = [extension(RBAC, "filters.http.rbac.v3.RBAC"), router]
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    return extension("http", kind, **fields, **more, http_filters=filters)
