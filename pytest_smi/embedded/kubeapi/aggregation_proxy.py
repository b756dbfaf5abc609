"""Passing one request on to an aggregated server, and its answer back: whole, or in pieces for a watch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_smi.embedded.kubeapi.aggregation_target import Unavailable
from pytest_smi.embedded.kubeapi.http import Response, StreamResponse, User
from pytest_smi.embedded.wire import Connection, Head, parse_head

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from pytest_smi.embedded.kubeapi.aggregation_target import Backend
    from pytest_smi.embedded.kubeapi.http import Request

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
PROBER = User("system:kube-aggregator", groups=("system:masters",))
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"}
_NOT_SENT_ON = _HOP_BY_HOP | {"transfer-encoding", "content-length", "host", "authorization", "expect"}
_NOT_SENT_BACK = _HOP_BY_HOP | {"transfer-encoding", "content-length"}
_LIMIT = 1 << 22
_WHOLE_BYTES = 1 << 20  # what is longer is passed on as it comes: nobody vouches for its length


async def forward(backend: Backend, context: ssl.SSLContext | None, request: Request) -> Response | StreamResponse:
    """Send a request on, saying who asks, and give the answer. Raises Unavailable."""
    lines = [f"{name}: {value}" for name, value in request.headers.items() if not _private(name)]
    head = request_head(request.method, backend.prefix + request.target, backend, [*lines, *identity(request.user)])
    if request.body:
        head += f"Content-Length: {len(request.body)}\r\n"
    connection, answer, headers = await _exchange(backend, context, f"{head}\r\n".encode("latin-1") + request.body)
    if request.method == "HEAD":
        connection.close()
        return Response(answer.status, b"", headers)
    if answer.chunked or answer.length is None or answer.length > _WHOLE_BYTES:
        return StreamResponse(answer.status, _pieces(connection, answer), headers)
    try:
        return Response(answer.status, await connection.body(answer), headers)
    except ConnectionError as error:
        raise _unreachable(backend, error) from None
    finally:
        connection.close()


async def probe(backend: Backend, context: ssl.SSLContext | None, path: str) -> None:
    """Check that the server answers a path with 2xx. Raises Unavailable."""
    head = request_head("GET", backend.prefix + path, backend, ["Accept: application/json", *identity(PROBER)])
    connection, answer, _ = await _exchange(backend, context, f"{head}\r\n".encode())
    connection.close()
    if not 200 <= answer.status < 300:
        raise Unavailable(
            "FailedDiscoveryCheck", f"failing or missing response from {_url(backend)}{path}: status {answer.status}"
        )


def identity(user: User) -> list[str]:
    """The header lines that tell an aggregated server who asks."""
    lines = [f"X-Remote-User: {user.name}"]
    if user.uid:
        lines.append(f"X-Remote-Uid: {user.uid}")
    lines += [f"X-Remote-Group: {group}" for group in user.groups]
    for key, values in user.extra.items():
        lines += [f"X-Remote-Extra-{quote(key, safe='')}: {value}" for value in values]
    return lines


def request_head(method: str, target: str, backend: Backend, lines: list[str]) -> str:
    """Request line and headers, without the blank line that ends them."""
    fixed = [f"{method} {target} HTTP/1.1", f"Host: {backend.name}", "Connection: close"]
    return "".join(f"{line}\r\n" for line in [*fixed, *lines])


def _private(name: str) -> bool:
    """Headers that are ours alone: the caller's credentials, and identity that only we may state."""
    return name in _NOT_SENT_ON or name.startswith(("x-remote-", "impersonate-"))


async def _exchange(
    backend: Backend, context: ssl.SSLContext | None, data: bytes
) -> tuple[Connection, Head, dict[str, str]]:
    writer = None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                backend.host,
                backend.port,
                ssl=context,
                server_hostname=backend.name if context else None,
                limit=_LIMIT,
            )
        writer.write(data)
        async with asyncio.timeout(ANSWER_SECONDS):
            raw = await reader.readuntil(b"\r\n\r\n")
        return Connection(reader, writer), parse_head(raw), _headers(raw)
    except BaseException as error:
        if writer:
            writer.close()
        if isinstance(error, OSError | asyncio.IncompleteReadError | asyncio.LimitOverrunError):
            raise _unreachable(backend, error) from None
        raise


def _headers(raw: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in raw.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon and name.lower() not in _NOT_SENT_BACK:
            found[name.lower()] = value.strip()
    return found


async def _pieces(connection: Connection, answer: Head) -> AsyncIterator[bytes]:
    try:
        async for piece in connection.pieces(answer):
            yield piece
    finally:
        connection.close()


def _unreachable(backend: Backend, error: Exception) -> Unavailable:
    what = str(error) or type(error).__name__
    return Unavailable("FailedDiscoveryCheck", f"error trying to reach {_url(backend)}: {what}")


def _url(backend: Backend) -> str:
    return f"{'https' if backend.secure else 'http'}://{backend.host}:{backend.port}{backend.prefix}"
