"""The process from which all containers are forked, run as `python -P zygote.py FD`.

It has imported what a Python program usually needs, so a Python script becomes a process by a fork alone, in about a
millisecond instead of sixty; and a script that many pods run is compiled once. Everything else is forked and executed.

It is also what makes sure that nothing survives: it is the subreaper of all containers, every container dies with it
(PR_SET_PDEATHSIG), and when its socket closes, because the cluster ended in whatever way, it kills every process group
it started and every orphan that fell to it.

On the socket FD: JSON, one object per line. In: `{"id", "argv", "env", "cwd", "log", "script"}` starts a container,
where `script` is the index in argv of a Python script or null; `{"kill": id, "signal": n}` signals its process group.
Out: `{"id", "pid"}` or `{"id", "error"}`, later `{"id", "status"}` with the exit status (128 + n for signal n).
"""

import asyncio  # noqa: F401  imported for the scripts
import contextlib
import ctypes
import gc
import hashlib
import http.client
import http.server  # noqa: F401  imported for the scripts
import importlib
import json
import logging  # noqa: F401  imported for the scripts
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_OPTIONAL = ("h2.connection", "h2.events")  # the sample application speaks HTTP/2 where this is installed
_EXEC_FAILED = 127
_libc = ctypes.CDLL(None, use_errno=True)


class _Fork(Exception):
    """Raised in a forked child, to leave the zygote's frames before the container's program starts."""

    def __init__(self, order: dict[str, Any], code: CodeType | None, parent: int) -> None:
        self.order = order
        self.code = code
        self.parent = parent


class Zygote:
    """Forks containers on demand and reports their ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pids: dict[int, int] = {}  # id -> pid
        self._ids: dict[int, int] = {}  # pid -> id
        self._compiled: dict[bytes, CodeType] = {}

    def serve(self) -> None:
        """Serves until the socket closes or a signal asks to end, then ends every container."""
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        wakeup, alarm = socket.socketpair()
        for end in (wakeup, alarm):
            end.setblocking(False)
        signal.set_wakeup_fd(alarm.fileno())
        for number in _HANDLED:
            signal.signal(number, lambda *_: None)
        try:
            self._loop(wakeup)
        finally:
            signal.set_wakeup_fd(-1)
            wakeup.close()
            alarm.close()
            self._control.close()
        self._end()

    def _loop(self, wakeup: socket.socket) -> None:
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is wakeup:
                        if set(wakeup.recv(4096)) - {signal.SIGCHLD}:
                            return
                        self._reap()
                        continue
                    if not (piece := self._control.recv(1 << 16)):
                        return
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if "kill" in order:
            if pid := self._pids.get(order["kill"]):
                _signal_group(pid, order["signal"])
            return
        try:
            code = self._compile(order)
            parent = os.getpid()
            # A signal for the child waits until the child has its own dispositions; `_become` lets it through.
            signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
            pid = os.fork()
        except (OSError, SyntaxError, ValueError) as fault:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
            self._say({"id": order["id"], "error": f"{type(fault).__name__}: {fault}"})
            return
        if pid == 0:
            raise _Fork(order, code, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        self._pids[order["id"]] = pid
        self._ids[pid] = order["id"]
        self._say({"id": order["id"], "pid": pid})

    def _compile(self, order: dict[str, Any]) -> CodeType | None:
        if order["script"] is None:
            return None
        path = order["argv"][order["script"]]
        source = Path(path).read_bytes()
        digest = hashlib.sha256(source).digest()
        if digest not in self._compiled:
            self._compiled[digest] = compile(source, path, "exec", dont_inherit=True)
            gc.freeze()  # what lives now lives for ever; untouched, its memory stays shared with the children
        return self._compiled[digest]

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if (order_id := self._ids.pop(pid, None)) is None:
                    continue  # an orphan of a container
                del self._pids[order_id]
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)  # a container ends as a whole when its first process ends
                code = os.waitstatus_to_exitcode(status)
                self._say({"id": order_id, "status": code if code >= 0 else 128 - code})

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: the end is near
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def _end(self) -> None:
        for pid in list(self._ids):
            _signal_group(pid, signal.SIGKILL)
        # Daemons that left their group come to us as orphans once their parents are gone.
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
                with contextlib.suppress(OSError):
                    for pid in map(int, children.read_text().split()):
                        os.kill(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)  # just forked, it does not lead a group yet


def _become(order: dict[str, Any], parent: int) -> None:
    """In the child: own session, bound to the parent's life, with its own files and environment."""
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the zygote died between the fork and the line above
    signal.set_wakeup_fd(-1)
    for number in _HANDLED:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])


def _execute(argv: list[str]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, os.environ)
    except OSError as fault:
        os.write(2, f"cannot run {argv[0]}: {fault.strerror}\n".encode())
        os._exit(_EXEC_FAILED)


def _prepare(argv: list[str]) -> dict[str, Any]:
    """Makes this process look like `python argv[0] argv[1:]` and returns the namespace for its `__main__`."""
    gc.unfreeze()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    _libc.prctl(_PR_SET_NAME, Path(argv[0]).stem.encode()[:15], 0, 0, 0)
    main = ModuleType("__main__")
    main.__file__ = argv[0]
    sys.modules["__main__"] = main
    sys.argv = argv
    sys.path.insert(0, str(Path(argv[0]).parent))
    return main.__dict__


def _run_zygote() -> _Fork:
    """Serves; returns only in a forked child, with what it is to become."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in _OPTIONAL:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    zygote = Zygote(control)
    try:
        zygote.serve()
    except _Fork as fork:
        return fork
    sys.exit()


if __name__ == "__main__":
    _child = _run_zygote()
    _become(_child.order, _child.parent)
    if _child.code is None:
        _execute(_child.order["argv"])
    # The script runs at the outermost level, so that it ends as any script ends: exit handlers, threads, status.
    exec(_child.code, _prepare(_child.order["argv"][_child.order["script"] :]))
