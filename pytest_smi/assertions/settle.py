"""Waiting until the behaviour under test holds steadily, within the one budget that the mesh's profile declares.

Nothing here sleeps for luck: the behaviour itself is polled, observations must agree several times in a row, and the
time it took is recorded. A mesh that never gets there has used its whole budget before it is judged.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_smi.traffic.plan import Observation
    from pytest_smi.workload.call import Call

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
_SILENCE = 5  # a datagram's answer that takes this many times longer than the slowest so far will not come any more ...
_SHORTEST_SILENCE = 0.1  # ... but a busy machine may always need this many seconds
_FIRST_PATIENCE = 0.05  # seconds for a datagram's answer while the policy may not yet be in force; then ever longer


@dataclass
class Settled:
    """How waiting for one call ended: whether it agreed, what was seen, and seconds from the change to agreement."""

    agreed: bool
    seconds: float | None
    shapes: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The observations as evidence."""
        return {
            "agreed": self.agreed,
            "requests": self.sent,
            "shapes": dict(self.shapes),
            "samples": self.samples,
            "seconds_to_converge": self.seconds,
            **({"note": self.note} if self.note else {}),
        }


def settle(call: Call, *, served: bool, agree: int | None = None) -> Settled:
    """Poll a call until its outcome is as wanted for `agree` observations in a row, or the budget is used up.

    `served` True: the target's own application answers and has the request in its log. False: no answer of the
    application comes back and its log lacks the request. Both witnesses must agree for every counted observation.
    `agree` defaults to what the profile declares.
    """
    smi = call.smi
    agree = agree or smi.settle.agree
    state = Settled(False, None)
    deadline = time.monotonic() + smi.settle.seconds
    streak: list[Observation] = []
    since, pause = 0.0, _FIRST_PAUSE
    datagram, first, patience = call.request.protocol == "udp", 1, _FIRST_PATIENCE
    if datagram and not served:
        call, first = impatient(call), agree
    while True:
        asked_at = time.monotonic()
        if datagram and served:
            call, patience = call.within(min(patience, smi.settle.attempt_seconds)), patience * 2
        for seen in call.send(agree - len(streak) if streak else first):
            _note(state, call, seen)
            if call.served(seen) is not served:
                streak.clear()
            else:
                since = since if streak else asked_at
                streak.append(seen)
        if len(streak) >= agree and _log_agrees(state, call, streak, served=served):
            state.agreed = True
            state.seconds = since_change(call, since)
            return state
        if len(streak) >= agree:
            streak.clear()
        if time.monotonic() > deadline:
            return state
        if not streak:
            time.sleep(pause)  # the interval of a poll with a deadline
            pause = min(_LONGEST_PAUSE, pause * 2)


def impatient(call: Call) -> Call:
    """A datagram that is expected to be refused: as soon as silence can be told from an answer, wait no longer.

    Nobody refuses a datagram in words. When this test has seen datagrams answered (its positive control), what takes
    many times longer than they did is silence; before, the limit of the profile holds. Other protocols are unchanged.
    """
    slowest = call.smi.slowest_datagram if call.request.protocol == "udp" else None
    if slowest is None:
        return call
    return call.within(min(call.smi.settle.attempt_seconds, max(_SHORTEST_SILENCE, _SILENCE * slowest)))


def _log_agrees(state: Settled, call: Call, streak: list[Observation], *, served: bool) -> bool:
    arrived = call.arrived(seen.id for seen in streak)
    if served and len(arrived) < len(streak):
        state.note = "answers looked like the application's, but its log lacks the requests"
        return False
    if not served and arrived:
        state.note = "the client saw no answer, but the requests reached the application"
        return False
    state.note = ""
    return True


def _note(state: Settled, call: Call, seen: Observation) -> None:
    state.sent += 1
    if call.request.protocol == "udp" and call.served(seen):
        call.smi.slowest_datagram = max(seen.seconds, call.smi.slowest_datagram or 0.0)
    shape = seen.shape if call.served(seen) or seen.pod is None else f"answered by {seen.pod}"
    state.shapes[shape] += 1
    sample = {"id": seen.id, "shape": shape, "pod": seen.pod, "seconds": round(seen.seconds, 4)}
    if len(state.samples) < 3:
        state.samples.append(sample)
    else:
        state.samples[-1] = sample


def since_change(call: Call, since: float) -> float | None:
    """Seconds from the test's last change to this moment, which are recorded too; None when it changed nothing."""
    changed = call.smi.changed_at
    if changed is None:
        return None
    seconds = round(max(0.0, since - changed), 4)
    call.smi.case.converged(seconds)
    return seconds
