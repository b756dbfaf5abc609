"""Sample applications as local processes, each on a loopback address of its own, with an agent to talk to."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from pytest_smi.paths import shipped
from pytest_smi.traffic.agent import Agent

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = shipped("sample_app") / "sample_app.py"
CONTROL = 15900


def some_address() -> str:
    """A loopback address that hardly anyone else uses."""
    return f"127.{random.randrange(192, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"


class SampleApp:
    """One running application. `address` is where it listens and what it sends from."""

    def __init__(self, name: str, python: Sequence[str] = (sys.executable,), **env: str) -> None:
        for _ in range(5):  # an address may be taken by someone else's test
            self.address = some_address()
            self.process = start({**self._identity(name), **env}, python)
            assert self.process.stdout
            if self.process.stdout.readline():
                break
            self.stop()
        else:
            raise AssertionError("the sample application does not start")
        self.name = name
        self.agent = Agent(self.control, name=name)

    def _identity(self, name: str) -> dict[str, str]:
        here = self.address
        where = {"POD_IP": here, "BIND_ADDRESS": here, "SOURCE_ADDRESS": here}
        return {"POD_NAME": name, "POD_NAMESPACE": "tea", "SERVICE_ACCOUNT": name, **where}

    def control(self) -> socket.socket:
        """A new connection to the control port."""
        return socket.create_connection((self.address, CONTROL), timeout=10)

    def connect(self, port: int) -> socket.socket:
        """A new connection to a data port, from the test's own address."""
        return socket.create_connection((self.address, port), timeout=10)

    def stop(self) -> int:
        """End the process and return its status."""
        self.process.terminate()
        try:
            return self.process.wait(5)
        finally:
            assert self.process.stdout
            self.process.stdout.close()


def start(
    env: dict[str, str], python: Sequence[str] = (sys.executable,), stderr: int | None = None
) -> subprocess.Popen[bytes]:
    """Start the application's file with exactly this environment."""
    path = {"PATH": os.environ["PATH"]}
    return subprocess.Popen([*python, str(PATH)], env={**path, **env}, stdout=subprocess.PIPE, stderr=stderr)


def exchange(stream: socket.socket, data: bytes, until: bytes | None = None) -> bytes:
    """Send, then read until the stream ends, or until `until` was seen."""
    if data:
        stream.sendall(data)
    heard = b""
    while until is None or until not in heard:
        piece = stream.recv(65536)
        if not piece:
            break
        heard += piece
    return heard


def only(observations: Sequence[Any]) -> Any:
    """The one observation there is."""
    (one,) = observations
    return one
