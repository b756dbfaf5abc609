"""SPDY/3.1 as far as `kubectl port-forward` needs it: a server that accepts streams (draft-mbelshe-httpbis-spdy-00).

kubectl 1.31 and newer tunnels SPDY through a WebSocket. Frames are parsed and made by pure functions and classes;
`Session` turns them into `Stream` objects with a readable and a writable half. Flow control is not enforced: the one
client there is (client-go) neither sends nor waits for window updates; each direction is held back by the tunnel below.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

Send = Callable[[bytes], Awaitable[None]]

FLAG_FIN = 0x01
MAX_FRAME = 16 * 1024 * 1024
MAX_QUEUED = 64

# The dictionary that primes header compression, section 2.6.10.1: length-prefixed words, then one run of text.
_WORDS = """options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since
if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"""
_CODES = "100 101 201 202 205 206 300 302 303 304 305 306 307 402 405 406 407 408 409 410 411 412 413 414 415 416 417"
_PHRASES = (
    "203 Non-Authoritative Information",
    "204 No Content",
    "301 Moved Permanently",
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "500 Internal Server Error",
    "501 Not Implemented",
    "503 Service Unavailable",
)
_TAIL = (
    _CODES.replace(" ", "")
    + "502504505"
    + "".join(_PHRASES)
    + "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    + "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    + "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    words = [word.replace("_", " ").encode() for word in _WORDS.split()]
    return b"".join(struct.pack("!I", len(word)) + word for word in words) + _TAIL.encode()


HEADER_DICTIONARY = _dictionary()


class Control(IntEnum):
    """Control frame types, section 2.6."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class SpdyError(Exception):
    """The peer broke the protocol; the tunnel has to be given up."""


@dataclass(frozen=True)
class Frame:
    """A control frame (`kind` set) or a data frame (`kind` None, `stream` set) as it came."""

    kind: int | None
    stream: int
    flags: int
    payload: bytes


def control_frame(kind: Control, payload: bytes, flags: int = 0) -> bytes:
    """A control frame on the wire, section 2.2.1."""
    return struct.pack("!HHI", 0x8003, kind, flags << 24 | len(payload)) + payload


def data_frame(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """A data frame on the wire, section 2.2.2."""
    return struct.pack("!II", stream, (FLAG_FIN if fin else 0) << 24 | len(payload)) + payload


class FrameParser:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived; return the frames that are complete. Raises SpdyError."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= 8:
            word, sized = struct.unpack_from("!II", self._buffer)
            length = sized & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                break
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if not word & 0x80000000:
                frames.append(Frame(None, word, sized >> 24, payload))
            elif word >> 16 != 0x8003:
                raise SpdyError(f"SPDY version {word >> 16 & 0x7FFF} is not supported, only 3")
            else:
                frames.append(Frame(word & 0xFFFF, 0, sized >> 24, payload))
        return frames


class HeaderCodec:
    """Name/value blocks, section 2.6.10. Compression is one zlib stream per direction for the whole session."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(9, zdict=HEADER_DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=HEADER_DICTIONARY)

    def encode(self, headers: dict[str, str]) -> bytes:
        """Compress a block; names are lower-cased."""
        block = struct.pack("!I", len(headers))
        for name, value in headers.items():
            for part in (name.lower().encode(), value.encode()):
                block += struct.pack("!I", len(part)) + part
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def decode(self, data: bytes) -> dict[str, str]:
        """Decompress a block. Raises SpdyError for one that is not well formed."""
        try:
            block = self._inflate.decompress(data, MAX_FRAME)
            (count,) = struct.unpack_from("!I", block)
            parts, offset = [], 4
            for _ in range(2 * count):
                (length,) = struct.unpack_from("!I", block, offset)
                parts.append(block[offset + 4 : offset + 4 + length].decode())
                offset += 4 + length
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a header block cannot be read: {error}") from error
        return dict(zip(parts[::2], parts[1::2], strict=True))


class Stream:
    """One bidirectional stream; `headers` are those it was opened with (names lower-case)."""

    def __init__(self, number: int, headers: dict[str, str], send: Send) -> None:
        self.number = number
        self.headers = headers
        self.finished = False
        self._send = send
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        self._ended = False

    async def read(self, n: int = -1) -> bytes:
        """The next piece that arrived; empty once the peer finished its half. `n` is ignored."""
        if self._ended and self._incoming.empty():
            return b""
        piece = await self._incoming.get()
        self._ended = self._ended or not piece
        return piece

    async def write(self, data: bytes) -> None:
        """Send bytes on our half. Raises ConnectionError when that half is closed."""
        if self.finished:
            raise ConnectionResetError(f"stream {self.number} is closed")
        await self._send(data_frame(self.number, data))

    async def finish(self) -> None:
        """Close our half; idempotent."""
        if not self.finished:
            self.finished = True
            await self._send(data_frame(self.number, b"", fin=True))

    async def reset(self) -> None:
        """Abort both halves (RST_STREAM, CANCEL)."""
        self.finished = True
        await self._send(control_frame(Control.RST_STREAM, struct.pack("!II", self.number, 5)))

    async def deliver(self, data: bytes, *, fin: bool) -> None:
        """Called by the session: bytes and/or the end arrived. Waits while the reader is slow."""
        if data:
            await self._incoming.put(data)
        if fin:
            await self._incoming.put(b"")

    def abort(self) -> None:
        """Called by the session: nothing more will come, whatever is queued is void."""
        self.finished = self._ended = True
        while not self._incoming.empty():
            self._incoming.get_nowait()
        self._incoming.put_nowait(b"")


class Session:
    """The server end of one SPDY connection over any tunnel of bytes.

    `send` writes raw bytes; `opened` is called for each new stream, which has been accepted already. Feed what arrives
    to `feed`; the session is over when the tunnel is.
    """

    def __init__(self, send: Send, opened: Callable[[Stream], None]) -> None:
        self.streams: dict[int, Stream] = {}
        self._send = send
        self._opened = opened
        self._parser = FrameParser()
        self._codec = HeaderCodec()

    async def feed(self, data: bytes) -> None:
        """Handle what arrived. Raises SpdyError when the session cannot go on."""
        for frame in self._parser.feed(data):
            if frame.kind is None:
                await self._data(frame)
            else:
                await self._control(frame)

    def abort(self) -> None:
        """End every stream: the tunnel is gone."""
        for stream in self.streams.values():
            stream.abort()
        self.streams.clear()

    async def _data(self, frame: Frame) -> None:
        stream = self.streams.get(frame.stream)
        if stream is None:
            return  # data that crossed our reset: harmless, section 2.2.2 lets us drop it
        await stream.deliver(frame.payload, fin=bool(frame.flags & FLAG_FIN))

    async def _control(self, frame: Frame) -> None:
        match frame.kind:
            case Control.SYN_STREAM:
                await self._open(frame)
            case Control.RST_STREAM:
                stream = self.streams.pop(_number(frame.payload), None)
                if stream:
                    stream.abort()
            case Control.PING:
                if _number(frame.payload) % 2:  # odd ids are the client's own pings; even ones answer ours
                    await self._send(control_frame(Control.PING, frame.payload))
            case Control.HEADERS:
                self._codec.decode(frame.payload[4:])  # the compression state is shared: it has to be read
            case _:
                pass  # GOAWAY, SETTINGS, WINDOW_UPDATE change nothing here; unknown types are to be ignored, 2.2.1

    async def _open(self, frame: Frame) -> None:
        number = _number(frame.payload)
        headers = self._codec.decode(frame.payload[10:])
        if not number % 2 or number in self.streams:
            raise SpdyError(f"stream id {number} cannot be opened by a client")
        stream = Stream(number, headers, self._send)
        self.streams[number] = stream
        await self._send(control_frame(Control.SYN_REPLY, struct.pack("!I", number) + self._codec.encode({})))
        if frame.flags & FLAG_FIN:
            await stream.deliver(b"", fin=True)
        self._opened(stream)


def _number(payload: bytes) -> int:
    if len(payload) < 4:
        raise SpdyError("a control frame is too short")
    return int.from_bytes(payload[:4]) & 0x7FFFFFFF
