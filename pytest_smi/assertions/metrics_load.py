"""Steady traffic for metrics to be about, and what is known of it without asking the mesh."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_smi.assertions.flows import Flow

if TYPE_CHECKING:
    from pytest_smi.workload.call import Call

_PER_SECOND = 100.0
_GOOD_BELOW = 400


class Load(Flow):
    """A call that is sent steadily, about a hundred times a second, during a `with` block; slower if answers are slow.

    `good` and `bad` tell how many calls ended in the last seconds, as the client saw them.
    """

    per_second = _PER_SECOND

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._ended_at: list[tuple[float, int, int]] = [(time.monotonic(), 0, 0)]

    def _send(self) -> None:
        super()._send()
        good = sum(count for shape, count in self.shapes.items() if _is_good(shape))
        self._ended_at.append((time.monotonic(), good, self.requests - good))

    @property
    def seconds(self) -> float:
        """For how long it has been going on."""
        return self._ended_at[-1][0] - self._ended_at[0][0]

    def good(self, seconds: float) -> float:
        """Calls of the last `seconds` that were answered with a status below 400."""
        return self._within(seconds, 1)

    def bad(self, seconds: float) -> float:
        """Calls of the last `seconds` that ended otherwise."""
        return self._within(seconds, 2)

    def _within(self, seconds: float, column: int) -> float:
        """What has been counted since then; between two batches it is taken to have grown evenly."""
        points = list(self._ended_at)
        last, since = points[-1], points[-1][0] - seconds
        before = points[0]
        for point in reversed(points):
            if point[0] <= since:
                before = point
                break
            after = point
        if before[0] > since or before is last:
            return last[column] - before[column]
        part = (since - before[0]) / (after[0] - before[0])
        return last[column] - before[column] - part * (after[column] - before[column])


def _is_good(shape: str) -> bool:
    return shape.isdecimal() and int(shape) < _GOOD_BELOW
