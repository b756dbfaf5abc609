"""Upgrades to SPDY/3.1 itself: how clients before kubectl 1.31 exec and forward, and how an API server asks a kubelet.

The streams of a SPDY session take the place of a WebSocket's channels (`Channels`), or its bytes that of a WebSocket's
messages (`Bytes`); so stream_exec.py and stream_forward.py serve both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_smi.embedded.kubeapi import spdy, status
from pytest_smi.embedded.kubeapi.http import UpgradeResponse
from pytest_smi.embedded.kubeapi.stream_exec import CLOSE, ERROR, STDERR, STDIN, STDOUT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from pytest_smi.embedded.kubeapi.http import Request

BLOCK = 64 * 1024
OPEN_SECONDS = 30.0
_VERSION = "x-stream-protocol-version"
_NUMBERS = {"error": ERROR, "stdin": STDIN, "stdout": STDOUT, "stderr": STDERR}


def is_wanted(request: Request) -> bool:
    """Whether a request asks for SPDY."""
    return request.headers.get("upgrade", "").lower().startswith("spdy")


def answer(request: Request, protocols: Sequence[str], talk: Callable[[Bytes], Awaitable[None]]) -> UpgradeResponse:
    """Answer an upgrade; `talk` runs until the conversation is over. Raises ApiError (403) for no common protocol."""
    offered = [name.strip() for name in request.headers.get(_VERSION, "").split(",")]
    chosen = next((name for name in offered if name in protocols), None)
    if chosen is None:
        raise status.status(403, "Forbidden", f"unable to upgrade: none of {offered} is spoken, only {list(protocols)}")

    async def takeover(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(Bytes(reader, writer))

    return UpgradeResponse(takeover, {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", _VERSION: chosen})


class Bytes:
    """A connection as a tunnel of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait while the client is slow. Raises ConnectionError when it has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        """What arrived; None at the end."""
        try:
            return await self._reader.read(BLOCK) or None
        except ConnectionError:
            return None


class Channels:
    """The streams of an exec, as numbered channels; `wanted` names those that the client will open."""

    def __init__(self, tunnel: Bytes, wanted: Collection[str]) -> None:
        self._tunnel = tunnel
        self._wanted = {"error", *wanted}
        self._streams: dict[int, spdy.Stream] = {}
        self._complete = asyncio.Event()
        self._session = spdy.Session(tunnel.send, self._opened)
        self._pump = asyncio.ensure_future(self._feed())
        self._input_ended = False

    async def open(self) -> bool:
        """Wait for all streams; False when they do not come."""
        waiting = asyncio.ensure_future(self._complete.wait())
        await asyncio.wait({waiting, self._pump}, timeout=OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return self._complete.is_set()

    async def send(self, message: bytes) -> None:
        """Send to the channel that the first byte names."""
        if len(message) > 1 and (stream := self._streams.get(message[0])):
            await stream.write(message[1:])

    async def receive(self) -> bytes | None:
        """Input, or its end; None when the client has gone."""
        stdin = self._streams.get(STDIN)
        if stdin is None or self._input_ended:
            await asyncio.wait({self._pump})
            return None
        piece = await stdin.read()
        self._input_ended = not piece
        return bytes([STDIN]) + piece if piece else bytes([CLOSE, STDIN])

    async def close(self) -> None:
        """End every stream, and wait a moment for the client to end the connection."""
        for stream in self._streams.values():
            await stream.finish()
        await asyncio.wait({self._pump}, timeout=1.0)
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        self._session.abort()

    def _opened(self, stream: spdy.Stream) -> None:
        kind = stream.headers.get("streamtype", "")
        if kind in _NUMBERS:
            self._streams[_NUMBERS[kind]] = stream
        if len(self._streams) == len(self._wanted):
            self._complete.set()

    async def _feed(self) -> None:
        try:
            while (data := await self._tunnel.receive()) is not None:
                await self._session.feed(data)
        except (spdy.SpdyError, ConnectionError):
            pass  # the session cannot go on: everybody sees its end
        finally:
            self._session.abort()
