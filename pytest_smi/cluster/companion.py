"""A process that lives as long as we do: it says in one line when it is ready, and ends when its standard input closes.

The embedded cluster and the reference mesh are such companions. The pipe is the lifeline: if we die in whatever way,
the kernel closes it and the companion cleans up after itself.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import DeadlineExceeded, HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ORDERLY_SECONDS = 10.0


class Companion:
    """One running companion process.

    `title` names it in messages; `error` is the kind of HarnessError raised when it fails to start.
    """

    def __init__(self, title: str, arguments: Sequence[str], error: type[HarnessError]) -> None:
        self._title = title
        self._error = error
        self._said = ""
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def ready(self, seconds: float) -> dict[str, Any]:
        """The line with which the process says that it is ready, as JSON; waits at most `seconds`.

        Raises the kind of error given at the start, with the process's own words, when it says that it cannot start.
        """
        line = self._first_line(seconds)
        try:
            said = json.loads(line)
        except ValueError:
            said = {"error": f"{self._title} ended before it was ready, status {self._process.wait(5)}"}
        if "error" in said:
            self.close()
            raise self._error(str(said["error"]), str(said.get("advice", "run it by hand to see its messages")))
        return dict(said)

    def _first_line(self, seconds: float) -> bytes:
        assert self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, seconds - (time.monotonic() - self._began))):
                self.close()
                raise DeadlineExceeded(
                    f"waited {seconds:.0f} s for {self._title} to be ready", "is the machine overloaded?"
                )
        return self._process.stdout.readline()

    def tell(self, order: str) -> None:
        """Write a line to the process's standard input. What comes of it is told by `ready`, whose time begins now.

        Raises the kind of error given at the start when the process has ended.
        """
        assert self._process.stdin
        self._began = time.monotonic()
        try:
            self._process.stdin.write(f"{order}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise self._error(f"{self._title} has ended, {self.how_it_ended()}", "see its log") from None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def how_it_ended(self) -> str:
        """In words, how the process ended by itself, and what it said of it; empty while it runs."""
        status = self._process.poll()
        if status is None:
            return ""
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        self._said = self._said or self._last_words()
        return f"with status {status}{self._said}"

    def _last_words(self) -> str:
        """The line `{"error": …, "advice": …}` that it left on its standard output, if it did."""
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)  # a child of its own may still hold the other end
        lines = (self._process.stdout.read() or b"").splitlines()
        try:
            said = json.loads(lines[-1])
            return f": {said['error']}; {said['advice']}"
        except (LookupError, TypeError, ValueError):
            return ""

    def close(self) -> None:
        """End the process: by its lifeline, then by SIGTERM, then by SIGKILL. Safe to call twice."""
        ways: tuple[Callable[[], None], ...] = (self._hang_up, self._process.terminate, self._process.kill)
        for way in ways:
            way()
            try:
                self._process.wait(_ORDERLY_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout:
            self._process.stdout.close()

    def _hang_up(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
