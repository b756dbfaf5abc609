"""Exec: the remotecommand channels v4 and v5 (v5 adds a way to close stdin).

Each message begins with a channel byte: 0 stdin, 1 stdout, 2 stderr, 3 the outcome as a Status, 4 resize (ignored:
there are no terminals); in v5, 255 names a channel that the client has closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pytest_smi.embedded.node.api import NodeApi

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR = 0, 1, 2, 3
CLOSE = 255
BLOCK = 32 * 1024
LINGER_SECONDS = 0.5
LOOK_SECONDS = 0.05
NOT_FOUND_CODE = 127


class Socket(Protocol):
    """What carries the channels: a WebSocket, or the streams of a SPDY session."""

    async def send(self, message: bytes, /) -> None:
        """Send a message. Raises ConnectionError when the client has gone."""

    async def receive(self) -> bytes | None:
        """The next message; None when the client has gone."""


@dataclass(frozen=True)
class Plan:
    """What to run where, and which streams the client wants."""

    namespace: str
    pod: str
    container: str
    argv: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool

    @property
    def streams(self) -> list[str]:
        """The names of the streams that the client wants."""
        return [name for name in ("stdin", "stdout", "stderr") if getattr(self, name)]


async def serve(socket: Socket, node: NodeApi, plan: Plan) -> None:
    """Run the command and carry its streams until it ends; a client that leaves takes the command with it."""
    for channel in (STDOUT, STDERR, ERROR):
        await socket.send(bytes([channel]))  # tells the client that the channels stand, as a kubelet does
    try:
        process = await node.exec(plan.namespace, plan.pod, plan.container, list(plan.argv), stdin=plan.stdin)
    except FileNotFoundError:
        await socket.send(bytes([STDERR]) + f'exec: "{plan.argv[0]}": executable file not found\n'.encode())
        await _send_status(socket, outcome(NOT_FOUND_CODE))
        return
    except (LookupError, OSError) as error:
        await _send_status(socket, internal(f"error executing command in container: {error}"))
        return
    try:
        code = await _carry(socket, process, plan)
        if code is not None:
            await _send_status(socket, outcome(code))
    except ConnectionError:
        pass  # the client left while we were sending: nobody is there to be told
    finally:
        await _end(process)


def outcome(code: int) -> dict[str, Any]:
    """The Status that tells a command's exit code; negative codes (a signal) become 128 + signal as in a shell."""
    code = 128 - code if code < 0 else code
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def internal(message: str) -> dict[str, Any]:
    """The Status for a command that could not be started at all."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


async def _carry(socket: Socket, process: asyncio.subprocess.Process, plan: Plan) -> int | None:
    """Carry the streams; the exit code, or None when the client left first."""
    pumps = [
        _Pump(socket, STDOUT if plan.stdout else None, process.stdout),
        _Pump(socket, STDERR if plan.stderr else None, process.stderr),
    ]
    feed = asyncio.ensure_future(_feed(socket, process.stdin))
    exited = asyncio.ensure_future(_exit_code(process))
    try:
        await asyncio.wait({feed, exited}, return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            return None
        await _drain(pumps)
        return exited.result()
    finally:
        tasks = [feed, exited, *(pump.task for pump in pumps)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _exit_code(process: asyncio.subprocess.Process) -> int:
    """The exit code as soon as there is one.

    Before Python 3.12.4 `wait` does not return while a child in the background holds the pipes, so we look as well.
    """
    waiting = asyncio.ensure_future(process.wait())
    try:
        while process.returncode is None:
            await asyncio.wait({waiting}, timeout=LOOK_SECONDS)
        return process.returncode
    finally:
        waiting.cancel()


class _Pump:
    """Sends what a stream yields; reads and drops it when `channel` is None."""

    def __init__(self, socket: Socket, channel: int | None, stream: asyncio.StreamReader | None) -> None:
        self.idle = False
        self._socket = socket
        self._channel = channel
        self._stream = stream
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while self._stream:
            self.idle = True
            data = await self._stream.read(BLOCK)
            self.idle = False
            if not data:
                return
            if self._channel is not None:
                await self._socket.send(bytes([self._channel]) + data)


async def _drain(pumps: list[_Pump]) -> None:
    """Wait for the rest of the output: to its end, or until nothing comes any more.

    The pipes stay open when the command has left a child behind that holds them; a slow client is waited for.
    """
    left = {pump.task for pump in pumps}
    while left:
        finished, left = await asyncio.wait(left, timeout=LINGER_SECONDS)
        if not finished and all(pump.idle for pump in pumps if pump.task in left):
            return


async def _feed(socket: Socket, stdin: asyncio.StreamWriter | None) -> None:
    """Take messages until the client is gone."""
    while (message := await socket.receive()) is not None:
        if stdin is None or not message:
            continue
        if message[0] == STDIN and not stdin.is_closing():
            with contextlib.suppress(ConnectionError):  # a command need not read its input
                stdin.write(message[1:])
                await stdin.drain()
        elif message[:2] == bytes([CLOSE, STDIN]):
            stdin.close()


async def _send_status(socket: Socket, status: dict[str, Any]) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send(bytes([ERROR]) + json.dumps(status).encode())


async def _end(process: asyncio.subprocess.Process) -> None:
    """Make sure that nothing of the command is left: it leads a session, and so a process group, of its own.

    On a real node children in the background would live on; here nobody else would ever end them.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
