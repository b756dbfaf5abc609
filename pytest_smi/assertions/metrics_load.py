"""Steady traffic for metrics to be about, and what is known of it without asking the mesh."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_smi.assertions.flows import Flow

if TYPE_CHECKING:
    from pytest_smi.traffic.agent import Agent
    from pytest_smi.workload.call import Call
    from pytest_smi.workload.workload import Workload

_GOOD_BELOW = 400
_HTTP = ("http1", "h2c", "grpc")
_ENTRIES = 20_000


class Load(Flow):
    """A call that is sent steadily, about a hundred times a second, during a `with` block; slower if answers are slow.

    `good` and `bad` tell how many calls ended in the last seconds, `by` how many of the good ones a pod answered, all
    as the client saw them. `seconds` is for how long it has been going on.
    """

    per_second = 100.0

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._points: list[tuple[float, Counter[str]]] = [(time.monotonic(), Counter())]

    def _send(self) -> None:
        super()._send()
        good = sum(count for shape, count in self.shapes.items() if shape.isdecimal() and int(shape) < _GOOD_BELOW)
        self._points.append((time.monotonic(), Counter({"good": good, "bad": self.requests - good, **self.pods})))

    @property
    def seconds(self) -> float:
        """From the beginning to the last calls."""
        return self._points[-1][0] - self._points[0][0]

    def good(self, seconds: float) -> float:
        """Calls of the last `seconds` that were answered with a status below 400."""
        return self._within(seconds, "good")

    def bad(self, seconds: float) -> float:
        """Calls of the last `seconds` that ended otherwise."""
        return self._within(seconds, "bad")

    def by(self, pod: str, seconds: float) -> float:
        """Calls of the last `seconds` that this pod answered."""
        return self._within(seconds, pod)

    def _within(self, seconds: float, what: str) -> float:
        """What was counted in the last seconds; between two batches it is taken to have grown evenly."""
        points = list(self._points)
        since = points[-1][0] - seconds
        earlier = [number for number, (at, _) in enumerate(points) if at <= since]
        last = points[-1][1][what]
        if not earlier:
            return last - points[0][1][what]
        if earlier[-1] == len(points) - 1:
            return 0.0
        (began, before), (ended, after) = points[earlier[-1]], points[earlier[-1] + 1]
        part = (since - began) / (ended - began)
        return last - before[what] - part * (after[what] - before[what])


def logged(workload: Workload, seconds: float) -> int:
    """HTTP requests that a workload's pods have in their own logs for the last `seconds` before the newest one."""
    entries = [entry for pod in workload.pods for entry in _newest(pod.agent) if entry["protocol"] in _HTTP]
    newest = max((entry["time"] for entry in entries), default=0.0)
    return sum(entry["time"] > newest - seconds for entry in entries)


def _newest(agent: Agent) -> list[dict[str, Any]]:
    end = agent.log(limit=1)["end"]
    found: list[dict[str, Any]] = agent.log(max(0, end - _ENTRIES), _ENTRIES)["entries"]
    return found
