"""A small HTTP/1.1 server on asyncio: requests in, responses, endless streams or protocol upgrades out.

It knows nothing of Kubernetes. One handler serves any number of listeners, plain or TLS. Connections are kept alive;
a streamed answer (watch, log follow) ends as soon as its client has gone, so that no watcher outlives its reader.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

MAX_HEAD = 64 * 1024
MAX_BODY = 3 * 1024 * 1024
"""Bytes; the limit of a real API server for JSON bodies."""

_FLUSH_ABOVE = 256 * 1024
_SWALLOW_SECONDS = 2.0


@dataclass(slots=True, frozen=True)
class User:
    """Who asks: the outcome of authentication."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


@dataclass(slots=True)
class Request:
    """One request as received. Header names are lower case; repeated headers are joined by a comma."""

    method: str
    path: str
    target: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int] = ("", 0)
    peer_certificate: dict[str, Any] | None = None
    user: User = ANONYMOUS
    warnings: list[str] = field(default_factory=list)
    """What the answer tells the user besides, each in a Warning header of its own."""

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


@dataclass(slots=True)
class Response:
    """A complete answer; content-length is added."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class StreamResponse:
    """An answer of unknown length, sent chunked. `chunks` is closed when the client goes away."""

    status: int
    chunks: AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class UpgradeResponse:
    """Hands the connection over: the status line and `headers` are sent, then `takeover` owns both directions."""

    takeover: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 101


AnyResponse = Response | StreamResponse | UpgradeResponse
Handler = Callable[[Request], Awaitable[AnyResponse]]


def encode_json(value: object) -> bytes:
    """Compact JSON bytes, not escaped beyond need."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def json_response(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    """`value` as a JSON answer, a line of its own."""
    return Response(status, encode_json(value) + b"\n", {"content-type": "application/json", **(headers or {})})


class _Refused(Exception):
    """The bytes received are no request that can be served; the connection ends after the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(asyncio.StreamReaderProtocol):
    """The stream protocol plus an event that tells when the client has closed its side."""

    def __init__(self, serve: Callable[["_Connection"], Awaitable[None]]) -> None:
        self.reader = asyncio.StreamReader(limit=MAX_HEAD)
        self.writer: asyncio.StreamWriter | None = None
        self.gone = asyncio.Event()
        self._serve_connection = serve
        super().__init__(self.reader, self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        await self._serve_connection(self)

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";", 1)[0], 16)
        except ValueError:
            raise _Refused(400, "malformed chunk") from None
        total += size
        if total > MAX_BODY:
            raise _Refused(413, "request body too large")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return b"".join(parts)
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise _Refused(400, "malformed request line") from None
    headers: dict[str, str] = {}
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise _Refused(400, "malformed header")
        name = name.lower()
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return method.upper(), target, version, headers


async def _read_request(connection: _Connection) -> tuple[Request, bool] | None:
    """The next request and whether the connection may be kept; None when the client has finished."""
    reader, writer = connection.reader, connection.writer
    assert writer is not None
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _Refused(431, "request header fields too large") from None
    except asyncio.IncompleteReadError:
        return None
    method, target, version, headers = _parse_head(head[:-4])
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunked(reader)
    elif length := headers.get("content-length"):
        if not length.isdigit():
            raise _Refused(400, "malformed content-length")
        if int(length) > MAX_BODY:
            raise _Refused(413, f"limit is {MAX_BODY}")
        body = await reader.readexactly(int(length))
    raw_path, _, raw_query = target.partition("?")
    wish = headers.get("connection", "").lower()
    keep = "close" not in wish and (version == "HTTP/1.1" or "keep-alive" in wish)
    query = parse_qs(raw_query, keep_blank_values=True) if raw_query else {}
    request = Request(method, unquote(raw_path) if "%" in raw_path else raw_path, target, query, headers, body)
    request.peer = tuple(writer.get_extra_info("peername", ("", 0))[:2])
    request.peer_certificate = writer.get_extra_info("peercert") or None
    return request, keep


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Read what a refused client still sends: closing on unread bytes would reset the answer away."""
    left = 16 * MAX_BODY
    try:
        async with asyncio.timeout(_SWALLOW_SECONDS):
            while left > 0 and (piece := await reader.read(MAX_HEAD)):
                left -= len(piece)
    except TimeoutError:
        pass


def _warning(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'warning: 299 - "{escaped}"'


def _head(status: int, headers: Mapping[str, str], *extra: str) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *extra, *(f"{name}: {value}" for name, value in headers.items()), "\r\n"]
    return "\r\n".join(lines).encode("latin-1", "replace")


def _plain_refusal(status: int, message: str) -> Response:
    return Response(status, message.encode(), {"content-type": "text/plain; charset=utf-8"})


class HttpServer:
    """Serves one handler on any number of listeners until `close`.

    The handler must not raise. `refuse` words the answer to bytes that are no request (status and reason are given).
    """

    def __init__(self, handler: Handler, refuse: Callable[[int, str], Response] = _plain_refusal) -> None:
        self._handler = handler
        self._refuse = refuse
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def listen(self, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None) -> int:
        """Open a listener and return its port. Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(self._serve), host, port, ssl=ssl_context, backlog=512, reuse_address=True
        )
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening and end every connection, streams included."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._servers.clear()

    async def _serve(self, connection: _Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert connection.writer is not None
        self._tasks.add(task)
        try:
            while await self._serve_one(connection):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError, TimeoutError):
            pass  # the client left in the middle, or speaks no HTTP: nobody is there to be told
        except asyncio.CancelledError:
            pass  # close() ends us; the transport is closed below
        finally:
            self._tasks.discard(task)
            connection.writer.close()

    async def _serve_one(self, connection: _Connection) -> bool:
        writer = connection.writer
        assert writer is not None
        try:
            received = await _read_request(connection)
        except _Refused as refusal:
            answer = self._refuse(refusal.status, str(refusal))
            extra = (f"content-length: {len(answer.body)}", "connection: close")
            writer.write(_head(answer.status, answer.headers, *extra) + answer.body)
            await writer.drain()
            await _swallow(connection.reader)
            return False
        if received is None:
            return False
        request, keep = received
        return await self._send_answer(connection, request, await self._handler(request), keep)

    async def _send_answer(self, connection: _Connection, request: Request, answer: AnyResponse, keep: bool) -> bool:
        """True when the connection can go on."""
        writer = connection.writer
        assert writer is not None
        if isinstance(answer, Response):
            await self._send(writer, request, answer, keep)
            return keep
        if isinstance(answer, UpgradeResponse):
            writer.write(_head(answer.status, answer.headers))
            await answer.takeover(connection.reader, writer)
            return False
        return await self._send_stream(connection, request, answer) and keep

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, request: Request, answer: Response, keep: bool) -> None:
        extra = [f"content-length: {len(answer.body)}", f"date: {formatdate(usegmt=True)}"]
        extra += map(_warning, request.warnings)
        if not keep:
            extra.append("connection: close")
        head = _head(answer.status, answer.headers, *extra)
        writer.write(head if request.method == "HEAD" else head + answer.body)
        if len(answer.body) > _FLUSH_ABOVE:
            await writer.drain()

    async def _send_stream(self, connection: _Connection, request: Request, answer: StreamResponse) -> bool:
        """True when the stream came to its own end, so that the connection can go on."""
        sender = asyncio.ensure_future(_pump(connection, request, answer))
        gone = asyncio.ensure_future(connection.gone.wait())
        try:
            await asyncio.wait({sender, gone}, return_when=asyncio.FIRST_COMPLETED)
            return sender.done() and sender.exception() is None
        finally:
            for task in (sender, gone):
                task.cancel()
            await asyncio.gather(sender, gone, return_exceptions=True)


async def _pump(connection: _Connection, request: Request, answer: StreamResponse) -> None:
    writer = connection.writer
    assert writer is not None
    writer.write(_head(answer.status, answer.headers, "transfer-encoding: chunked", *map(_warning, request.warnings)))
    chunks = answer.chunks
    try:
        async for chunk in chunks:
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
    finally:
        if closer := getattr(chunks, "aclose", None):
            await closer()
