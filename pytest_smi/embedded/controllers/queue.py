"""Work queues: what every controller loop is built on.

A key is worked on by one task at a time however often it is added, and once more if it is added meanwhile; a failure is
tried again, later each time. So a controller only ever answers one question: what is to be done about this key now?
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_smi.embedded.client import ApiFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

_FIRST_DELAY = 0.005  # seconds
_LONGEST_DELAY = 2.0
_PARALLEL = 8

_log = logging.getLogger(__name__)
K = TypeVar("K", bound="Hashable")


class WorkQueue(Generic[K]):
    """Calls `work(key)` for keys that were added; `work` may return seconds after which to look again.

    At most `parallel` keys are worked on at a time.
    """

    def __init__(self, name: str, work: Callable[[K], Awaitable[float | None]], parallel: int = _PARALLEL) -> None:
        self._name = name
        self._work = work
        self._parallel = parallel
        self._waiting: dict[K, None] = {}
        self._active: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def add(self, key: K) -> None:
        """Has `key` looked at as soon as possible."""
        self._waiting[key] = None
        self._wake.set()

    def add_later(self, key: K, seconds: float) -> None:
        """Has `key` looked at after some seconds, or earlier if it was due earlier."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if timer := self._timers.get(key):
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._ring, key)

    async def run(self) -> None:
        """Works until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    for key in [key for key in self._waiting if key not in self._active]:
                        if len(self._active) >= self._parallel:
                            break
                        del self._waiting[key]
                        self._active.add(key)
                        group.create_task(self._attend(key))
        finally:
            for timer in self._timers.values():
                timer.cancel()

    def _ring(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    async def _attend(self, key: K) -> None:
        try:
            later = await self._work(key)
            self._failures.pop(key, None)
        except (ApiFailure, OSError) as fault:
            later = self._delay(key)
            _log.debug("%s: %s again in %.3f s: %s", self._name, key, later, fault)
        except Exception:
            later = self._delay(key)
            _log.exception("%s: %s", self._name, key)
        finally:
            self._active.discard(key)
            self._wake.set()
        if later is not None:
            self.add_later(key, later)

    def _delay(self, key: K) -> float:
        failures = self._failures[key] = self._failures.get(key, -1) + 1
        return min(_FIRST_DELAY * float(1 << min(failures, 20)), _LONGEST_DELAY)
