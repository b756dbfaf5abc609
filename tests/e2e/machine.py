"""A machine: network, mount, PID, IPC and UTS namespaces of their own with one process 1, on this host's kernel.

Ending process 1 ends everything in it, in whatever state it is; mounts, links and addresses go with the namespaces. A
machine is found again by the command line of its process 1, so that nothing depends on files of a killed harness.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.folders import HERE
from tests.e2e.trouble import E2eError, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPT = "tests/e2e/init.py"
_TAIL = 2000


class Machine:
    """One machine of a cluster, by name; its files are in `folder`, the programs' output in `folder/log`."""

    def __init__(self, state: Path, name: str) -> None:
        self.state = state
        self.name = name
        self.folder = state / name
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process 1, as the host numbers it. Raises E2eError when the machine does not run."""
        for pid, machine in running(self.state).items():
            if machine.name == self.name:
                return pid
        raise E2eError(f"no machine {self.name} is running: start one with tests/e2e/run")

    def boot(self) -> None:
        """Make the namespaces, and private places where programs insist on writing to fixed paths."""
        for name in ("log", "varlib", "varlog"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        unshare = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc"]
        with (self.folder / "log" / "init.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*unshare, sys.executable, "-S", str(HERE / "init.py"), str(self.state), self.name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: self.name in {one.name for one in running(self.state).values()}, 10, f"machine {self.name}")
        script = (
            "mount -n --make-rshared / && mount -n -t tmpfs run /run && mkdir /run/lock"
            f" && mount -n --bind {self.folder}/varlib /var/lib && mount -n --bind {self.folder}/varlog /var/log"
            f" && hostname {self.name} && ip link set lo up"
            " && echo 1 >/proc/sys/net/ipv4/ip_forward"
        )
        self.run("sh", "-ec", script)

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a program that lives as long as the machine."""
        assert self._process, "only the process that booted the machine starts programs in it"
        assert self._process.stdin
        told = {"name": name, "command": list(command), "environment": dict(environment or {})}
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()

    def check(self, name: str) -> None:
        """Raise E2eError with the end of its log when a program has ended."""
        ended = self.folder / "log" / f"{name}.ended"
        if ended.exists():
            raise E2eError(f"{name} on {self.name} ended with status {ended.read_text()}\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The end of a program's output, and where the rest is."""
        log = self.folder / "log" / f"{name}.log"
        text = log.read_text("utf-8", "replace")[-_TAIL:] if log.exists() else ""
        return f"{text}\n(all of it: {log})"

    def run(self, *command: str, data: str | None = None, seconds: float = 120.0) -> str:
        """Run a command inside and return what it prints. Raises E2eError when it fails."""
        return self._run(self.entering(), command, data, seconds)

    def link(self, *command: str) -> str:
        """Run a command that sees the machine's network and the host's processes: to join it to another machine."""
        return self._run(self.reaching(), command, None, 10.0)

    def _run(self, way: list[str], command: Sequence[str], data: str | None, seconds: float) -> str:
        try:
            done = subprocess.run(
                [*way, *command], input=data, capture_output=True, text=True, check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise E2eError(f"{' '.join(command)} on {self.name} took longer than {seconds:.0f} s") from None
        if done.returncode:
            said = (done.stderr or done.stdout)[-_TAIL:]
            raise E2eError(f"{' '.join(command)} on {self.name}: status {done.returncode}\n{said}")
        return done.stdout

    def entering(self) -> list[str]:
        """The words that make a command run inside the machine."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--ipc", "--uts", "--"]

    def reaching(self) -> list[str]:
        """The words that make a command run on the host with the machine's network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]


def running(state: Path | None = None) -> dict[int, Machine]:
    """The machines that run now, of that state folder or of any, by the host's number of their process 1.

    They may have been started from another checkout.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        match _words(entry) if entry.name.isdigit() else []:
            case [program, *_, script, folder, name] if program != "unshare" and script.endswith(_SCRIPT):
                if state in (None, Path(folder)):
                    found[int(entry.name)] = Machine(Path(folder), name)
    return found


def end(state: Path) -> None:
    """End every machine of that state folder, and wait until the kernel has ended all that ran in them."""
    ending = running(state)
    for pid in ending:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in ending), 60, "the machines to end")


def _words(process: Path) -> Sequence[str]:
    try:
        return (process / "cmdline").read_text("utf-8", "replace").rstrip("\0").split("\0")
    except OSError:
        return []
