"""Clusters (CDS). Endpoints are written into them, one file instead of one for each Service port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.envoy_base import (
    APP,
    PLAIN,
    SIDECAR,
    STREAMS,
    TO_SIDECAR,
    TO_SIDECAR_TUNNEL,
    TO_STREAMS,
    Resource,
    extension,
    kube_cluster,
    service_cluster,
    sidecar_cluster,
    socket_address,
    tls_context,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_smi.embedded.mesh.model import Endpoint, Pod, Policy, ServicePort

_PLENTY = 1_000_000
_STREAMS_PER_CONNECTION = 100
_LIMITS = ("max_connections", "max_pending_requests", "max_requests")
_ORIGINAL_DST = "envoy.filters.listener.original_dst"


def clusters(policy: Policy, tls: Path) -> list[Resource]:
    """All clusters for a policy. Certificates and keys are read from the directory `tls`."""
    return [
        _original_dst(APP, **_http("use_downstream_protocol_config")),
        _original_dst(PLAIN),
        _inside(TO_SIDECAR, SIDECAR),
        _inside(TO_SIDECAR_TUNNEL, SIDECAR, **_tunnel()),
        _inside(TO_STREAMS, STREAMS, **_tunnel()),
        *(_sidecar(pod, tls) for pod in policy.pods if pod.meshed),
        *(
            one
            for key, service in policy.services.items()
            if service.protocol != "udp"
            for one in _service(service, policy.plain.get(key, service.endpoints))
        ),
    ]


def _service(service: ServicePort, outside: Iterable[Endpoint]) -> Iterator[Resource]:
    http = service.protocol == "http"
    options = _http("use_downstream_protocol_config") if http else _tunnel()
    reached = [_reached(endpoint, http=http) for endpoint in service.endpoints]
    yield _static(service_cluster(service.key), reached, **options, transport_socket=_internal_socket())
    plain = [{"endpoint": {"address": socket_address(one.ip, one.port)}} for one in outside]
    yield _static(f"{kube_cluster(service.namespace, service.service)}{service.port}", plain)


def _reached(endpoint: Endpoint, *, http: bool) -> Resource:
    """How a meshed client gets there: through its own sidecar, or plainly where no sidecar answers."""
    if not endpoint.meshed and http:
        return {"endpoint": {"address": socket_address(endpoint.ip, endpoint.port)}}
    target = f"{endpoint.ip}:{endpoint.port}"
    listener = SIDECAR if endpoint.meshed else PLAIN
    return {
        "endpoint": {"address": {"envoy_internal_address": {"server_listener_name": listener, "endpoint_id": target}}},
        "metadata": {"filter_metadata": {_ORIGINAL_DST: {"local": target}}},
    }


def _sidecar(pod: Pod, tls: Path) -> Resource:
    """Mutual TLS as this pod, from its private address (by which the listener at the other end knows a sidecar)."""
    # A resumed session would keep the identity that its certificate had when it was made.
    context = {"common_tls_context": tls_context(tls, pod.key), "max_session_keys": 0}
    socket = extension("tls", "transport_sockets.tls.v3.UpstreamTlsContext", **context)
    bind = {"source_address": {"address": pod.private, "port_value": 0}}
    return _original_dst(sidecar_cluster(pod.key), transport_socket=socket, upstream_bind_config=bind)


def _original_dst(name: str, **fields: Any) -> Resource:
    return _cluster(name, type="ORIGINAL_DST", lb_policy="CLUSTER_PROVIDED", **fields)


def _inside(name: str, listener: str, **fields: Any) -> Resource:
    address = {"address": {"envoy_internal_address": {"server_listener_name": listener}}}
    return _static(name, [{"endpoint": address}], **fields, transport_socket=_internal_socket())


def _static(name: str, endpoints: list[Resource], **fields: Any) -> Resource:
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return _cluster(name, type="STATIC", lb_policy="RANDOM", load_assignment=assignment, **fields)


def _cluster(name: str, **fields: Any) -> Resource:
    limits = {"thresholds": [dict.fromkeys(_LIMITS, _PLENTY)]}
    return typed("config.cluster.v3.Cluster", name=name, connect_timeout="5s", circuit_breakers=limits, **fields)


def _internal_socket() -> Resource:
    raw = extension("raw", "transport_sockets.raw_buffer.v3.RawBuffer")
    passed = [{"name": _ORIGINAL_DST, "kind": {"host": {}}}]
    kind = "transport_sockets.internal_upstream.v3.InternalUpstreamTransport"
    return extension("internal", kind, passthrough_metadata=passed, transport_socket=raw)


def _http(choice: str) -> dict[str, Resource]:
    return _options({choice: {"http_protocol_options": {"enable_trailers": True}, "http2_protocol_options": {}}})


def _tunnel() -> dict[str, Resource]:
    """HTTP/2, for streams that travel as CONNECT requests.

    Many are short and end by a reset, which Envoy takes for an attack after some hundred on one connection: it closes
    that, and cuts every stream on it. So none carries so many.
    """
    return _options(
        {"explicit_http_config": {"http2_protocol_options": {"allow_connect": True}}},
        common_http_protocol_options={"max_requests_per_connection": _STREAMS_PER_CONNECTION},
    )


def _options(choice: Resource, **common: Resource) -> dict[str, Resource]:
    name = "extensions.upstreams.http.v3.HttpProtocolOptions"
    return {"typed_extension_protocol_options": {f"envoy.{name}": typed(name, **choice, **common)}}
