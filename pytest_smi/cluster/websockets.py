"""WebSockets of the API server, opened with the credentials, certificates and proxy of the official client."""

from __future__ import annotations

import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import websocket

from pytest_smi.cluster.api import Refused
from pytest_smi.cluster.refusals import BROKEN, unreachable
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_smi.cluster.api import Api

_PROTOCOL = "v4.channel.k8s.io"
_OPEN_SECONDS = 10.0


def opened(api: Api, path: str, query: Sequence[tuple[str, str]]) -> Any:
    """A WebSocket whose messages begin with their channel. Raises ClusterError, with what the API server says.

    An API server that is away or busy is asked again: an opened connection that nobody got does nothing.
    """
    attempts = api.transport.attempts()
    while True:
        try:
            return _once(api, path, query)
        except Refused as refusal:
            if refusal.code not in BROKEN or not attempts.another(refusal.code):
                raise
        except ClusterError:
            if not attempts.another():
                raise


def _once(api: Api, path: str, query: Sequence[tuple[str, str]]) -> Any:
    configuration, host = api.transport.client.configuration, api.transport.host
    socket = websocket.WebSocket(sslopt=_tls(configuration))
    headers = [f"{name}: {value}" for name, value in api.transport.credentials().items()]
    options = {"header": headers, "subprotocols": [_PROTOCOL], "timeout": _OPEN_SECONDS, **_proxy(configuration)}
    try:
        socket.connect(f"ws{host.removeprefix('http')}{path}?{urlencode(query)}", **options)
    except websocket.WebSocketBadStatusException as refusal:
        raise Refused(refusal.status_code, _status(refusal), f"GET {path}") from None
    except (OSError, websocket.WebSocketException) as fault:
        why = unreachable(fault)
        raise ClusterError(f"the API server at {host} did not open {path}: {why.what}", why.advice) from fault
    return socket


def message(socket: Any) -> tuple[int, bytes] | None:
    """The next channel and content; None at the end. Raises OSError when the connection breaks."""
    with as_socket_errors():
        while True:
            try:
                opcode, frame = socket.recv_data_frame(True)
            except websocket.WebSocketConnectionClosedException:
                return None
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return None
            if opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) and frame.data:
                return frame.data[0], bytes(frame.data[1:])


@contextlib.contextmanager
def as_socket_errors() -> Iterator[None]:
    """Errors of a WebSocket become those that a socket would raise."""
    try:
        yield
    except websocket.WebSocketTimeoutException:
        raise TimeoutError("the time for it is up") from None
    except websocket.WebSocketException as fault:
        raise ConnectionError(str(fault) or type(fault).__name__) from None


def _status(refusal: Any) -> dict[str, Any]:
    body = refusal.resp_body or b""
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError):
        return {"message": body.decode("utf-8", "replace")[:300] if isinstance(body, bytes) else str(refusal)}


def _tls(configuration: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED}
    if not configuration.verify_ssl:
        options = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    elif configuration.ssl_ca_cert:
        options["ca_certs"] = configuration.ssl_ca_cert
    if configuration.cert_file:
        options |= {"certfile": configuration.cert_file, "keyfile": configuration.key_file}
    if getattr(configuration, "tls_server_name", None):
        options["server_hostname"] = configuration.tls_server_name
    return options


def _proxy(configuration: Any) -> dict[str, Any]:
    if not configuration.proxy:
        return {"http_no_proxy": ["*"]}  # what the client does not use, this must not take from the environment
    where, exempt = urlsplit(configuration.proxy), str(getattr(configuration, "no_proxy", None) or "")
    proxy = {"http_proxy_host": where.hostname, "http_proxy_port": where.port, "proxy_type": where.scheme or "http"}
    return {**proxy, "http_no_proxy": exempt.replace(" ", "").split(",")}
