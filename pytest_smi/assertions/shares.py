"""Shares of traffic: decided by a sequential test with stated error bounds, never eyeballed (SMI Traffic Split)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from math import pi
from typing import TYPE_CHECKING, Any

from pytest_smi.assertions.message import report
from pytest_smi.errors import HarnessError
from pytest_smi.traffic.shares import Decision, SharesTest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smi.traffic.plan import Histogram
    from pytest_smi.workload.call import Call
    from pytest_smi.workload.workload import Workload

WRONG_PASS = 1e-6
WRONG_FAIL = 1e-6
UNSERVED = "not served"
_FIRST_BATCH = 16
_LOOK = 48
_MOST_REQUESTS = 60_000
_CONCURRENCY = 8
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.2


class _InBetween(HarnessError):
    """The true shares are neither right nor wrong by the measure given."""


def assert_shares(
    call: Call,
    weights: Mapping[Workload, float],
    *,
    within: float = 0.05,
    kept: bool = False,
    concurrency: int = _CONCURRENCY,
) -> None:
    """The call's requests reach the workloads in proportion to the weights, within `within` (a share, 0.05 = 5 points).

    A sequential likelihood-ratio test looks after every batch: the chance to pass a mesh that is off by more than
    `within`, and the chance to fail one that is off by less than a fifth of it, are each at most 1e-6 for this
    assertion as a whole. A workload of weight 0 must get nothing, and every request must be served. A rejection before
    the budget ends is taken for a change not yet in force, and a fresh test begins with a smaller part of each error:
    samples from before are not counted, and the bounds hold over all of them together (the parts add up to 1).
    `kept` sends many requests on each connection: use it only to judge per-request choice. Rests on TS-001, TS-003.
    """
    __tracebackhide__ = True
    title = ", ".join(f"{workload.name} {weight:g}" for workload, weight in weights.items())
    with call.smi.case.step("observe", f"{call} is shared {title}") as step:
        trial = _Trial(call, {w.name: float(n) for w, n in weights.items()}, within, kept, concurrency)
        decided = trial.until_decided()
        step.details.update(trial.as_dict())
    if not decided:
        raise report(call.smi, f"{call} shared {title} within {within:.0%}", trial.observed(), trial.cause())


def assert_only(call: Call, workload: Workload) -> None:
    """All of the call's requests reach this one workload: `assert_shares` with nobody else (TS-003, TS-007)."""
    __tracebackhide__ = True
    assert_shares(call, {workload: 1}, within=0.1)


def assert_reaches(call: Call, *workloads: Workload) -> None:
    """Each of these workloads answers some of the call's requests, and every request is served by one of them.

    Says nothing of shares: where a Service's own selector decides, Kubernetes promises none. Polls within the budget;
    it passes by what was seen, so there is no chance to pass a mesh that leaves one out. Rests on TS-036, TS-081.
    """
    __tracebackhide__ = True
    names = {workload.name for workload in workloads}
    deadline, pause = time.monotonic() + call.smi.settle.seconds, _FIRST_PAUSE
    with call.smi.case.step("observe", f"{call} reaches {', '.join(sorted(names))}") as step:
        while True:
            counts, unserved = _by_workload(call, call.sample(_LOOK, concurrency=_CONCURRENCY))
            step.details.update(counts=counts, unserved=unserved)
            if set(counts) == names and not unserved:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(pause)  # the interval of a poll with a deadline
            pause = min(_LONGEST_PAUSE, pause * 2)
    observed = f"{counts}" + (f", not served {unserved}" if unserved else "")
    cause = "the root's own selector does not decide, or one of its pods cannot be reached"
    raise report(call.smi, f"{call} reaches all of {', '.join(sorted(names))}", observed, cause)


def are_shared(call: Call, weights: Mapping[Workload, float], *, within: float = 0.15) -> bool:
    """Whether `assert_shares` would hold, with its error bounds: for observations where the spec is silent."""
    title = ", ".join(f"{workload.name} {weight:g}" for workload, weight in weights.items())
    with call.smi.case.step("observe", f"is {call} shared {title}?") as step:
        trial, decided = (
            _Trial(call, {w.name: float(n) for w, n in weights.items()}, within, False, _CONCURRENCY),
            False,
        )
        with suppress(_InBetween):
            decided = trial.until_decided()
        step.details.update(trial.as_dict())
    return decided


def reached(call: Call, requests: int = _LOOK) -> list[str]:
    """Which workloads answer the call's requests right now, by name, without waiting: for observations.

    `nobody` among them says that some requests were not served. A workload with a share of 10 percent is left out by
    chance once in 150 samples of 48, one with 25 percent once in a million.
    """
    with call.smi.case.step("observe", f"who answers {call}?") as step:
        counts, unserved = _by_workload(call, call.sample(requests, concurrency=_CONCURRENCY))
        step.details.update(counts=counts, unserved=unserved)
    return sorted([*counts, *(["nobody"] if unserved else [])])


def _by_workload(call: Call, histogram: Histogram) -> tuple[dict[str, int], dict[str, int]]:
    """Requests per workload (or per pod that belongs to none), and those that no application answered, by shape."""
    counts: dict[str, int] = {}
    for pod, count in histogram.pods.items():
        holder = call.client.scene.holder(pod)
        name = holder.name if holder else pod
        counts[name] = counts.get(name, 0) + count
    if not histogram.unserved:
        return counts, {}
    return counts, {UNSERVED: histogram.unserved, **histogram.shapes}


@dataclass
class _Trial:
    """One assertion's attempts; the last one decides."""

    call: Call
    weights: dict[str, float]
    within: float
    kept: bool
    concurrency: int
    attempt: int = 0
    requests: int = 0

    def until_decided(self) -> bool:
        """True when the shares are certified, False when they are refuted with the whole budget used."""
        deadline, pause = time.monotonic() + self.call.smi.settle.seconds, _FIRST_PAUSE
        while True:
            attempt_at = time.monotonic()
            if self._attempt() is Decision.PASS:
                changed = self.call.smi.changed_at
                if changed is not None:
                    self.call.smi.case.converged(max(0.0, attempt_at - changed))
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)  # the interval of a poll with a deadline
            pause = min(_LONGEST_PAUSE, pause * 2)

    def _attempt(self) -> Decision:
        self.attempt += 1
        spent = 6 / (pi * self.attempt) ** 2  # over all attempts there may be, these add up to 1
        self.test = SharesTest(
            self.weights,
            tolerance=self.within,
            slack=self.within / 5,
            wrong_fail=WRONG_FAIL * spent,
            wrong_pass=WRONG_PASS * spent,
        )
        self.counts = dict.fromkeys(self.weights, 0)
        self.errors: dict[str, int] = {}
        # A change that is not in force shows at once; then most of what a right mesh needs, then a little at a time.
        expected = self.test.expected_requests()
        batches = chain([_FIRST_BATCH, expected * 2 // 3], repeat(max(_FIRST_BATCH, expected // 6)))
        for batch in batches:
            if self.requests >= _MOST_REQUESTS:
                break
            self._count(self.call.sample(batch, concurrency=self.concurrency, kept=self.kept))
            self.requests += batch
            decision = Decision.FAIL if self.errors else self.test.decide(self.counts)
            if decision is not Decision.UNDECIDED:
                return decision
        raise _InBetween(
            f"{self.call}: {self.requests} requests did not decide between the weights and {self.within:.0%} off: "
            f"{self.counts}",
            "the true shares lie in the grey zone; give the assertion a larger `within`",
        )

    def _count(self, histogram: Histogram) -> None:
        counts, unserved = _by_workload(self.call, histogram)
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for shape, count in unserved.items():
            self.errors[shape] = self.errors.get(shape, 0) + count

    def as_dict(self) -> dict[str, Any]:
        """Counts and bounds as evidence."""
        return {
            "weights": self.weights,
            "within": self.within,
            "counts": self.counts,
            "errors": self.errors,
            "attempts": self.attempt,
            "requests": self.requests,
            "wrong_pass_at_most": WRONG_PASS,
            "wrong_fail_at_most": WRONG_FAIL,
        }

    def observed(self) -> str:
        """Counts and confidence intervals in one line."""
        total = max(1, sum(self.counts.values()))
        intervals = self.test.interval(self.counts) if sum(self.counts.values()) else {}
        parts = [
            f"{name} {count} ({count / total:.1%}"
            + (
                f", 99.9999% interval {intervals[name][0]:.1%} to {intervals[name][1]:.1%})"
                if name in intervals
                else ")"
            )
            for name, count in self.counts.items()
        ]
        failed = f"; {self.errors}" if self.errors else ""
        return f"{', '.join(parts)} of {total}{failed}, after {self.attempt} attempts"

    def cause(self) -> str:
        """A guess from what was counted."""
        total = sum(self.counts.values())
        if self.errors:
            return "some requests were not served: is every backend granted to the client, and does it have endpoints?"
        strangers = [name for name, count in self.counts.items() if count and name not in self.weights]
        if strangers:
            return f"{', '.join(strangers)} is no backend of the split: the root's own selector still decides"
        if any(weight == 0 and self.counts[name] for name, weight in self.weights.items()):
            return "a backend of weight 0 gets traffic"
        used = [count for count in self.counts.values() if count]
        if len(used) > 1 and max(used) - min(used) < total * 0.1:
            return "weights are ignored: backends are used evenly"
        return "the weights are read otherwise than as ratios, or balancing is per connection"
