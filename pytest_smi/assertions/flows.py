"""Traffic that flows while a policy changes: what must not be interrupted, and what must never get through."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_smi.assertions.access import vouch
from pytest_smi.assertions.message import report
from pytest_smi.traffic.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from pytest_smi.workload.call import Call

_BATCH = 5
_HELD_REQUESTS = 100
_HELD_SECONDS = 0.4  # at least; where a change may take longer ...
_HELD_SHARE = 7.5  # ... the budget divided by this
_PAUSE = 0.002


class Flow:
    """A call that is sent over and over from a thread, with a channel of its own to the agent, during a `with` block.

    `requests` were sent, `served` of them by the target, `answered` by any application; `shapes` says what was seen,
    `pods` who answered.
    With `held` they all use one connection, 100 requests in 0.4 seconds or, where the mesh's changes take longer, in a
    part of the profile's budget: the block begins when the first has arrived, and ends after the last.
    """

    per_second = 250.0

    def __init__(self, call: Call, *, held: bool = False) -> None:
        agent = call.client.channel(call.pod.name)
        self._call = call.from_pod(call.pod._replace(agent=agent))
        self._held = new_id() if held else None
        self._ended = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="smi-flow", daemon=True)
        self.requests = self.served = self.answered = 0
        self.shapes: Counter[str] = Counter()
        self.pods: Counter[str] = Counter()

    def __enter__(self) -> Self:
        # Opens the channel here: the API, which knows the way to the pod, belongs to this thread.
        self._call.pod.agent.healthy()
        self._thread.start()
        if self._held:
            self._await_first(f"{self._held}-0")
        return self

    def _await_first(self, request: str) -> None:
        deadline = time.monotonic() + self._call.smi.settle.seconds
        while self._thread.is_alive() and time.monotonic() < deadline and not self._call.arrived([request]):
            time.sleep(_PAUSE)  # the interval of a poll with a deadline

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._call.pod.agent.close()
        if self._fault:
            raise self._fault

    def stop(self) -> None:
        """Send no more from here on, although the block goes on."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            last = False
            while not last:
                # The last batch begins after the block has ended: what it did must not strike late either.
                last = self._held is not None or self._ended.is_set()
                self._send()
        except Exception as fault:
            self._fault = fault

    def running(self) -> bool:
        """Whether requests are still being sent."""
        return self._thread.is_alive()

    def _send(self) -> None:
        count, kept, rate = _BATCH, False, self.per_second
        if self._held:
            seconds = max(_HELD_SECONDS, self._call.smi.settle.seconds / _HELD_SHARE)
            count, kept, rate = _HELD_REQUESTS, True, _HELD_REQUESTS / seconds
        seen = self._call.sample(count, concurrency=1, kept=kept, rate=rate, id_prefix=self._held)
        self.requests += seen.requests
        self.answered += sum(seen.pods.values())
        self.served += sum(count for pod, count in seen.pods.items() if self._call.target.expects(pod))
        self.shapes.update(seen.shapes)
        self.pods.update(seen.pods)

    def as_dict(self) -> dict[str, Any]:
        """Counts as evidence."""
        return {"requests": self.requests, "served": self.served, "shapes": dict(self.shapes)}


@contextmanager
def assert_uninterrupted(call: Call) -> Iterator[None]:
    """While the block runs the call is sent steadily, and each of these requests is served.

    For changes that must not touch a granted flow: assert that the call is allowed first, change policy in the block,
    and assert there that the change is in force. Rests on TA-028, TA-032, TA-121.
    """
    __tracebackhide__ = True
    flow = Flow(call)
    with call.smi.case.step("observe", f"{call} flows without a gap") as step:
        with flow:
            yield
        step.details.update(flow.as_dict())
    if flow.served != flow.requests:
        lost = flow.requests - flow.served
        observed = f"{lost} of {flow.requests} requests were not served: {dict(flow.shapes)}"
        cause = "a change replaces the configuration of the proxy in steps, and traffic meets it between two of them"
        raise report(call.smi, f"{call} is served without a gap", observed, cause)


@contextmanager
def assert_never_allowed(call: Call) -> Iterator[None]:
    """While the block runs the call is sent steadily, and no application answers any of these requests.

    Rests on TA-115.
    """
    __tracebackhide__ = True
    vouch(call)
    flow = Flow(call)
    with call.smi.case.step("observe", f"{call} never gets through") as step:
        with flow:
            yield
        step.details.update(flow.as_dict())
    if flow.answered:
        cause = "a proxy serves before it has its policy, or without it"
        raise report(call.smi, f"{call} is never served", f"{flow.answered} of {flow.requests} were served", cause)
