"""One HTTP/1.1 client connection: enough of RFC 9112 to talk to a Kubernetes API server, and nothing more.

Bodies arrive with a Content-Length or chunked; `Connection` knows whether it may be used again afterwards.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

_BUFFER = 1 << 22  # bytes; one line or head may not be longer, and a large list is read in few wake-ups


class StaleConnection(ConnectionError):
    """A kept-alive connection turned out to be closed before any byte of an answer came."""


@dataclass
class Head:
    """Status line and the header fields that decide how the body ends."""

    status: int
    length: int | None
    chunked: bool
    close: bool


def parse_head(raw: bytes) -> Head:
    """Reads a response head, as far as the blank line. Raises ConnectionError when it is not HTTP/1.x."""
    lines = raw.split(b"\r\n")
    version, _, rest = lines[0].partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ConnectionError(f"not an HTTP/1.x answer: {lines[0][:80]!r}")
    head = Head(int(rest[:3]), None, False, version == b"HTTP/1.0")
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-length":
                head.length = int(value)
            case b"transfer-encoding":
                head.chunked = b"chunked" in value.lower()
            case b"connection":
                head.close = b"close" in value.lower()
    if head.status in (204, 304):
        head.length = 0
    return head


class Connection:
    """One TCP or TLS connection to `host:port`. Not for concurrent use."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._used = False
        self._reusable = True

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None) -> "Connection":
        """Connects; raises OSError when nothing answers (asyncio itself switches Nagle's delay off)."""
        return cls(*await asyncio.open_connection(host, port, ssl=tls, limit=_BUFFER))

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent once the body has been read."""
        return self._reusable and not self._reader.at_eof() and not self._writer.is_closing()

    async def send(self, head: bytes, body: bytes) -> Head:
        """Sends one request and reads the head of its answer."""
        try:
            self._writer.write(head + body)
            answer = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as fault:
            self._reusable = False
            if self._used and not getattr(fault, "partial", b""):
                raise StaleConnection("kept-alive connection was closed by the server") from None
            raise ConnectionError(f"the server closed the connection without an answer ({fault})") from None
        self._used = True
        parsed = parse_head(answer)
        self._reusable = not parsed.close and (parsed.chunked or parsed.length is not None)
        return parsed

    async def body(self, head: Head) -> bytes:
        """The whole body of the answer that `send` began. Raises ConnectionError when it is cut off."""
        if head.chunked:
            return b"".join([piece async for piece in self.pieces(head)])
        if head.length is None:
            return await self._reader.read()
        return await self._exactly(head.length) if head.length else b""

    async def pieces(self, head: Head) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive. Raises ConnectionError when it is cut off."""
        if not head.chunked:
            async for piece in self._parts(head.length):
                yield piece
            return
        while size := int((await self._line()).split(b";")[0], 16):
            async for piece in self._parts(size):
                yield piece
            await self._line()
        await self._line()

    async def _parts(self, size: int | None) -> AsyncIterator[bytes]:
        """So many bytes (None: all until the end), none of the parts too large to be held."""
        left = size
        while left != 0:
            try:
                part = await self._reader.read(_BUFFER if left is None else min(left, _BUFFER))
            except ConnectionError:
                raise self._cut_off() from None
            if not part and left is None:
                return
            if not part:
                raise self._cut_off()
            left = None if left is None else left - len(part)
            yield part

    async def _line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            raise self._cut_off() from None

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise self._cut_off() from None

    def _cut_off(self) -> ConnectionError:
        self._reusable = False
        return ConnectionError("the server closed the connection in the middle of an answer")

    def close(self) -> None:
        """Closes at once, without waiting for the peer."""
        self._reusable = False
        self._writer.transport.abort()
