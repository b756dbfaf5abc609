"""Port-forward, in the ways clients speak it.

*Channels* (`v4.channel.k8s.io`, the official Python client): for the i-th port, channel 2i carries data and 2i+1 an
error text; each begins with the port as two little-endian bytes from the server. There is no half-close.
*Tunnel* (`SPDY/3.1+portforward.k8s.io`, kubectl 1.31 and newer): the messages are the bytes of a SPDY session, in which
each connection is an error stream and a data stream with the same `requestid`. Older clients speak SPDY without a
WebSocket around it, and so does a real API server to a kubelet.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_smi.embedded.kubeapi import spdy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.kubeapi.websocket import WebSocket
    from pytest_smi.embedded.node.api import NodeApi

SPDY_PROTOCOL = "portforward.k8s.io"
CHANNEL_PROTOCOLS = ("v4.channel.k8s.io", SPDY_PROTOCOL)
TUNNEL_PROTOCOL = f"SPDY/3.1+{SPDY_PROTOCOL}"
BLOCK = 64 * 1024


class Tunnel(Protocol):
    """Bytes in both directions: a WebSocket's messages, or a connection."""

    async def send(self, data: bytes, /) -> None:
        """Send bytes. Raises ConnectionError when the client has gone."""

    async def receive(self) -> bytes | None:
        """What arrived; None at the end."""


class Refused(Exception):
    """The pod does not take a connection on that port; the text is for the client."""


@dataclass(frozen=True)
class Target:
    """The pod that is forwarded to."""

    node: NodeApi
    namespace: str
    pod: str
    uid: str

    async def dial(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a port of the pod. Raises Refused."""
        try:
            return await self.node.dial(self.namespace, self.pod, port)
        except (LookupError, OSError) as error:
            raise Refused(f"error forwarding port {port} to pod {self.pod}, uid {self.uid}: {error}") from error


async def serve_channels(socket: WebSocket, target: Target, ports: Sequence[int]) -> None:
    """Forward `ports` until every connection has ended or the client is gone."""
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await socket.send(struct.pack("<BH", channel, port))
    inbound: list[asyncio.Queue[bytes]] = [asyncio.Queue(maxsize=16) for _ in ports]
    forwards = [
        asyncio.ensure_future(_forward_channel(socket, target, port, 2 * index, inbound[index]))
        for index, port in enumerate(ports)
    ]
    distribute = asyncio.ensure_future(_distribute(socket, inbound))
    finished = asyncio.ensure_future(_all_done(forwards))
    tasks = [distribute, finished, *forwards]
    try:
        await asyncio.wait({distribute, finished}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def serve_tunnel(socket: Tunnel, target: Target) -> None:
    """Serve a SPDY session until the client is gone."""
    tunnel = _Tunnel(socket, target)
    try:
        while (message := await socket.receive()) is not None:
            await tunnel.session.feed(message)
    except (spdy.SpdyError, ConnectionError):
        pass  # the session cannot go on; closing the socket tells the client
    finally:
        await tunnel.end()


async def _all_done(forwards: Sequence[asyncio.Future[None]]) -> None:
    if forwards:
        await asyncio.wait(forwards)


async def _distribute(socket: WebSocket, inbound: Sequence[asyncio.Queue[bytes]]) -> None:
    while (message := await socket.receive()) is not None:
        if message and message[0] % 2 == 0 and message[0] // 2 < len(inbound) and len(message) > 1:
            await inbound[message[0] // 2].put(message[1:])


async def _forward_channel(
    socket: WebSocket, target: Target, port: int, channel: int, inbound: asyncio.Queue[bytes]
) -> None:
    try:
        reader, writer = await target.dial(port)
    except Refused as refusal:
        await socket.send(bytes([channel + 1]) + str(refusal).encode())
        return

    async def send() -> None:
        while True:
            writer.write(await inbound.get())
            await writer.drain()

    sending = asyncio.ensure_future(send())
    try:
        while data := await reader.read(BLOCK):
            await socket.send(bytes([channel]) + data)
    except ConnectionError:
        pass  # the pod broke the connection: the client sees the end of it
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()


class _Tunnel:
    """The connections of one SPDY session."""

    def __init__(self, socket: Tunnel, target: Target) -> None:
        self.session = spdy.Session(socket.send, self._opened)
        self._target = target
        self._halves: dict[str, dict[str, spdy.Stream]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        self.session.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _opened(self, stream: spdy.Stream) -> None:
        """Pair the streams of a connection by their request id; start it when both are there."""
        request = stream.headers.get("requestid", "")
        pair = self._halves.setdefault(request, {})
        pair[stream.headers.get("streamtype", "")] = stream
        if {"data", "error"} <= pair.keys():
            del self._halves[request]
            task = asyncio.ensure_future(self._forward(pair["data"], pair["error"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, data: spdy.Stream, error: spdy.Stream) -> None:
        with contextlib.suppress(ConnectionError):
            try:
                port = int(data.headers.get("port", ""))
                reader, writer = await self._target.dial(port)
            except (Refused, ValueError) as refusal:
                await error.write(str(refusal).encode())
            else:
                await _join(data, reader, writer)
            await error.finish()
            await data.finish()
        for stream in (data, error):
            self.session.streams.pop(stream.number, None)


async def _join(stream: spdy.Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry both directions with half-close; over when the pod's side has ended, as a kubelet does it."""

    async def send() -> None:
        while piece := await stream.read():
            writer.write(piece)
            await writer.drain()
        if stream.finished:
            writer.close()  # aborted, not half-closed: nobody waits for the rest of the answer
        elif writer.can_write_eof():
            writer.write_eof()

    sending = asyncio.ensure_future(send())
    try:
        while piece := await reader.read(BLOCK):
            await stream.write(piece)
    except ConnectionError:
        pass  # either side broke off: both are ended below
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
