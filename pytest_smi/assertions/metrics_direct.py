"""A call past the API server to the server behind the metrics API, by somebody without the front-proxy certificate."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.assertions.metrics import Answer
from pytest_smi.errors import HarnessError
from pytest_smi.spec.metrics import API_SERVICE
from pytest_smi.spec.metrics_read import BadMetrics

if TYPE_CHECKING:
    from pytest_smi.assertions.metrics import Metrics
    from pytest_smi.cluster.base import Connection

_SECONDS = 5.0
_HTTPS = 443
_LIMIT = 1 << 20
_PIECE = 1 << 14
_REFUSED = int(HTTPStatus.UNAUTHORIZED)
_POSING = "X-Remote-User: system:admin\r\nX-Remote-Group: system:masters\r\n"


class _Backend(NamedTuple):
    """Where the server is: an address and port, and the pod that has it (none for a server outside the cluster)."""

    address: str
    port: int
    namespace: str
    pod: str


def direct_call(metrics: Metrics, path: str) -> Answer:
    """Ask the server itself, posing as an administrator; a refusal of TLS or of the connection counts as 401.

    Raises BadMetrics when the APIService leads nowhere, HarnessError when there is no way to the server from here.
    """
    backend = _backend(metrics)
    stream = _connect(metrics, backend)
    try:
        stream.settimeout(_SECONDS)
        request = f"GET {path} HTTP/1.1\r\nHost: {backend.address}\r\nConnection: close\r\n{_POSING}\r\n"
        received = _exchange(stream, request.encode())
    except (ssl.SSLError, OSError, EOFError) as refusal:
        return Answer(path, _REFUSED, {}, f"{type(refusal).__name__}: {refusal}".encode())
    finally:
        stream.close()
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        return Answer(path, _REFUSED, {}, received)
    return Answer(path, int(words[1]), {}, body)


def _backend(metrics: Metrics) -> _Backend:
    """The first endpoint behind the APIService, or the other name that its Service is."""
    service = metrics.registration().get("spec", {}).get("service")
    if not service:
        raise BadMetrics(f"APIService {API_SERVICE} is not there, or leads to no Service")
    namespace, name = service["namespace"], service["name"]
    slices = metrics.smi.api.list(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={name}",
    )
    for one in slices:
        for endpoint in one.get("endpoints") or ():
            pod = (endpoint.get("targetRef") or {}).get("name", "")
            for port in one.get("ports") or ():
                return _Backend(endpoint["addresses"][0], port["port"], namespace, pod)
    found = metrics.smi.api.find(f"/api/v1/namespaces/{namespace}/services/{name}") or {}
    if elsewhere := found.get("spec", {}).get("externalName"):
        return _Backend(elsewhere, service.get("port") or _HTTPS, namespace, "")
    raise BadMetrics(f"Service {namespace}/{name} behind APIService {API_SERVICE} has no endpoints")


def _connect(metrics: Metrics, backend: _Backend) -> Connection:
    if backend.pod:
        return metrics.smi.scene.cluster.connect(backend.namespace, backend.pod, backend.port)
    if _is_loopback(backend.address):
        return socket.create_connection((backend.address, backend.port), _SECONDS)
    raise HarnessError(
        f"the metrics API is served at {backend.address}, outside the cluster", "no way leads there from here"
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False  # a name


def _exchange(stream: Connection, request: bytes) -> bytes:
    """Speak TLS over any byte stream, without a certificate and believing any: what came back until the end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    deadline = time.monotonic() + _SECONDS

    def step(action: Any, *arguments: Any) -> Any:
        while True:
            try:
                return action(*arguments)
            except ssl.SSLWantReadError:
                if time.monotonic() > deadline:
                    raise TimeoutError("no answer") from None
                stream.sendall(outgoing.read())
                received = stream.recv(_PIECE)
                if received:
                    incoming.write(received)
                else:
                    incoming.write_eof()

    step(tls.do_handshake)
    tls.write(request)
    stream.sendall(outgoing.read())
    found = b""
    while len(found) < _LIMIT:
        try:
            piece = step(tls.read, _PIECE)
        except ssl.SSLEOFError:
            break  # the server need not say goodbye
        if not piece:
            break
        found += piece
    if not found:
        raise EOFError("the connection was closed without an answer")
    return found
