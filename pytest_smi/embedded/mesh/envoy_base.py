"""Small pieces of Envoy's configuration that several resources share. Envoy resources are plain JSON objects here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.model import TRUST_DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smi.embedded.mesh.model import Pod, PodKey, ServiceKey

Resource = dict[str, Any]

CLIENT = "smi.client"
"""Filter state: the address of the pod whose sidecar a connection passes; it travels along inside Envoy."""
CONNECTION = "smi.connection"
"""Filter state: address and port of a connection's other end."""
DESTINATION = "envoy.network.transport_socket.original_dst_address"
"""Filter state that ORIGINAL_DST clusters connect to."""
DESTINATION_HEADER = "x-smi-destination"
"""Request header, set by us and taken off again: address and port that the client connected to."""

SIDECAR = "sidecar"
STREAMS = "streams"
PLAIN = "plain"
APP = "app"
TO_SIDECAR = "to-sidecar"
TO_SIDECAR_TUNNEL = "to-sidecar-tunnel"
TO_STREAMS = "to-streams"


def typed(type_name: str, **fields: Any) -> Resource:
    """A message with its type, e.g. `typed("config.route.v3.RouteConfiguration", name=...)`."""
    return {"@type": f"type.googleapis.com/envoy.{type_name}", **fields}


def extension(name: str, type_name: str, **fields: Any) -> Resource:
    """A named extension with its configuration."""
    return {"name": name, "typed_config": typed(f"extensions.{type_name}", **fields)}


def socket_address(ip: str, port: int) -> Resource:
    """A TCP address."""
    return {"socket_address": {"address": ip, "port_value": port}}


def file_source(path: Path) -> Resource:
    """A file to watch for resources."""
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def format_string(text: str) -> Resource:
    """A string with `%COMMAND%` operators."""
    return {"text_format_source": {"inline_string": text}}


def service_cluster(key: ServiceKey) -> str:
    """The cluster of a Service port as meshed clients reach it."""
    return f"service|{key[0]}|{key[1]}|{key[2]}"


def kube_cluster(namespace: str, service: str) -> str:
    """The cluster of a Service port as kube-proxy would serve it, without the port number."""
    return f"kube|{namespace}|{service}|"


def sidecar_cluster(key: PodKey) -> str:
    """The cluster through which one pod's sidecar reaches others, under that pod's certificate."""
    return f"sidecar|{key[0]}|{key[1]}"


def client_state(pod: Pod) -> str:
    """The filter state `CLIENT` of a connection that came from a pod."""
    return f"{pod.ip}:0"


def certificate_files(tls: Path, key: PodKey) -> tuple[Path, Path]:
    """Certificate and key of a pod, in the directory `tls`."""
    return tls / f"{key[0]}.{key[1]}.crt", tls / f"{key[0]}.{key[1]}.key"


def tls_context(tls: Path, key: PodKey) -> Resource:
    """Certificate of one pod, and trust in certificates of this mesh alone."""
    certificate, private_key = certificate_files(tls, key)
    return {
        "tls_certificates": [
            {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(private_key)}}
        ],
        "validation_context": {
            "trusted_ca": {"filename": str(tls / "ca.crt")},
            "match_typed_subject_alt_names": [
                {"san_type": "URI", "matcher": {"prefix": f"spiffe://{TRUST_DOMAIN}/"}},
            ],
        },
    }


def matcher_input(type_name: str, **fields: Any) -> Resource:
    """What a matcher tree looks at."""
    return extension("input", f"matching.common_inputs.{type_name}", **fields)


def matcher_map(source: Resource, found: dict[str, Resource], otherwise: Resource | None = None) -> Resource:
    """A matcher that looks `source` up in a map of `on_match` values."""
    tree: Resource = {"matcher_tree": {"input": source, "exact_match_map": {"map": found}}}
    return tree if otherwise is None else {**tree, "on_no_match": otherwise}


def action(name: str, config: Resource) -> Resource:
    """An `on_match` that ends the matching."""
    return {"action": {"name": name, "typed_config": config}}
