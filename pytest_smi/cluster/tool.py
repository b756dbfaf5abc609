"""Running the command-line tools that make clusters: their words in one line when they fail, and no orphan of them."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SECONDS = 120.0
_END_SECONDS = 10.0
_LINES = 4  # of a tool's complaint in a message
_PR_SET_PDEATHSIG = 1


def run(command: Sequence[str], *, seconds: float = _SECONDS, env: Mapping[str, str] | None = None) -> str:
    """The standard output of a command that must succeed within `seconds`. Raises ClusterError.

    It ends with us: it gets no Ctrl-C of its own, is ended when we are interrupted, and dies when we are killed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise ClusterError(
            f"there is no {command[0]} on PATH", f"install it, or use another --smi-cluster than {command[0]}"
        )
    process = subprocess.Popen(
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(env or {})},
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"{' '.join(command)} has not ended within {seconds:.0f} s", "run it by hand to see what it waits for"
        ) from None
    finally:
        _end(process)
    if process.returncode:
        words = " | ".join([line.strip() for line in (err or out).splitlines() if line.strip()][-_LINES:])
        raise ClusterError(
            f"{' '.join(command)} failed, status {process.returncode}: {words[:600]}",
            "run it by hand to see all it says",
        )
    return out


def _end(process: subprocess.Popen[str]) -> None:
    for way in (process.terminate, process.kill):
        if process.poll() is None:
            way()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
