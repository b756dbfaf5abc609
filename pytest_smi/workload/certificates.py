"""The certificate that a workload's side of the mesh shows to whoever begins a TLS handshake with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.traffic.tls import certificate_in, client_hello

if TYPE_CHECKING:
    from pytest_smi.traffic.tls import Certificate
    from pytest_smi.workload.workload import Workload

_PROTOCOLS = ("h2", "http/1.1", "osm", "istio")  # a server that knows its clients by a protocol's name wants to hear it
_SECONDS = 1.0


def certificate_of(client: Workload, server: Workload) -> Certificate | None:
    """The certificate of a server's pod as a client sees it that has none itself; None when no handshake begins."""
    scene = server.scene
    name = f"{server.service_name}.{server.namespace}.svc.cluster.local"
    call = client.raw(scene.at_pod(server), client_hello(name, _PROTOCOLS)).within(_SECONDS)
    return certificate_in(call.send()[0].body.encode("latin-1"))
