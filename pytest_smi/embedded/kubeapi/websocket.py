"""The server side of WebSocket (RFC 6455): handshake values, frames, and a connection that speaks messages.

No extensions are negotiated. Frames are parsed by a pure, incremental `FrameParser`; `WebSocket` adds what needs a
connection: reassembly, ping and pong, and the closing handshake.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_MESSAGE = 16 * 1024 * 1024
READ_SIZE = 256 * 1024
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Opcode(IntEnum):
    """Frame types, RFC 6455 section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """The status codes used here, RFC 6455 section 7.4.1."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    TOO_BIG = 1009
    INTERNAL = 1011


class ProtocolError(Exception):
    """The peer broke RFC 6455; `code` is what the connection is closed with."""

    def __init__(self, message: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


class HandshakeRefused(Exception):
    """The request is not a WebSocket upgrade that can be served; the text says why."""


@dataclass(frozen=True)
class Frame:
    """One unmasked frame."""

    fin: bool
    opcode: Opcode
    payload: bytes


class ByteReader(Protocol):
    """What is needed of `asyncio.StreamReader`: up to n bytes, empty at the end."""

    async def read(self, n: int = -1, /) -> bytes:
        """Up to `n` bytes; empty at the end of the stream."""
        ...


class ByteWriter(Protocol):
    """What is needed of `asyncio.StreamWriter`."""

    def write(self, data: bytes, /) -> None:
        """Queue bytes."""
        ...

    async def drain(self) -> None:
        """Wait until the queue is short again."""
        ...

    def close(self) -> None:
        """Close the connection after what is queued."""
        ...


def accept_key(key: str) -> str:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key.strip().encode() + _GUID).digest()).decode()


def handshake(headers: Mapping[str, str], supported: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Choose a subprotocol and give the headers of the 101 answer.

    `headers` has lower-case names. The client's order of preference decides among the `supported`. Raises
    HandshakeRefused when this is no version-13 upgrade or when no offered subprotocol is supported.
    """
    if "websocket" not in headers.get("upgrade", "").lower():
        raise HandshakeRefused("Upgrade request required")
    if headers.get("sec-websocket-version", "").strip() != "13" or not headers.get("sec-websocket-key"):
        raise HandshakeRefused("WebSocket version 13 with a Sec-WebSocket-Key is required")
    offered = [item.strip() for item in headers.get("sec-websocket-protocol", "").split(",") if item.strip()]
    chosen = next((item for item in offered if item in supported), None)
    if chosen is None:
        raise HandshakeRefused(
            f"none of the subprotocols offered is supported: {offered}, supported: {list(supported)}"
        )
    return chosen, {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(headers["sec-websocket-key"]),
        "Sec-WebSocket-Protocol": chosen,
    }


def mask_payload(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated 4-byte mask (its own inverse). One big-integer XOR: fast enough for bulk data."""
    if not payload:
        return payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(len(payload))


def encode_frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = None) -> bytes:
    """One frame on the wire. Servers do not mask; clients (our tests) must."""
    length = len(payload)
    masked = 0x80 if mask else 0
    first = (0x80 if fin else 0) | opcode
    if length < 126:
        head = struct.pack("!BB", first, masked | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, masked | 126, length)
    else:
        head = struct.pack("!BBQ", first, masked | 127, length)
    return head + (mask + mask_payload(payload, mask) if mask else payload)


class FrameParser:
    """Bytes in, frames out. `masked` says what the peer must do (clients mask, servers do not)."""

    def __init__(self, *, masked: bool = True, limit: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._masked = masked
        self._limit = limit

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived; return the frames that are complete. Raises ProtocolError."""
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        self._check(first, second)
        length, offset = second & 0x7F, 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if len(buffer) < 2 + width:
                return None
            length, offset = int.from_bytes(buffer[2 : 2 + width]), 2 + width
        if length > self._limit:
            raise ProtocolError(f"a frame of {length} bytes exceeds the limit of {self._limit}", CloseCode.TOO_BIG)
        start = offset + (4 if self._masked else 0)
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length])
        if self._masked:
            payload = mask_payload(payload, bytes(buffer[offset:start]))
        del buffer[: start + length]
        return Frame(bool(first & 0x80), Opcode(first & 0x0F), payload)

    def _check(self, first: int, second: int) -> None:
        """Refuse what RFC 6455 sections 5.1, 5.2 and 5.5 forbid, from the first two bytes."""
        opcode = first & 0x0F
        if first & 0x70:
            raise ProtocolError("reserved bits are set but no extension was negotiated")
        if opcode not in Opcode.__members__.values():
            raise ProtocolError(f"unknown opcode {opcode}")
        if bool(second & 0x80) != self._masked:
            raise ProtocolError("a client must mask its frames" if self._masked else "a server must not mask")
        if opcode >= Opcode.CLOSE and (not first & 0x80 or second & 0x7F > 125):
            raise ProtocolError("a control frame must be whole and at most 125 bytes long")


class WebSocket:
    """A connection after the handshake. One task may receive while any number send."""

    def __init__(
        self, reader: ByteReader, writer: ByteWriter, subprotocol: str = "", *, limit: int = MAX_MESSAGE
    ) -> None:
        self.subprotocol = subprotocol
        self.closed = False
        self._reader = reader
        self._writer = writer
        self._parser = FrameParser(limit=limit)
        self._frames: list[Frame] = []
        self._partial: tuple[Opcode, bytearray] | None = None
        self._limit = limit

    async def receive(self) -> bytes | None:
        """The next whole message (text as its UTF-8 bytes); None once the peer closed, broke off or broke the rules."""
        while not self.closed:
            try:
                frame = await self._frame()
                message = None if frame is None else await self._accept(frame)
            except ProtocolError as error:
                await self.close(error.code, str(error))
                return None
            except (ConnectionError, OSError):
                frame = message = None
            if frame is None:
                self.closed = True
                self._writer.close()
                return None
            if message is not None:
                return message
        return None

    async def send(self, payload: bytes, *, text: bool = False) -> None:
        """Send one message; waits while the peer reads slowly. Raises ConnectionError when closed."""
        if self.closed:
            raise ConnectionResetError("the WebSocket is closed")
        self._writer.write(encode_frame(Opcode.TEXT if text else Opcode.BINARY, payload))
        await self._writer.drain()

    async def close(self, code: CloseCode = CloseCode.NORMAL, reason: str = "") -> None:
        """Send a close frame (once) and close the connection after it."""
        if self.closed:
            return
        self.closed = True
        payload = struct.pack("!H", code) + reason.encode()[:120]
        try:
            self._writer.write(encode_frame(Opcode.CLOSE, payload))
            await self._writer.drain()
        except (ConnectionError, OSError):
            pass  # the peer is gone already: nobody is left to tell
        self._writer.close()

    async def _frame(self) -> Frame | None:
        while not self._frames:
            data = await self._reader.read(READ_SIZE)
            if not data:
                return None
            self._frames = self._parser.feed(data)
        return self._frames.pop(0)

    async def _accept(self, frame: Frame) -> bytes | None:
        """Handle one frame; return a message when this one completes it."""
        if frame.opcode is Opcode.PING:
            self._writer.write(encode_frame(Opcode.PONG, frame.payload))
            await self._writer.drain()
        elif frame.opcode is Opcode.CLOSE:
            code = int.from_bytes(frame.payload[:2]) if len(frame.payload) >= 2 else CloseCode.NORMAL
            await self.close(CloseCode(code) if code in CloseCode.__members__.values() else CloseCode.NORMAL)
        elif frame.opcode is not Opcode.PONG:
            return self._assemble(frame)
        return None

    def _assemble(self, frame: Frame) -> bytes | None:
        """Join fragments, RFC 6455 section 5.4."""
        if (frame.opcode is Opcode.CONTINUATION) == (self._partial is None):
            raise ProtocolError("a fragment is out of place")
        if self._partial is None:
            if frame.fin:
                return frame.payload
            self._partial = (frame.opcode, bytearray(frame.payload))
            return None
        self._partial[1].extend(frame.payload)
        if len(self._partial[1]) > self._limit:
            raise ProtocolError(f"a message exceeds the limit of {self._limit} bytes", CloseCode.TOO_BIG)
        if not frame.fin:
            return None
        message, self._partial = bytes(self._partial[1]), None
        return message
