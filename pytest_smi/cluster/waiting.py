"""Waiting for what a cluster does: polled, with a deadline, and said what was waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_smi.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


def pauses(seconds: float) -> Iterator[None]:
    """Sleeps between polls, growing from 20 ms to half a second, for as long as `seconds` are not over."""
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)


def until(condition: Callable[[], bool], what: str, advice: str, seconds: float) -> None:
    """Poll until the condition holds. Raises DeadlineExceeded, which names it."""
    for _ in pauses(seconds):
        if condition():
            return
    raise DeadlineExceeded(f"waited {seconds:g} s for {what}", advice)
