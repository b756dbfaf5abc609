"""Exec: the outcome as a Status, and output that outlives its command."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_smi.embedded.kubeapi import stream_exec

if TYPE_CHECKING:
    from pytest_smi.embedded.kubeapi.websocket import WebSocket
    from pytest_smi.embedded.node.api import NodeApi

PLAN = stream_exec.Plan("default", "teapot", "app", ("program",), stdin=False, stdout=True, stderr=True)
NO_SUCH_PROCESS = (1 << 31) - 1


class Ended:
    """A process that has ended with output still in its pipe; `open_pipe` leaves stdout without an end."""

    pid = NO_SUCH_PROCESS
    stdin = None
    returncode = 0

    def __init__(self, output: bytes, *, open_pipe: bool = False) -> None:
        self.stdout, self.stderr = asyncio.StreamReader(), asyncio.StreamReader()
        self.stdout.feed_data(output)
        if not open_pipe:
            self.stdout.feed_eof()
        self.stderr.feed_eof()

    async def wait(self) -> int:
        return 0


class Node:
    """Gives one prepared process, or fails as told."""

    def __init__(self, process: Ended | None = None, failure: Exception | None = None) -> None:
        self.process = process
        self.failure = failure

    async def exec(self, *args: Any, **options: Any) -> Ended:
        if self.failure:
            raise self.failure
        assert self.process
        return self.process


class SlowSocket:
    """A client that takes each message of output only after a while, and never sends anything."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.channels: dict[int, bytes] = {}

    async def send(self, message: bytes) -> None:
        if message[0] == stream_exec.STDOUT and len(message) > 1:
            await asyncio.sleep(self.seconds)
        self.channels[message[0]] = self.channels.get(message[0], b"") + message[1:]

    async def receive(self) -> bytes | None:
        await asyncio.Event().wait()
        return None


def serve(node: Node, socket: SlowSocket) -> dict[str, Any]:
    """Run to the end; the Status on the error channel."""

    async def run() -> None:
        async with asyncio.timeout(10.0):
            await stream_exec.serve(cast("WebSocket", socket), cast("NodeApi", node), PLAN)

    asyncio.run(run())
    status: dict[str, Any] = json.loads(socket.channels[stream_exec.ERROR])
    return status


def test_a_slow_client_still_gets_all_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_exec, "LINGER_SECONDS", 0.005)
    output = bytes(10 * stream_exec.BLOCK)
    socket = SlowSocket(seconds=0.05)

    async def process() -> Ended:
        return Ended(output)

    assert serve(Node(asyncio.run(process())), socket)["status"] == "Success"
    assert socket.channels[stream_exec.STDOUT] == output


def test_a_pipe_that_a_child_keeps_open_does_not_hold_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_exec, "LINGER_SECONDS", 0.005)

    async def process() -> Ended:
        return Ended(b"done", open_pipe=True)

    socket = SlowSocket()
    assert serve(Node(asyncio.run(process())), socket)["status"] == "Success"
    assert socket.channels[stream_exec.STDOUT] == b"done"


@pytest.mark.parametrize(("code", "shown"), [(1, "1"), (255, "255"), (-9, "137"), (-15, "143")])
def test_a_failure_tells_its_exit_code(code: int, shown: str) -> None:
    status = stream_exec.outcome(code)
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": shown}]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (FileNotFoundError("x"), "NonZeroExitCode"),
        (LookupError("gone"), "InternalError"),
        (OSError("e"), "InternalError"),
    ],
)
def test_a_command_that_cannot_start_is_reported_on_the_error_channel(failure: Exception, reason: str) -> None:
    assert serve(Node(failure=failure), SlowSocket())["reason"] == reason
