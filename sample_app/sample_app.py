"""The workload of pytest-smi in one file: a server that signs its answers, a request log, an agent that sends requests.

Standard library only, so that a ConfigMap and any Python image make a pod of it; the package `h2`, where present, adds
h2c and gRPC. Three parts share one asyncio loop and one process:

* *Server*: HTTP/1.1 (h2c, unary gRPC), TCP echo, server-first TCP, UDP. Whatever it answers names the pod and the
  request's id, so that an answer of a proxy can never be taken for one of the workload.
* *Log*: every request that arrived, by id. What is not in here did not arrive.
* *Agent*, behind the control port: reads the log, changes the server's behaviour, and runs request plans from this
  pod's own address. The control port is never meshed and never carries test traffic.

Settings come from the environment (`python3 sample_app.py`; see `Settings`). A setting that makes no sense ends the
process with one line and status 2, a port that cannot be opened with one line and status 1.
"""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    # Many pods start at once, so start-up counts. asyncio imports ssl if it can; here TLS is the mesh's business.
    gc.disable()
    # Packages that came along with this file; what is installed wins.
    sys.path.append(f"{sys.path[0]}/packages.zip")
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]

import asyncio
import binascii
import errno
import json
import os
import re
import signal
import socket
import struct
import time
from collections import Counter, deque
from contextlib import suppress
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import NoReturn

APP = "pytest-smi"  # the marker in every body of ours
LOG_LIMIT = 200_000  # requests remembered
HEAD_LIMIT = 64 * 1024  # bytes of a request's or response's start line and headers
BODY_LIMIT = 16 * 1024 * 1024  # bytes of a request body on a data port
CONTROL_BODY_LIMIT = 64 * 1024 * 1024  # bytes of a plan
KEPT_BODY = 256 * 1024  # bytes of a response body that the agent keeps: enough for our marker
SHOWN_BODY = 2048  # bytes of a body that an observation carries
SAMPLES = 5  # observations that accompany a histogram
KEPT_RUNS = 4  # plans whose results can be asked for again
CLAIM_SECONDS = 15.0  # in which whoever lost the connection can come back for a plan that is under way
NAME_TTL = 1.0  # seconds a resolved name is used again
LINGER = 1.0  # seconds that a refused client may go on sending
H2_PREFACE_LINE = b"PRI * HTTP/2.0"
_NO_H2 = "unsupported: h2 is not installed"
_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; the socket module has no name for it before Python 3.12
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) (\d{3})(?: .*)?", re.DOTALL).fullmatch
_encode = json.JSONEncoder(separators=(",", ":")).encode

Fields = list[tuple[str, str]]


# ---------------------------------------------------------------------------------------------------------------------
# Settings


class BadSetting(Exception):
    """An environment variable that makes no sense; the text is the line to show."""


def _ports(env: dict[str, str], name: str, default: str) -> tuple[int, ...]:
    numbers = []
    for word in env.get(name, default).replace(",", " ").split():
        if not word.isascii() or not word.isdigit() or not 1 <= int(word) <= 65535:
            raise BadSetting(f"{name}: {word!r} is not a port: give numbers from 1 to 65535, separated by commas")
        numbers.append(int(word))
    return tuple(numbers)


def _address(env: dict[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if value and not is_address(value):
        raise BadSetting(f"{name}: {value!r} is not an IP address")
    return value


def _endpoint(env: dict[str, str], name: str) -> tuple[str, int] | None:
    value = env.get(name, "").strip()
    if not value:
        return None
    host, _, port = value.rpartition(":")
    host = host.strip("[]")
    if not is_address(host) or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise BadSetting(f"{name}: {value!r} is not IP:PORT, such as 127.0.0.1:5353")
    return host, int(port)


class Settings(NamedTuple):
    """What the environment says. Ports are lists separated by commas; an empty list switches that server off."""

    pod: str
    namespace: str
    service_account: str
    pod_ip: str
    bind: str
    source: str
    dns: tuple[str, int] | None
    http_ports: tuple[int, ...]
    tcp_ports: tuple[int, ...]
    banner_ports: tuple[int, ...]
    udp_ports: tuple[int, ...]
    control_port: int

    @classmethod
    def from_env(cls, env: dict[str, str]) -> Settings:
        """Read and check the environment; raises `BadSetting`."""
        control = _ports(env, "CONTROL_PORT", "15900")
        if len(control) != 1:
            raise BadSetting(f"CONTROL_PORT: {env['CONTROL_PORT']!r} is not one port")
        settings = cls(
            pod=env.get("POD_NAME", "").strip() or socket.gethostname(),
            namespace=env.get("POD_NAMESPACE", "").strip() or "default",
            service_account=env.get("SERVICE_ACCOUNT", "").strip() or "default",
            pod_ip=_address(env, "POD_IP"),
            bind=_address(env, "BIND_ADDRESS") or "0.0.0.0",
            source=_address(env, "SOURCE_ADDRESS"),
            dns=_endpoint(env, "DNS_SERVER"),
            http_ports=_ports(env, "HTTP_PORTS", "8080,9090"),
            tcp_ports=_ports(env, "TCP_PORTS", "7000,7001,7002"),
            banner_ports=_ports(env, "BANNER_PORTS", "7100"),
            udp_ports=_ports(env, "UDP_PORTS", "5530,5531"),
            control_port=control[0],
        )
        settings._refuse_duplicates()
        return settings

    def _refuse_duplicates(self) -> None:
        stream = Counter([*self.http_ports, *self.tcp_ports, *self.banner_ports, self.control_port])
        for port, times in [*stream.items(), *Counter(self.udp_ports).items()]:
            if times > 1:
                raise BadSetting(f"port {port} is given {times} times: every server needs a port of its own")


# ---------------------------------------------------------------------------------------------------------------------
# Log and behaviour


class RequestLog:
    """The newest `LOG_LIMIT` requests in order of arrival, and the newest of each id.

    Entries stay tuples with the undecoded head until someone reads them: 200,000 decoded ones would be 250 MB.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[Any, ...]] = deque()
        self._newest: dict[str, tuple[Any, ...]] = {}
        self.end = 0  # number of requests ever logged

    def add(self, port: int, protocol: str, peer: str, request_id: str | None, head: Any = b"") -> None:
        """Log one request. `head` is a raw HTTP/1.1 head, or (method, path, fields) of another protocol."""
        self.end += 1
        entry = (self.end, request_id, port, protocol, peer, head, time.time())
        self._entries.append(entry)
        if request_id is not None:
            self._newest[request_id] = entry
        if len(self._entries) > LOG_LIMIT:
            old = self._entries.popleft()
            if self._newest.get(old[1]) is old:
                del self._newest[old[1]]

    def seen(self, ids: Sequence[str], pod: str) -> dict[str, dict[str, Any]]:
        """The entries of those ids that arrived; the others are absent."""
        return {i: self._show(self._newest[i], pod) for i in ids if i in self._newest}

    def since(self, number: int, limit: int, pod: str) -> dict[str, Any]:
        """Up to `limit` entries after entry `number`, and the number to go on from."""
        first = self.end - len(self._entries)
        start = max(0, number - first)
        entries = [self._show(entry, pod) for entry in islice(self._entries, start, start + limit)]
        return {"entries": entries, "next": entries[-1]["number"] if entries else max(number, first), "end": self.end}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._newest.clear()

    @staticmethod
    def _show(entry: tuple[Any, ...], pod: str) -> dict[str, Any]:
        number, request_id, port, protocol, peer, head, when = entry
        if isinstance(head, bytes):
            start, _, block = head.partition(b"\r\n")
            words = start.decode("latin-1").split(" ")
            head = (words[0], words[1] if len(words) > 1 else "", parse_fields(block)) if start else ("", "", [])
        return {
            "number": number,
            "id": request_id,
            "pod": pod,
            "port": port,
            "protocol": protocol,
            "peer": peer,
            "method": head[0],
            "path": head[1],
            "headers": head[2],
            "time": when,
        }


class Behaviour(NamedTuple):
    """A deliberate deviation of the HTTP servers: slow, failing, or marking its answers.

    `delay_ms` delays every answer; `status` replaces 200; `fail_ratio` is the exact share of requests that get `status`
    (500 when none is given) while the others stay 200; `headers` are added; `for_path` limits it all to a path prefix.
    """

    delay_ms: float = 0.0
    status: int | None = None
    fail_ratio: float | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    for_path: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Behaviour:
        """Check and take a behaviour; raises `BadPlan`."""
        table = _table(data, "behaviour", set(cls._fields))
        headers = table.get("headers", {})
        if not isinstance(headers, dict):
            raise BadPlan("headers: give an object of names and values")
        for name, value in headers.items():
            _check_header(name, value)
        status = _number(table, "status", None, 200, 599, whole=True)
        return cls(
            delay_ms=_number(table, "delay_ms", 0.0, 0, 600_000) or 0.0,
            status=None if status is None else int(status),
            fail_ratio=_number(table, "fail_ratio", None, 0, 1),
            headers=dict(headers),
            for_path=_text(table, "for_path", ""),
        )


class App:
    """What all servers of this process share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pod = settings.pod
        self.instance = binascii.hexlify(os.urandom(8)).decode()  # differs after each restart
        self.runs: dict[str, Run] = {}
        self.log = RequestLog()
        self.behaviour: Behaviour | None = None
        self._failing = 0.0
        self.resolver = Resolver(settings)
        self._intro = _encode(
            {
                "app": APP,
                "pod": settings.pod,
                "namespace": settings.namespace,
                "service_account": settings.service_account,
            }
        )[:-1]

    def body(
        self, port: int, request_id: str | None, method: str, path: str, fields: Fields, content: tuple[int, int]
    ) -> bytes:
        """The JSON that only the workload itself can have written; `content` is length and CRC-32 of what it got."""
        told = {"port": port, "id": request_id, "method": method, "path": path, "headers": fields}
        rest = _encode({**told, "body": {"bytes": content[0], "crc32": content[1]}} if content[0] else told)
        return f"{self._intro},{rest[1:]}\n".encode()

    def complaint(self, port: int, error: str) -> bytes:
        """The JSON body of an answer to a request that could not be understood: ours too, but without an id."""
        return f"{self._intro},{_encode({'port': port, 'id': None, 'error': error})[1:]}\n".encode()

    def keep(self, name: str, run: Run) -> None:
        """Remember a run by its plan's name, and forget the oldest that have ended."""
        self.runs[name] = run
        for old in [name for name, run in self.runs.items() if run.ended][:-KEPT_RUNS]:
            del self.runs[old]

    def deviate(self, path: str) -> tuple[int, float, Mapping[str, str]]:
        """(status, delay in seconds, headers to add) for a request of this path."""
        now = self.behaviour
        if now is None or not path.startswith(now.for_path):
            return 200, 0.0, {}
        status = now.status or 200
        if now.fail_ratio is not None:
            # Errors are spread evenly and not at random: a metrics test then knows the exact share.
            self._failing += now.fail_ratio
            failing = self._failing >= 1 - 1e-9
            self._failing -= failing
            status = (now.status or 500) if failing else 200
        return status, now.delay_ms / 1000, now.headers

    def behave(self, behaviour: Behaviour | None) -> None:
        """Change the behaviour from the next request on."""
        self.behaviour = behaviour
        self._failing = 0.0


# ---------------------------------------------------------------------------------------------------------------------
# HTTP/1.1 framing, for both directions


class Malformed(Exception):
    """Bytes that are not HTTP/1.1; `status` is the answer a server gives."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def parse_fields(block: bytes) -> Fields:
    """Header fields of a head without its start line and without the empty line; bytes map to characters 1:1."""
    if not block:
        return []
    text = block.decode("latin-1")
    lines = text.split("\r\n")
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise Malformed("bare CR, LF or NUL in the headers")
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN(name):
            raise Malformed(f"bad header line {line[:80]!r}")
        fields.append((name, value.strip(" \t")))
    return fields


_SPECIAL = {"content-length", "transfer-encoding", "connection", "expect", "host", "x-smi-id", "x-smi-pod"}


def special_fields(fields: Fields) -> dict[str, str]:
    """The fields that steer us, by lower-case name; repeated ones are joined by a comma (the id: the first counts)."""
    found: dict[str, str] = {}
    for name, value in fields:
        low = name.lower()
        if low in _SPECIAL:
            if low not in found:
                found[low] = value
            elif not low.startswith("x-smi"):
                found[low] += ", " + value
    return found


def _words(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(",")]


def _content_length(value: str) -> int:
    sizes = set(_words(value))
    size = sizes.pop()
    if sizes or not (size.isascii() and size.isdigit()) or len(size) > 15:
        raise Malformed(f"bad content-length {value[:80]!r}")
    return int(size)


class Body:
    """Reads one message body: `length` bytes, chunks (length None), or everything up to the end (length -1)."""

    __slots__ = ("_chunk", "_held", "_keep", "_limit", "crc", "done", "kept", "length", "total")

    def __init__(self, length: int | None, keep: int, limit: int = sys.maxsize) -> None:
        self.length = length
        self.kept = bytearray()
        self.total = 0
        self.crc = 0  # of all bytes, kept or not
        self.done = length == 0
        self._keep = keep
        self._limit = limit
        self._held = b""
        self._chunk = 0  # bytes left of this chunk; -1: its CRLF is due; -2: in the trailers
        if length is not None and length > limit:
            raise Malformed(f"body of {length} bytes is longer than {limit}", 413)

    def feed(self, data: bytes) -> bytes:
        """Take bytes; returns those after the end of the body."""
        if self.done:
            return data
        if self.length is None:
            return self._feed_chunks(data)
        if self.length < 0:
            self._take(data)
            return b""
        need = self.length - self.total
        self._take(data[:need])
        self.done = self.total == self.length
        return data[need:]

    def _take(self, data: bytes) -> None:
        self.total += len(data)
        self.crc = binascii.crc32(data, self.crc)
        if self.total > self._limit:
            raise Malformed(f"body is longer than {self._limit} bytes", 413)
        room = self._keep - len(self.kept)
        if room > 0:
            self.kept += data[:room]

    def _feed_chunks(self, data: bytes) -> bytes:
        data = self._held + data
        self._held = b""
        while not self.done:
            if self._chunk > 0:
                piece = data[: self._chunk]
                self._take(piece)
                self._chunk = self._chunk - len(piece) or -1
                data = data[len(piece) :]
                if self._chunk > 0:
                    return b""
            end = data.find(b"\r\n")
            if end < 0:
                if len(data) > 4096:
                    raise Malformed("endless chunk line")
                self._held = data
                return b""
            self._line(data[:end])
            data = data[end + 2 :]
        return data

    def _line(self, line: bytes) -> None:
        if self._chunk == -1:
            if line:
                raise Malformed("chunk is longer than its size says")
            self._chunk = 0
        elif self._chunk == -2:
            self.done = not line
        else:
            size = line.partition(b";")[0].strip(b" \t")
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", size):
                raise Malformed(f"bad chunk size {bytes(size[:40])!r}")
            self._chunk = int(size, 16) or -2


class Request:
    """One request as the server read it."""

    __slots__ = ("body", "fields", "head", "id", "keep", "method", "path", "special")

    def __init__(self, head: bytes, body_limit: int, keep_body: int) -> None:
        start, _, block = head.partition(b"\r\n")
        words = start.decode("latin-1").split(" ")
        if len(words) != 3 or not _TOKEN(words[0]) or not words[1] or not re.fullmatch(r"HTTP/\d\.\d", words[2]):
            raise Malformed(f"bad request line {start[:80].decode('latin-1')!r}")
        if words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise Malformed(f"{words[2]} is not spoken here", 505)
        self.head = head
        self.method, self.path = words[0], words[1]
        self.fields = parse_fields(block)
        self.special = special = special_fields(self.fields)
        self.id = special.get("x-smi-id")
        if words[2] == "HTTP/1.1":
            self.keep = "close" not in _words(special.get("connection", ""))
            if "host" not in special:
                raise Malformed("HTTP/1.1 without a host header")
        else:
            self.keep = "keep-alive" in _words(special.get("connection", ""))
        self.body = self._body(body_limit, keep_body)

    def _body(self, limit: int, keep: int) -> Body:
        coding, length = self.special.get("transfer-encoding"), self.special.get("content-length")
        if coding is None:
            return Body(0 if length is None else _content_length(length), keep, limit)
        if length is not None:
            raise Malformed("both content-length and transfer-encoding")
        if coding.strip().lower() != "chunked":
            raise Malformed(f"transfer-encoding {coding[:40]!r} is not known", 501)
        return Body(None, keep, limit)


_REASONS = {
    200: "OK",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_date = (0, "")


def _http_date() -> str:
    global _date
    now = int(time.time())
    if _date[0] != now:
        t = time.gmtime(now)
        day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
        _date = (now, time.strftime(f"{day}, %d {month} %Y %H:%M:%S GMT", t))
    return _date[1]


def response_head(status: int, length: int, extra: str = "", close: bool = False) -> bytes:
    """Status line and headers of a JSON answer; `extra` is ready-made header lines."""
    lines = f"HTTP/1.1 {status} {_REASONS.get(status, 'Injected')}\r\ndate: {_http_date()}\r\n{extra}"
    if status != 204:
        lines += f"content-type: application/json\r\ncontent-length: {length}\r\n"
    return f"{lines}connection: close\r\n\r\n".encode("latin-1") if close else f"{lines}\r\n".encode("latin-1")


class HttpConnection(asyncio.Protocol):
    """Reads HTTP/1.1 requests of one connection in order; what to answer is a subclass's business."""

    body_limit = BODY_LIMIT
    keep_body = 0

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.port = port
        self.transport: asyncio.Transport
        self.peer = ""
        self._buffer = b""
        self._request: Request | None = None
        self._busy = False  # an answer is being made; later requests wait in the buffer
        self._ending = False  # nothing more will be read
        self._half_closed = False
        self._write_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.peer = _show_address(transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._ending:
            return
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy:
            self._advance()
        elif len(self._buffer) > HEAD_LIMIT:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Called by asyncio: the peer sends no more, but an answer in the making still goes out."""
        self._half_closed = True
        return self._busy

    def pause_writing(self) -> None:
        """Called by asyncio: a peer that does not read must not fill our memory."""
        self._write_paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self._write_paused = False
        if not self._busy:
            self.transport.resume_reading()

    def answer(self, request: Request) -> None:
        """Answer a complete request, now or later; must end in `finish`."""
        raise NotImplementedError

    def finish(self, data: bytes, keep: bool) -> None:
        """Send an answer and go on with the next request, or close."""
        self.transport.write(data)
        if not keep:
            self._ending = True
            self.transport.close()
        elif self._busy:
            self._busy = False
            if not self._write_paused:
                self.transport.resume_reading()
            self._advance()
            if self._half_closed and not self._busy:
                self.transport.close()

    def later(self) -> None:
        """Announce that `finish` follows outside of `answer`."""
        self._busy = True

    def _advance(self) -> None:
        try:
            while self._buffer and not self._busy and not self._ending:
                request = self._request or self._read_head()
                if request is None:
                    return
                if not request.body.done:
                    self._buffer = request.body.feed(self._buffer)
                if not request.body.done:
                    self._request = request
                    return
                self._request = None
                self.answer(request)
        except Malformed as problem:
            self._refuse(problem)

    def _refuse(self, problem: Malformed) -> None:
        """Say what was wrong, then read on for a while: to close with bytes unread would destroy the answer."""
        body = self.app.complaint(self.port, str(problem))
        self.transport.write(response_head(problem.status, len(body), close=True) + body)
        self._ending = True
        self._buffer = b""
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER, self.transport.close)

    def _read_head(self) -> Request | None:
        if self._buffer[:1] in (b"\r", b"\n"):
            self._buffer = self._buffer.lstrip(b"\r\n")
        end = self._buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT + 4)
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise Malformed(f"more than {HEAD_LIMIT} bytes of headers", 431)
            if self._buffer[:1] == b"\x16":
                raise Malformed("this port speaks plaintext, not TLS")
            return None
        head = self._buffer[:end]
        if head == H2_PREFACE_LINE:
            self._become_h2()
            return None
        request = Request(head, self.body_limit, self.keep_body)
        self._buffer = self._buffer[end + 4 :]
        if not request.body.done and not self._buffer and "100-continue" in request.special.get("expect", "").lower():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return request

    def _become_h2(self) -> None:
        raise Malformed("HTTP/2 is not spoken here", 505)


class DataConnection(HttpConnection):
    """A test's request: logged, then answered with the workload's own body."""

    def answer(self, request: Request) -> None:
        """Log it, then answer, perhaps after the delay that was asked for."""
        app = self.app
        app.log.add(self.port, "http1", self.peer, request.id, request.head)
        status, delay, more = (200, 0.0, None) if app.behaviour is None else app.deviate(request.path)
        content = (request.body.total, request.body.crc)
        body = app.body(self.port, request.id, request.method, request.path, request.fields, content)
        extra = f"x-smi-pod: {app.pod}\r\n"
        if request.id is not None:
            extra += f"x-smi-id: {request.id}\r\n"
        if more:
            extra += "".join(f"{name}: {value}\r\n" for name, value in more.items())
        data = response_head(status, len(body), extra, not request.keep)
        if request.method != "HEAD" and status not in (204, 304):
            data += body
        if delay:
            self.later()
            asyncio.get_running_loop().call_later(delay, self.finish, data, request.keep)
        else:
            self.finish(data, request.keep)

    def _become_h2(self) -> None:
        try:
            protocol = H2Server(self.app, self.port)
        except ImportError:
            raise Malformed("HTTP/2 needs the h2 package, which is not installed", 505) from None
        self._ending = True
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(self._buffer)


def _show_address(address: Any) -> str:
    if not address:
        return ""
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


# ---------------------------------------------------------------------------------------------------------------------
# The other servers


class H2Server(asyncio.Protocol):
    """h2c with prior knowledge: plain requests, and unary gRPC for any method of any service."""

    def __init__(self, app: App, port: int) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.app = app
        self.port = port
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._requests: dict[int, Fields] = {}
        self._content: dict[int, tuple[int, int]] = {}
        self._unsent: dict[int, tuple[bytes, Fields | None]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the HTTP/1.1 connection that saw the preface."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.peer = _show_address(transport.get_extra_info("peername"))
        self._connection.initiate_connection()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        from h2 import events
        from h2.exceptions import ProtocolError

        try:
            for event in self._connection.receive_data(data):
                if isinstance(event, events.RequestReceived):
                    self._requests[event.stream_id] = list(event.headers)
                elif isinstance(event, events.DataReceived):
                    size, crc = self._content.get(event.stream_id, (0, 0))
                    self._content[event.stream_id] = size + len(event.data), binascii.crc32(event.data, crc)
                    self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, events.StreamEnded):
                    self._answer(event.stream_id)
                elif isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
                    self._flush()
                elif isinstance(event, events.StreamReset):
                    self._requests.pop(event.stream_id, None)
                    self._content.pop(event.stream_id, None)
                    self._unsent.pop(event.stream_id, None)
                elif isinstance(event, events.ConnectionTerminated):
                    self.transport.close()
        except ProtocolError:
            self.transport.write(self._connection.data_to_send())
            self.transport.close()
            return
        self._push()

    def _answer(self, stream: int) -> None:
        fields = self._requests.pop(stream, None)
        if fields is None:
            return
        pseudo = dict(fields[:6])
        method, path = pseudo.get(":method", ""), pseudo.get(":path", "")
        shown = [(k, v) for k, v in fields if not k.startswith(":")]
        special = special_fields(shown)
        grpc = any(k == "content-type" and v.startswith("application/grpc") for k, v in shown)
        request_id = special.get("x-smi-id")
        self.app.log.add(self.port, "grpc" if grpc else "h2c", self.peer, request_id, (method, path, shown))
        status, delay, more = self.app.deviate(path)
        body = self.app.body(self.port, request_id, method, path, shown, self._content.pop(stream, (0, 0)))
        ours = [("x-smi-pod", self.app.pod), *([("x-smi-id", request_id)] if request_id else []), *more.items()]
        if grpc:
            head = [(":status", "200"), ("content-type", "application/grpc"), *ours]
            body = b"\0" + struct.pack(">I", len(body)) + body
            trailers: Fields | None = [("grpc-status", "0" if status == 200 else "14")]
        else:
            head = [(":status", str(status)), ("content-type", "application/json"), *ours]
            trailers = None
        if method == "HEAD" or (status in (204, 304) and not grpc):
            body = b""
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send, stream, head, body, trailers)
        else:
            self._send(stream, head, body, trailers)

    def _send(self, stream: int, head: Fields, body: bytes, trailers: Fields | None) -> None:
        from h2.exceptions import ProtocolError

        try:
            self._connection.send_headers(stream, [(k.lower(), v) for k, v in head], end_stream=not body)
        except ProtocolError:  # a delayed answer whose stream or connection is gone
            return
        if body:
            self._unsent[stream] = (body, trailers)
        self._flush()
        self._push()

    def _flush(self) -> None:
        from h2.exceptions import StreamClosedError

        for stream in list(self._unsent):
            try:
                self._flush_stream(stream)
            except StreamClosedError:  # the peer gave it up; its event may still be to come
                self._unsent.pop(stream, None)

    def _flush_stream(self, stream: int) -> None:
        body, trailers = self._unsent[stream]
        while body:
            window = self._connection.local_flow_control_window(stream)
            size = min(window, self._connection.max_outbound_frame_size, len(body))
            if size <= 0:
                self._unsent[stream] = (body, trailers)
                return
            piece, body = body[:size], body[size:]
            self._connection.send_data(stream, piece, end_stream=not body and trailers is None)
        del self._unsent[stream]
        if trailers is not None:
            self._connection.send_headers(stream, trailers, end_stream=True)

    def _push(self) -> None:
        data = self._connection.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)


class LineServer(asyncio.Protocol):
    """TCP echo: a line `smi-id: ID` is logged and answered by `smi-pod: POD ID`, all other bytes come back.

    A later `smi-id:` line on the same connection counts as a further request when it begins what is received. With
    `banner` the server speaks first, as SMTP or MySQL do.
    """

    def __init__(self, app: App, port: int, banner: bool = False) -> None:
        self.app = app
        self.port = port
        self._banner = banner
        self._line = b""
        self._first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.peer = _show_address(transport.get_extra_info("peername"))
        if self._banner:
            transport.write(f"smi-pod: {self.app.pod}\n".encode())

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        data = self._line + data
        self._line = b""
        if data.startswith(b"smi-id: ") or (self._first and b"smi-id: ".startswith(data)):
            line, end, rest = data.partition(b"\n")
            if not end and len(data) < 1024:
                self._line = data
                return
            if end:
                request_id = line[8:].strip().decode("latin-1")
                self.app.log.add(self.port, "banner" if self._banner else "tcp", self.peer, request_id)
                data = f"smi-pod: {self.app.pod} {request_id}\n".encode("latin-1") + rest
        self._first = False
        self.transport.write(data)

    def eof_received(self) -> bool:
        """Called by asyncio: what was received goes back before the close."""
        if self._line:
            self.transport.write(self._line)
        return False

    def pause_writing(self) -> None:
        """Called by asyncio: who does not read gets no more echo."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self.transport.resume_reading()


class DatagramServer(asyncio.DatagramProtocol):
    """UDP: `smi-id: ID` is logged and answered by `smi-pod: POD ID` and the rest; any other datagram is dropped."""

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast("asyncio.DatagramTransport", transport)  # by its class it is none before Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Called by asyncio."""
        if not data.startswith(b"smi-id: "):
            return
        line, _, rest = data.partition(b"\n")
        request_id = line[8:].strip().decode("latin-1")
        self.app.log.add(self.port, "udp", _show_address(addr), request_id)
        self.transport.sendto(f"smi-pod: {self.app.pod} {request_id}\n".encode("latin-1") + rest, addr)


# ---------------------------------------------------------------------------------------------------------------------
# Names


class Resolver:
    """Host names to addresses, remembered for `NAME_TTL` seconds; a failure is not remembered.

    With `DNS_SERVER` a pod's resolver is imitated (search list of the namespace, ndots:5); else the system's is used.
    """

    def __init__(self, settings: Settings) -> None:
        self._server = settings.dns
        self._source = settings.source
        self._search = (f"{settings.namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local")
        self._known: dict[str, tuple[float, str]] = {}
        self._asking: dict[str, list[Callable[[str | None], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, host: str, found: Callable[[str | None], None]) -> None:
        """Call `found` with an address, or with None when there is none; at once when it is known."""
        known = self._known.get(host)
        if known and known[0] > time.monotonic():
            found(known[1])
        elif host in self._asking:
            self._asking[host].append(found)
        elif is_address(host):
            self._known[host] = (float("inf"), host)
            found(host)
        else:
            self._asking[host] = [found]
            task = asyncio.get_running_loop().create_task(self._ask(host))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, host: str) -> None:
        address = None
        try:
            address = await (self._query_all(host) if self._server else self._system(host))
        except (OSError, UnicodeError, ValueError):
            pass
        finally:
            if address:
                self._known[host] = (time.monotonic() + NAME_TTL, address)
            for found in self._asking.pop(host):
                found(address)

    async def _system(self, host: str) -> str | None:
        family = socket.AF_UNSPEC
        if self._source:
            family = socket.AF_INET6 if ":" in self._source else socket.AF_INET
        answers = await asyncio.get_running_loop().getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
        return str(answers[0][4][0]) if answers else None

    def candidates(self, host: str) -> list[str]:
        """The names to ask for, in order, as resolv.conf(5) has it for a pod."""
        if host.endswith("."):
            return [host[:-1]]
        searched = [f"{host}.{domain}" for domain in self._search]
        return [*searched, host] if host.count(".") < 5 else [host, *searched]

    async def _query_all(self, host: str) -> str | None:
        for name in self.candidates(host):
            address = await self._query(name)
            if address:
                return address
        return None

    async def _query(self, name: str) -> str | None:
        """Ask for an A record, twice at most; None when there is none."""
        assert self._server
        loop = asyncio.get_running_loop()
        number = struct.unpack(">H", os.urandom(2))[0]
        query = dns_query(number, name)
        with socket.socket(socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            if self._source:
                sock.bind((self._source, 0))
            sock.connect(self._server)
            for _ in range(2):
                sock.send(query)
                try:
                    async with asyncio.timeout(1.0):
                        while True:
                            answer = await loop.sock_recv(sock, 4096)
                            if answer[: len(query)][:2] == query[:2] and answer[12 : len(query)] == query[12:]:
                                return dns_address(answer, len(query))
                except TimeoutError:
                    continue
        return None


def is_address(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 address."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def dns_query(number: int, name: str) -> bytes:
    """A question for the A record of `name`; raises ValueError for what cannot be a name."""
    labels = [label.encode("idna" if not label.isascii() else "ascii") for label in name.split(".")]
    if any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is not a host name")
    encoded = b"".join(bytes([len(label)]) + label for label in labels)
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + encoded + b"\0" + struct.pack(">HH", 1, 1)


def dns_address(answer: bytes, start: int) -> str | None:
    """The first A record of an answer whose records begin at `start`; None when it has none or is cut short."""
    try:
        if not answer[2] & 0x80 or answer[3] & 0x0F:
            return None
        for _ in range(struct.unpack_from(">H", answer, 6)[0]):
            while answer[start] and answer[start] < 0xC0:
                start += answer[start] + 1
            start += 1 if answer[start] == 0 else 2
            kind, _, _, size = struct.unpack_from(">HHIH", answer, start)
            start += 10
            if kind == 1 and size == 4:
                return socket.inet_ntoa(answer[start : start + 4])
            start += size
    except (IndexError, struct.error, OSError):
        pass
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Plans


class BadPlan(Exception):
    """A plan or behaviour that cannot be carried out; the text is the line to show."""


class Restarted(Exception):
    """A plan that may have been begun and cannot be told of any more; the text is the line to show."""


def _table(data: Any, what: str, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadPlan(f"a {what} is a JSON object")
    unknown = sorted(set(data) - allowed)
    if unknown:
        raise BadPlan(f"{what}: {unknown[0]!r} is not known; known are {', '.join(sorted(allowed))}")
    return data


def _number(
    table: dict[str, Any], name: str, default: float | None, low: float, high: float, whole: bool = False
) -> float | None:
    value = table.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
        raise BadPlan(f"{name}: {value!r} is not a {'whole ' if whole else ''}number from {low:g} to {high:g}")
    return value


def _text(table: dict[str, Any], name: str, default: str, choices: Sequence[str] = ()) -> str:
    value = table.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or (choices and value not in choices):
        raise BadPlan(f"{name}: {value!r} is not {'one of ' + ', '.join(choices) if choices else 'a string'}")
    return value


def _line_text(value: Any, name: str) -> str:
    if not isinstance(value, str) or any(c in value for c in "\r\n\0") or any(ord(c) > 255 for c in value):
        raise BadPlan(f"{name}: {value!r} does not fit in one header line; percent-encode it, or use protocol raw")
    return value


def _check_header(name: Any, value: Any) -> None:
    if not _TOKEN(_line_text(name, "headers")):
        raise BadPlan(f"headers: {name!r} is not a header name")
    _line_text(value, f"headers: {name}")


PROTOCOLS = ("http1", "h2c", "grpc", "tcp", "half-close", "banner", "udp", "raw")
_PLAN_KEYS = {
    *("host", "port", "protocol", "method", "path", "headers", "body", "raw", "ids", "count", "id_prefix"),
    *("concurrency", "connection", "rate", "timeout_s", "detail", "plan_id", "instance"),
}


class Plan(NamedTuple):
    """Requests to send, as POSTed to /run."""

    host: str
    port: int
    protocol: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes
    ids: Sequence[str] | None
    id_prefix: str
    total: int
    concurrency: int
    kept: bool
    rate: float | None
    timeout: float
    each: bool
    name: str
    instance: str

    @classmethod
    def from_json(cls, data: Any) -> Plan:
        """Check and take a plan; raises `BadPlan`."""
        table = _table(data, "plan", _PLAN_KEYS)
        host, port = _text(table, "host", ""), _number(table, "port", None, 1, 65535, whole=True)
        if not host or port is None:
            raise BadPlan("a plan needs host and port")
        ids, count = cls._ids(table)
        return cls(
            host=_line_text(host, "host"),
            port=int(port),
            protocol=_text(table, "protocol", "http1", PROTOCOLS),
            method=_line_text(table.get("method") or "GET", "method"),
            path=_line_text(table.get("path") or "/", "path"),
            headers=cls._headers(table.get("headers", [])),
            body=_text(table, "body", "").encode(),
            raw=cls._raw(table),
            ids=ids,
            id_prefix=_line_text(table.get("id_prefix") or "request", "id_prefix"),
            total=count,
            concurrency=int(_number(table, "concurrency", 1, 1, 1000, whole=True) or 1),
            kept=_text(table, "connection", "new", ("new", "kept")) == "kept",
            rate=_number(table, "rate", None, 0.001, 1_000_000),
            timeout=_number(table, "timeout_s", 2.0, 0.001, 600) or 2.0,
            each=_text(table, "detail", "each", ("each", "histogram")) == "each",
            name=_text(table, "plan_id", ""),
            instance=_text(table, "instance", ""),
        )

    @staticmethod
    def _ids(table: dict[str, Any]) -> tuple[list[str] | None, int]:
        ids = table.get("ids")
        if ids is None:
            return None, int(_number(table, "count", 1, 1, 1_000_000, whole=True) or 1)
        if not isinstance(ids, list) or not ids or table.get("count") not in (None, len(ids)):
            raise BadPlan("ids: give a list of at least one id, and no count beside it")
        return [_line_text(each, "ids") for each in ids], len(ids)

    @staticmethod
    def _headers(pairs: Any) -> tuple[tuple[str, str], ...]:
        if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise BadPlan("headers: give a list of [name, value] pairs")
        for name, value in pairs:
            _check_header(name, value)
        return tuple((name, value) for name, value in pairs)

    @staticmethod
    def _raw(table: dict[str, Any]) -> bytes:
        try:
            return binascii.a2b_base64(_text(table, "raw", ""), strict_mode=True)
        except ValueError:
            raise BadPlan("raw: give the bytes in base64") from None

    def request_ids(self) -> Iterator[str]:
        """The id of each request, in order."""
        if self.ids is not None:
            return iter(self.ids)
        return (f"{self.id_prefix}-{number}" for number in range(self.total))

    @property
    def authority(self) -> str:
        """The value of the host header: the host as given, with the port unless it is HTTP's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


# ---------------------------------------------------------------------------------------------------------------------
# What is said over one connection, by protocol


class Codec:
    """One protocol's side of a connection: request bytes out, answer bytes in.

    `start` begins a request; `feed` and `end` take what the peer sent. `done` says the answer is complete, `error` that
    it never will be; `out` is what must be sent meanwhile. The rest is what an observation reports.
    """

    ends = False  # whether our side of the connection ends when everything is sent

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.reset("")

    def reset(self, request_id: str) -> None:
        """Forget the last request."""
        self.id = request_id
        self.out = b""
        self.done = False
        self.error: str | None = None
        self.status: int | None = None
        self.pod: str | None = None
        self.fields: Fields = []
        self.body = b""
        self.heard = False  # whether any byte came
        self.reusable = True

    def start(self, request_id: str) -> bytes:
        """Begin a request; returns the bytes to send first."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        raise NotImplementedError

    def end(self) -> None:
        """The peer closed before the answer was complete."""
        self.error = "closed"

    def expire(self) -> None:
        """The time is up before the answer was complete."""
        self.error = "timeout"

    def idle(self, data: bytes) -> bool:
        """Bytes came between two requests; returns whether the connection can still be used."""
        return False


def pod_of(body: bytes, request_id: str) -> str | None:
    """The pod that wrote this body, if the workload itself wrote it for this very request."""
    try:
        marker = json.loads(body)
    except ValueError:
        return None
    if isinstance(marker, dict) and marker.get("app") == APP and marker.get("id") == request_id:
        return str(marker.get("pod"))
    return None


def _is_tls_alert(data: bytes) -> bool:
    return data[:1] == b"\x15" and data[1:2] in (b"\x03", b"")


class Http1Codec(Codec):
    """HTTP/1.1; method, path and headers go out exactly as planned."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        given = {name.lower() for name, _ in plan.headers}
        lines = [f"{plan.method} {plan.path} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"host: {plan.authority}")
        lines += [f"{name}: {value}" for name, value in plan.headers]
        if not plan.kept and "connection" not in given:
            lines.append("connection: close")
        sized = given & {"content-length", "transfer-encoding"}
        if not sized and (plan.body or plan.method in ("POST", "PUT", "PATCH")):
            lines.append(f"content-length: {len(plan.body)}")
        self._tail = b"\r\n\r\n" + plan.body
        if "x-smi-id" in given:
            self._lead, self._tail = "\r\n".join(lines).encode("latin-1"), self._tail
        else:
            self._lead = "\r\n".join([*lines, "x-smi-id: "]).encode("latin-1")
        self._own_id = "x-smi-id" not in given

    def start(self, request_id: str) -> bytes:
        """The whole request."""
        self.reset(request_id)
        self._buffer = b""
        self._content: Body | None = None
        return self._lead + (request_id.encode("latin-1") if self._own_id else b"") + self._tail

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.heard = True
        try:
            if self._content is None:
                self._buffer += data
                while self._content is None:
                    end = self._buffer.find(b"\r\n\r\n")
                    if end < 0:
                        self._check_beginning()
                        return
                    head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
                    self._read_head(head)
                data = self._buffer
            rest = self._content.feed(data)
        except Malformed:
            self.error = "malformed"
            return
        if self._content.done:
            self._complete(rest)

    def _check_beginning(self) -> None:
        if _is_tls_alert(self._buffer):
            self.error = "tls"
        elif len(self._buffer) > HEAD_LIMIT or self._buffer[:5] != b"HTTP/"[: len(self._buffer)]:
            self.error = "malformed"

    def _read_head(self, head: bytes) -> None:
        start, _, block = head.partition(b"\r\n")
        match = _STATUS_LINE(start.decode("latin-1"))
        if not match:
            raise Malformed("bad status line")
        status = int(match[2])
        if 100 <= status < 200 and status != 101:
            return
        self.status = status
        self.fields = parse_fields(block)
        special = special_fields(self.fields)
        connection = _words(special.get("connection", ""))
        self.reusable = "close" not in connection and (match[1] == "1.1" or "keep-alive" in connection)
        if self.plan.method == "HEAD" or status in (101, 204, 304):
            self._content = Body(0, 0)
            self.reusable = self.reusable and status != 101
            if special.get("x-smi-id") == self.id:
                self.pod = special.get("x-smi-pod")
        elif "transfer-encoding" in special:
            self._content = Body(None, KEPT_BODY)
        elif "content-length" in special:
            self._content = Body(_content_length(special["content-length"]), KEPT_BODY)
        else:
            self._content = Body(-1, KEPT_BODY)
            self.reusable = False

    def _complete(self, rest: bytes) -> None:
        self.done = True
        self._take_body()
        self.reusable = self.reusable and not rest

    def _take_body(self) -> None:
        if self._content is not None and self._content.kept:
            self.body = bytes(self._content.kept)
            self.pod = pod_of(self.body, self.id)

    def end(self) -> None:
        """The peer closed: the end of a body without a length, else a loss."""
        self._take_body()
        if self._content is not None and self._content.length == -1:
            self.done = True
            self.reusable = False
        else:
            self.error = "tls" if _is_tls_alert(self._buffer) else "closed"

    def expire(self) -> None:
        """Keep what came so far."""
        self._take_body()
        self.error = "timeout"


class LineCodec(Codec):
    """TCP echo: `smi-id: ID` and the body go out, `smi-pod: POD ID` and the body come back."""

    def start(self, request_id: str) -> bytes:
        """The id line and the body; for a server that speaks first, nothing until it has spoken."""
        waiting = self.plan.protocol == "banner" and not self._greeted
        self.reset(request_id)
        self._buffer = b""
        self._request = f"smi-id: {request_id}\n".encode("latin-1") + self.plan.body
        return b"" if waiting else self._request

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._greeted = False

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.heard = True
        self._buffer += data
        if self.plan.protocol == "banner" and not self._greeted:
            line, end, _ = self._buffer.partition(b"\n")
            if end:
                if not line.startswith(b"smi-pod: "):
                    self._fail()
                    return
                self._greeted = True
                self.pod = line[9:].decode("latin-1")
                self.body = self._buffer
                self._buffer = self._buffer[len(line) + 1 :]
                self.out = self._request
        self._check()

    def _check(self) -> None:
        line, end, echo = self._buffer.partition(b"\n")
        if not line.startswith(b"smi-pod: "[: len(line)]):
            self._fail()
        elif end:
            pod, _, request_id = line[9:].decode("latin-1").rpartition(" ")
            if request_id != self.id:
                self._fail()
                return
            self.pod = pod
            if len(echo) >= len(self.plan.body):
                self.body = self._buffer
                self.done = echo == self.plan.body
                self.error = None if self.done else "malformed"

    def _fail(self) -> None:
        self.body = self._buffer
        self.error = "tls" if _is_tls_alert(self._buffer) else "malformed"

    def end(self) -> None:
        """The peer closed."""
        self.body = self.body or self._buffer
        self.error = "tls" if _is_tls_alert(self._buffer) else "closed"


class HalfCloseCodec(LineCodec):
    """TCP echo to a client that ends its side when it has sent all: then everything comes back, and the server ends."""

    ends = True

    def start(self, request_id: str) -> bytes:
        """As in `LineCodec`; the connection is of no use afterwards."""
        self._whole = False
        data = super().start(request_id)
        self.reusable = False
        return data

    def _check(self) -> None:
        super()._check()
        self._whole, self.done = self._whole or self.done, False

    def end(self) -> None:
        """The peer closed: in order when all has come back."""
        if self._whole and not self.error:
            self.done = True
        else:
            super().end()


class DatagramCodec(LineCodec):
    """UDP: one datagram out, one back."""

    def end(self) -> None:
        """An empty datagram is no end."""


class RawCodec(Codec):
    """The planned bytes, in which only `{id}` is replaced; the answer is everything until the close or the timeout."""

    def start(self, request_id: str) -> bytes:
        """The bytes of the plan, with this request's id."""
        self.reset(request_id)
        self.reusable = False
        return self.plan.raw.replace(b"{id}", request_id.encode("latin-1"))

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.heard = True
        self.body = (self.body + data)[:KEPT_BODY]

    def end(self) -> None:
        """The peer closed: the regular end, if it said anything."""
        self._conclude("closed")

    def expire(self) -> None:
        """The time is up: as good an end as a close."""
        self._conclude("timeout")

    def _conclude(self, error: str) -> None:
        if not self.body:
            self.error = error
            return
        if _is_tls_alert(self.body):
            self.error = "tls"
            return
        self.done = True
        head, _, rest = self.body.partition(b"\r\n\r\n")
        match = _STATUS_LINE(head.partition(b"\r\n")[0].decode("latin-1"))
        if match:
            self.status = int(match[2])
            try:
                self.fields = parse_fields(head.partition(b"\r\n")[2])
                special = special_fields(self.fields)
                content = Body(None if "transfer-encoding" in special else len(rest), KEPT_BODY)
                content.feed(rest)
                # The id is in the planned bytes, if anywhere; the first line is the first answer's body.
                self.pod = pod_of(bytes(content.kept.partition(b"\n")[0]), self.id)
            except Malformed:
                pass


class H2Codec(Codec):
    """h2c with prior knowledge, one stream at a time; gRPC sends its body as one message of a unary call."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        config = H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._connection = H2Connection(config)
        self._connection.initiate_connection()
        self._grpc = plan.protocol == "grpc"
        self._began = b""  # the first bytes of the connection

    def start(self, request_id: str) -> bytes:
        """Headers and, as far as the peer's window allows, the body."""
        self.reset(request_id)
        self._stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(self._stream, self._request_fields(), end_stream=not self._message())
        self._unsent = self._message()
        self._send_body()
        return self._take_out()

    def _message(self) -> bytes:
        body = self.plan.body
        return b"\0" + struct.pack(">I", len(body)) + body if self._grpc else body

    def _request_fields(self) -> Fields:
        plan = self.plan
        given = {name.lower(): value for name, value in plan.headers}
        fields = [
            (":method", "POST" if self._grpc else plan.method),
            (":scheme", "http"),
            (":authority", given.get("host", plan.authority)),
            (":path", plan.path),
        ]
        fields += [(name.lower(), value) for name, value in plan.headers if name.lower() != "host"]
        if self._grpc:
            fields += [("content-type", "application/grpc"), ("te", "trailers")]
        if "x-smi-id" not in given:
            fields.append(("x-smi-id", self.id))
        return fields

    def _send_body(self) -> None:
        while self._unsent:
            window = self._connection.local_flow_control_window(self._stream)
            size = min(window, self._connection.max_outbound_frame_size, len(self._unsent))
            if size <= 0:
                return
            piece, self._unsent = self._unsent[:size], self._unsent[size:]
            self._connection.send_data(self._stream, piece, end_stream=not self._unsent)

    def _take_out(self) -> bytes:
        data: bytes = self._connection.data_to_send()
        return data

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        from h2.exceptions import ProtocolError

        self.heard = True
        if len(self._began) < 4:
            # A server begins with a SETTINGS frame, type 4. Other bytes h2 can take for a frame of megabytes to come.
            self._began += data[:4]
            if _is_tls_alert(self._began):
                self.error = "tls"
                return
            if len(self._began) >= 4 and self._began[3] != 4:
                self.error = "malformed"
                return
        try:
            for event in self._connection.receive_data(data):
                self._handle(event)
            if not self.done and self.error is None:
                self._send_body()
        except ProtocolError:
            self.error = self.error or "malformed"
        self.out += self._take_out()

    def idle(self, data: bytes) -> bool:
        """Settings, pings and window updates may come at any time."""
        self.feed(data)
        return self.reusable and self.error is None

    def _handle(self, event: Any) -> None:
        from h2 import events

        if isinstance(event, events.ConnectionTerminated):
            self.reusable = False
            if (event.last_stream_id or 0) < self._stream:
                self.error = "closed"
        if getattr(event, "stream_id", None) != self._stream:
            return
        if isinstance(event, events.ResponseReceived):
            self.status = int(dict(event.headers).get(":status", "0"))
            self.fields += [(k, v) for k, v in event.headers if not k.startswith(":")]
        elif isinstance(event, events.TrailersReceived):
            self.fields += event.headers
        elif isinstance(event, events.DataReceived):
            self._connection.acknowledge_received_data(event.flow_controlled_length, self._stream)
            self.body = (self.body + event.data)[:KEPT_BODY]
        elif isinstance(event, events.StreamReset):
            self.error = "reset"
        elif isinstance(event, events.StreamEnded):
            self._complete()

    def _complete(self) -> None:
        self.done = True
        if self._grpc:
            self.body = self.body[5:]
        if self.body:
            self.pod = pod_of(self.body, self.id)
        elif self.plan.method == "HEAD" or self.status in (204, 304):
            special = special_fields(self.fields)
            self.pod = special.get("x-smi-pod") if special.get("x-smi-id") == self.id else None


_CODECS: dict[str, type[Codec]] = {
    "http1": Http1Codec,
    "h2c": H2Codec,
    "grpc": H2Codec,
    "tcp": LineCodec,
    "half-close": HalfCloseCodec,
    "banner": LineCodec,
    "udp": DatagramCodec,
    "raw": RawCodec,
}


# ---------------------------------------------------------------------------------------------------------------------
# Running a plan


_SHAPES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EACCES: "unreachable",
    errno.EPERM: "unreachable",
}


def shape_of(problem: OSError) -> str:
    """The short word for a socket error; one that says nothing of the peer is named as `local: ...`."""
    number = problem.errno or 0
    return _SHAPES.get(number) or f"local: {os.strerror(number) if number else problem}"


class Slot:
    """One of a run's concurrent senders: one request at a time, on a socket of its own.

    Uses bare sockets: for one short connection each, asyncio's transports cost as much again as the system calls.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._loop = run.loop
        self._codec: Codec | None = None
        self._sock: socket.socket | None = None
        self._unsent = b""
        self._writing = False
        self._send_error: str | None = None
        self._serial = 0
        self._id = ""
        self._connecting = False
        self._resolving = False
        self._began = 0.0
        self.active = False
        self.deadline = 0.0

    def proceed(self) -> None:
        """Take the next request of the run, now or when it is due."""
        due = self._run.take()
        if due is None:
            self.stop()
            self._run.slot_ended()
            return
        self._id, wait = due
        if wait > 0:
            self._loop.call_later(wait, self._begin)
        else:
            self._begin()

    def stop(self) -> None:
        """Close the socket; nothing more is observed."""
        self.active = False
        self._serial += 1
        self._close()

    def expire(self) -> None:
        """The time for this request is up."""
        codec = self._codec
        if self._resolving or codec is None:
            self._finish("resolve")
        elif self._connecting:
            self._finish("timeout")
        else:
            codec.expire()
            self._finish(codec.error)

    def _begin(self) -> None:
        if self._run.ended:
            return
        self._serial += 1
        self.active = True
        self._began = time.monotonic()
        self.deadline = self._began + self._run.plan.timeout
        if self._sock is not None and self._codec is not None:
            self._send(self._codec.start(self._id))
            return
        self._codec = None
        self._resolving = True
        serial = self._serial
        self._run.app.resolver.find(self._run.plan.host, lambda address: self._resolved(serial, address))

    def _resolved(self, serial: int, address: str | None) -> None:
        if serial != self._serial or not self.active:
            return
        self._resolving = False
        if address is None:
            self._finish("resolve")
            return
        try:
            self._codec = codec = self._run.codec()
            self._connecting = True
            self._connect(address)
        except ImportError:
            self._finish(_NO_H2)
        except OSError as problem:
            self._finish(shape_of(problem))
        else:
            self._send(codec.start(self._id))

    def _connect(self, address: str) -> None:
        plan, source = self._run.plan, self._run.app.settings.source
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = plan.protocol == "udp"
        self._sock = sock = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        sock.setblocking(False)
        if not udp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            if not udp and sys.platform == "linux":
                # Choose the port at connect, when the peer is known: 28,000 ports per peer and not in all.
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        code = sock.connect_ex((address, plan.port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self._loop.add_reader(sock.fileno(), self._readable)

    def _send(self, data: bytes) -> None:
        """Send now what can be sent: on loopback, a connection just begun is already there."""
        self._unsent = self._unsent + data if self._unsent else data
        self._writable()

    def _writable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            if self._unsent and self._send_error is None:
                self._unsent = self._unsent[sock.send(self._unsent) :]
                self._connecting = False
                if self._codec is not None and self._codec.ends and not self._unsent:
                    self._end_our_side(sock)
        except BlockingIOError:
            pass
        except OSError as problem:
            # An answer may still wait to be read, so the reader decides; it needs this if there is none.
            self._send_error = shape_of(problem)
            self._unsent = b""
        if bool(self._unsent) != self._writing:
            self._writing = bool(self._unsent)
            if self._writing:
                self._loop.add_writer(sock.fileno(), self._writable)
            else:
                self._loop.remove_writer(sock.fileno())

    @staticmethod
    def _end_our_side(sock: socket.socket) -> None:
        with suppress(OSError):  # the peer may have been faster; how it ended the connection is read
            sock.shutdown(socket.SHUT_WR)

    def _readable(self) -> None:
        sock, codec = self._sock, self._codec
        if sock is None or codec is None:
            return
        try:
            data = sock.recv(262_144)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as problem:
            self._lost(shape_of(problem) if self._send_error is None or codec.heard else self._send_error)
            return
        self._connecting = False
        if not self.active:
            if data and codec.idle(data):
                self._flush_out(codec)
            else:
                self._close()  # the peer ended an idle connection, or spoke out of turn; the next request opens another
        elif data:
            codec.feed(data)
            self._check(codec)
        elif self._send_error is not None and not codec.heard:
            self._lost(self._send_error)
        else:
            codec.end()
            codec.reusable = False
            self._check(codec)

    def _check(self, codec: Codec) -> None:
        self._flush_out(codec)
        if codec.done or codec.error:
            self._finish(codec.error)

    def _flush_out(self, codec: Codec) -> None:
        if codec.out:
            out, codec.out = codec.out, b""
            self._send(out)

    def _lost(self, shape: str) -> None:
        if not self.active:
            self._close()
            return
        codec = self._codec
        if codec is not None and not self._connecting:
            codec.end()  # keeps what came before the loss
            if codec.done and isinstance(codec, RawCodec):
                shape = ""
        self._finish(shape or None)

    def _finish(self, error: str | None) -> None:
        seconds = time.monotonic() - self._began
        self.active = self._resolving = False
        codec = self._codec
        self._run.record(self._id, codec, error, seconds, self._sock)
        if error or codec is None or not self._run.plan.kept or not codec.reusable:
            self._close()
            self._loop.call_soon(self.proceed)
        else:
            # One turn of the loop later: a peer that ended the connection together with its answer is noticed first.
            self._loop.call_soon(self._loop.call_soon, self.proceed)

    def _close(self) -> None:
        sock, self._sock, self._codec = self._sock, None, None
        self._unsent, self._send_error = b"", None
        self._connecting = False
        if sock is None:
            return
        self._loop.remove_reader(sock.fileno())
        if self._writing:
            self._loop.remove_writer(sock.fileno())
            self._writing = False
        if sock.type == socket.SOCK_STREAM:
            # The answer is complete (or given up): a reset leaves no TIME_WAIT, so ports never run out.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        sock.close()


class Run:
    """Carries out one plan; `result` becomes the answer to POST /run.

    A plan with a name outlives the connection that brought it for some seconds, and its result can be asked for again:
    so a lost connection neither loses a result nor has requests sent twice.
    """

    def __init__(self, app: App, plan: Plan) -> None:
        self.app = app
        self.plan = plan
        self.loop = asyncio.get_running_loop()
        self.result: asyncio.Future[dict[str, Any]] = self.loop.create_future()
        self.ended = False
        self._waiting = 0  # connections
        self._abandoned: asyncio.TimerHandle | None = None
        self._ids = plan.request_ids()
        self._taken = 0
        self._slots = [Slot(self) for _ in range(min(plan.concurrency, plan.total))]
        self._open = len(self._slots)
        self._observations: list[dict[str, Any]] = []
        self._keep = plan.total if plan.each else SAMPLES
        self._pods: Counter[str] = Counter()
        self._status: Counter[int] = Counter()
        self._errors: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._codec_class = _CODECS[plan.protocol]
        self._spare: Codec | None = None

    def start(self) -> None:
        """Begin sending."""
        self._began = time.monotonic()
        self._watch = self.loop.call_later(self.plan.timeout, self._sweep)
        for slot in self._slots:
            slot.proceed()

    def cancel(self) -> None:
        """Stop sending; nobody wants the result."""
        self.ended = True
        self._watch.cancel()
        for slot in self._slots:
            slot.stop()

    def claim(self) -> None:
        """One more connection waits for the result."""
        self._waiting += 1
        if self._abandoned is not None:
            self._abandoned.cancel()
            self._abandoned = None

    def leave(self) -> None:
        """A connection that waited is gone. With nobody left to tell, a run has no purpose."""
        self._waiting -= 1
        if self._waiting or self.ended:
            return
        if self.plan.name:
            self._abandoned = self.loop.call_later(CLAIM_SECONDS, self.cancel)
        else:
            self.cancel()

    def take(self) -> tuple[str, float] | None:
        """The next request's id and the seconds until it is due; None when there is none left."""
        if self.ended:
            return None
        request_id = next(self._ids, None)
        if request_id is None:
            return None
        wait = 0.0
        if self.plan.rate is not None:
            wait = self._began + self._taken / self.plan.rate - time.monotonic()
        self._taken += 1
        return request_id, wait

    def codec(self) -> Codec:
        """A codec for a new connection; raises ImportError when it needs a package that is not there."""
        return self._codec_class(self.plan)

    def record(
        self, request_id: str, codec: Codec | None, error: str | None, seconds: float, sock: socket.socket | None
    ) -> None:
        """Count, and where asked keep, what became of one request."""
        if len(self._observations) < self._keep:
            self._observations.append(self._observe(request_id, codec, error, seconds, sock))
        if self.plan.each:
            return
        self._seconds.append(seconds)
        if error:
            self._errors[error] += 1
        if codec is not None:
            if codec.pod is not None:
                self._pods[codec.pod] += 1
            if codec.status is not None:
                self._status[codec.status] += 1

    def _observe(
        self, request_id: str, codec: Codec | None, error: str | None, seconds: float, sock: socket.socket | None
    ) -> dict[str, Any]:
        local = remote = ""
        # Raw answers need not be text: each byte is a character, so that nothing is lost.
        coding = "latin-1" if self.plan.protocol == "raw" else "utf-8"
        if sock is not None:
            try:
                local = _show_address(sock.getsockname())
                remote = _show_address(sock.getpeername())
            except OSError:
                pass  # a refused connection has no peer
        return {
            "id": request_id,
            "status": codec.status if codec else None,
            "pod": codec.pod if codec else None,
            "error": error,
            "headers": codec.fields if codec else [],
            "body": codec.body[:SHOWN_BODY].decode(coding, "replace") if codec else "",
            "seconds": round(seconds, 6),
            "local": local,
            "remote": remote,
        }

    def slot_ended(self) -> None:
        """Called by each slot when it found no more to do."""
        self._open -= 1
        if self._open or self.ended:
            return
        self.ended = True
        self._watch.cancel()
        if not self.result.done():
            self.result.set_result(self._report())

    def _report(self) -> dict[str, Any]:
        if self.plan.each:
            return {"observations": self._observations}
        elapsed = time.monotonic() - self._began
        ordered = sorted(self._seconds)

        def quantile(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 6)

        return {
            "histogram": {
                "requests": len(ordered),
                "pods": dict(self._pods),
                "status": {str(status): count for status, count in self._status.items()},
                "errors": dict(self._errors),
                "seconds": {
                    "p50": quantile(0.5),
                    "p90": quantile(0.9),
                    "p99": quantile(0.99),
                    "max": round(ordered[-1], 6),
                },
                "elapsed": round(elapsed, 6),
            },
            "samples": self._observations,
        }

    def _sweep(self) -> None:
        """Expire what is overdue; one timer for all slots, as one per request would cost more than the request."""
        now = time.monotonic()
        nearest = now + self.plan.timeout
        for slot in self._slots:
            if slot.active and slot.deadline <= now:
                slot.expire()
            elif slot.active:
                nearest = min(nearest, slot.deadline)
        self._watch = self.loop.call_later(max(0.001, nearest - now), self._sweep)


# ---------------------------------------------------------------------------------------------------------------------
# Control


class ControlConnection(HttpConnection):
    """The agent's side: JSON in, JSON out."""

    body_limit = CONTROL_BODY_LIMIT
    keep_body = CONTROL_BODY_LIMIT

    def __init__(self, app: App, port: int) -> None:
        super().__init__(app, port)
        self._run: Run | None = None

    def eof_received(self) -> bool:
        """Called by asyncio: who asks sends no more only when it is gone."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: whoever asked is gone, or comes back on another connection."""
        if self._run is not None:
            self._run.leave()
            self._run = None

    def answer(self, request: Request) -> None:
        """Dispatch by path; a run answers later."""
        routes: dict[str, tuple[str, Callable[[Any], dict[str, Any] | None]]] = {
            "/healthz": ("GET", self._healthz),
            "/run": ("POST", self._start_run),
            "/seen": ("POST", self._seen),
            "/log": ("POST", self._log),
            "/behaviour": ("POST", self._behaviour),
            "/reset": ("POST", self._reset),
        }
        self._keep_alive = request.keep
        method, handler = routes.get(request.path, ("", None))
        if handler is None:
            self._reply(404, {"error": f"{request.path} is not known; known are {', '.join(routes)}"})
        elif request.method != method:
            self._reply(405, {"error": f"{request.path} takes {method}, not {request.method}"})
        else:
            try:
                answer = handler(json.loads(request.body.kept) if request.body.kept else {})
            except (BadPlan, RecursionError) as problem:
                self._reply(400, {"error": str(problem)})
            except Restarted as problem:
                self._reply(409, {"error": str(problem)})
            except ValueError as problem:
                self._reply(400, {"error": f"the body is not JSON: {problem}"})
            else:
                if answer is not None:
                    self._reply(200, answer)

    def _reply(self, status: int, data: dict[str, Any]) -> None:
        body = (_encode({**data, "instance": self.app.instance}) + "\n").encode()
        self.finish(response_head(status, len(body), close=not self._keep_alive) + body, self._keep_alive)

    def _healthz(self, _: Any) -> dict[str, Any]:
        settings = self.app.settings
        whose = {"app": APP, "pod": settings.pod, "namespace": settings.namespace, "pod_ip": settings.pod_ip}
        return {"ok": True, **whose}

    def _start_run(self, data: Any) -> None:
        plan = Plan.from_json(data)
        if plan.instance not in ("", self.app.instance):
            raise Restarted("the pod has started again, and what became of the plan is not known")
        run = self.app.runs.get(plan.name)
        if run is None:
            run = Run(self.app, plan)
            if plan.name:
                self.app.keep(plan.name, run)
            run.start()
        elif run.ended and not run.result.done():
            raise Restarted("the plan was given up, because nobody came back for it in time")
        self._run = run
        run.claim()
        self.later()
        run.result.add_done_callback(self._run_ended)

    def _run_ended(self, result: asyncio.Future[dict[str, Any]]) -> None:
        if self._run is not None and not result.cancelled():
            self._run = None
            self._reply(200, result.result())

    def _seen(self, data: Any) -> dict[str, Any]:
        ids = _table(data, "question", {"ids"}).get("ids", [])
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise BadPlan("ids: give a list of strings")
        return {"seen": self.app.log.seen(ids, self.app.pod)}

    def _log(self, data: Any) -> dict[str, Any]:
        table = _table(data, "question", {"since", "limit"})
        since = _number(table, "since", 0, 0, sys.maxsize, whole=True)
        limit = _number(table, "limit", 1000, 1, LOG_LIMIT, whole=True)
        return self.app.log.since(int(since or 0), int(limit or 0), self.app.pod)

    def _behaviour(self, data: Any) -> dict[str, Any]:
        behaviour = Behaviour.from_json(data)
        self.app.behave(None if behaviour == Behaviour() else behaviour)
        return {"behaviour": behaviour._asdict() | {"headers": dict(behaviour.headers)}}

    def _reset(self, _: Any) -> dict[str, Any]:
        self.app.behave(None)
        self.app.log.clear()
        return {"ok": True}


# ---------------------------------------------------------------------------------------------------------------------
# The process


async def serve(app: App) -> None:
    """Open every port of the settings; raises OSError naming the port that could not be opened."""
    loop = asyncio.get_running_loop()
    settings = app.settings
    servers: list[tuple[int, Callable[[int], asyncio.Protocol]]] = [
        *((port, lambda port: DataConnection(app, port)) for port in settings.http_ports),
        *((port, lambda port: LineServer(app, port)) for port in settings.tcp_ports),
        *((port, lambda port: LineServer(app, port, banner=True)) for port in settings.banner_ports),
    ]
    for port, factory in servers:
        await _listen(loop, settings.bind, port, factory)
    for port in settings.udp_ports:
        try:
            await loop.create_datagram_endpoint(lambda port=port: DatagramServer(app, port), (settings.bind, port))  # type: ignore[misc]
        except OSError as problem:
            raise _cannot_open("UDP", settings.bind, port, problem) from None
    # Last, because an agent that answers says that everything is open.
    await _listen(loop, settings.bind, settings.control_port, lambda port: ControlConnection(app, port))


async def _listen(
    loop: asyncio.AbstractEventLoop, bind: str, port: int, factory: Callable[[int], asyncio.Protocol]
) -> None:
    try:
        await loop.create_server(lambda: factory(port), bind, port, backlog=1024)
    except OSError as problem:
        raise _cannot_open("TCP", bind, port, problem) from None


def _cannot_open(kind: str, bind: str, port: int, problem: OSError) -> OSError:
    reason = os.strerror(problem.errno) if problem.errno else str(problem)
    advice = " (ss -lntup shows who has it)" if problem.errno == errno.EADDRINUSE else ""
    return OSError(f"cannot open {kind} port {port} on {bind}: {reason}{advice}")


def _raise_file_limit() -> None:
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ImportError, OSError, ValueError):
        pass  # fewer connections at a time, nothing worse


def _end(*_: object) -> NoReturn:
    os._exit(0)


async def _main(settings: Settings) -> None:
    await serve(App(settings))
    # What stands now stays, and the log only grows: the collector need not walk it at every turn.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
    print(f"{settings.namespace}/{settings.pod}: ready, control port {settings.control_port}", flush=True)
    await asyncio.Event().wait()


def main() -> int:
    """Run until a signal; the exit status is 2 for bad settings, 1 for a port that cannot be opened."""
    # As process 1 of a container, SIGTERM without a handler is ignored. Nothing here needs an orderly end.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        settings = Settings.from_env(dict(os.environ))
    except BadSetting as problem:
        print(f"sample_app: {problem}", file=sys.stderr)
        return 2
    _raise_file_limit()
    try:
        asyncio.run(_main(settings))
    except OSError as problem:
        print(f"sample_app: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
