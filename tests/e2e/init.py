"""Process 1 of a machine's namespaces: starts the programs that it is told to, and reaps every process that ends.

Run as `python -S init.py STATE NAME`. Reads one JSON object a line: `name`, `command`, `environment`. What a program
says goes to STATE/NAME/log/PROGRAM.log; when it ends, its exit status is written to STATE/NAME/log/PROGRAM.ended. When
process 1 is killed the kernel ends all processes of its PID namespace, and their mounts and links go with them.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path


def main(log: Path) -> None:
    """Serve until killed."""
    woken, wake = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, str] = {}
    sources, rest = [0, woken], b""
    while True:
        ready, _, _ = select.select(sources, [], [])
        if woken in ready:
            os.read(woken, 512)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                sources.remove(0)  # whoever started us has ended; the machine goes on
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                name, pid = _start(json.loads(line), log)
                running[pid] = name
        _reap(running, log)


def _start(told: dict[str, object], log: Path) -> tuple[str, int]:
    name, command, environment = str(told["name"]), told["command"], told["environment"]
    assert isinstance(command, list)
    assert isinstance(environment, dict)
    with (log / f"{name}.log").open("ab") as output:
        try:
            started = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as fault:
            output.write(f"{fault}\n".encode())
            (log / f"{name}.ended").write_text("127")
            return name, -1
    return name, started.pid


def _reap(running: dict[int, str], log: Path) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        name = running.pop(pid, None)
        if name:
            (log / f"{name}.ended").write_text(str(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) / sys.argv[2] / "log")
