"""Starting and ending container processes: the cluster's side of the zygote."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_HARMLESS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}  # true, or without effect, for a forked script
_PROGRAM = Path(__file__).with_name("zygote.py")
_ZYGOTE_LOST = 137  # as after SIGKILL, which is what its containers got


class SpawnFailure(Exception):
    """A process could not be started; the text says why, as a container runtime would."""


@dataclass(eq=False)
class Process:
    """A started container process. `status` is its exit status (128 + n after signal n) once `ended` is set."""

    number: int
    pid: int
    status: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Zygote:
    """The zygote process, started with construction so that it imports while the rest of the cluster starts."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # By its file and without -m, so that it loads nothing of this package: every container would carry it.
                [sys.executable, "-P", "-X", "utf8", str(_PROGRAM), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )

    def close(self, seconds: float = 5.0) -> None:
        """Ends it, and with it every container; waits until it is gone."""
        self.socket.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Spawner:
    """Starts processes through `zygote`; use as an async context manager."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        self._last = 0
        self._running: dict[int, Process] = {}
        self._starting: dict[int, asyncio.Future[Process]] = {}

    async def __aenter__(self) -> Spawner:
        reader, self._writer = await asyncio.open_connection(sock=self._zygote.socket, limit=1 << 20)
        self._listening = asyncio.create_task(self._listen(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        self._writer.close()
        await asyncio.to_thread(self._zygote.close)

    async def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> Process:
        """Starts `argv`; its output is appended to `log`. Raises SpawnFailure when there is no such program."""
        program = resolve(argv[0], env)
        self._last += 1
        number = self._last
        answer: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._starting[number] = answer
        order = {
            "id": number,
            "argv": [program, *argv[1:]],
            "env": dict(env),
            "cwd": str(cwd),
            "log": str(log),
            "script": script_index(argv, env) if program == sys.executable else None,
        }
        self._send(order)
        return await answer

    def signal(self, process: Process, number: int) -> None:
        """Sends a signal to the process group; nothing happens when it has ended."""
        if not process.ended.is_set():
            self._send({"kill": process.number, "signal": number})

    def _send(self, order: dict[str, Any]) -> None:
        self._writer.write(json.dumps(order).encode() + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            message = json.loads(line)
            number = message["id"]
            if "status" in message:
                self._end(self._running.pop(number), message["status"])
                continue
            answer = self._starting.pop(number)
            if "error" in message:
                if not answer.cancelled():
                    answer.set_exception(SpawnFailure(message["error"]))
                continue
            process = self._running[number] = Process(number, message["pid"])
            if answer.cancelled():
                self.signal(process, signal.SIGKILL)
            else:
                answer.set_result(process)
        for process in self._running.values():
            self._end(process, _ZYGOTE_LOST)
        for answer in self._starting.values():
            answer.set_exception(SpawnFailure("the cluster is ending"))

    @staticmethod
    def _end(process: Process, status: int) -> None:
        process.status = status
        process.ended.set()


def resolve(program: str, env: Mapping[str, str]) -> str:
    """The executable for a container's command. `python`, in any spelling, is the interpreter we run on.

    Raises SpawnFailure in the words of a container runtime.
    """
    if _PYTHON.fullmatch(os.path.basename(program)):
        return sys.executable
    folders = [""] if "/" in program else env.get("PATH", "").split(":")
    for folder in folders:
        candidate = os.path.join(folder, program)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    where = "no such file or directory" if "/" in program else "executable file not found in $PATH"
    raise SpawnFailure(f'exec: "{program}": {where}: unknown')


def script_index(argv: Sequence[str], env: Mapping[str, str]) -> int | None:
    """Where in `python …` the script is, when it can be run by a fork alone; None when it must be executed.

    Interpreter options other than -u and settings such as PYTHONPATH act on a new interpreter only.
    """
    if any(name.startswith("PYTHON") and name not in _HARMLESS for name in env):
        return None
    for index, word in enumerate(argv[1:], start=1):
        if word == "-u":
            continue
        return None if word.startswith("-") or not os.path.isfile(word) else index
    return None
