"""Leaving a test: delete what it made, and see the mesh back in its first state before the next test begins."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_smi.spec.resources import TrafficSplit
from pytest_smi.workload.standing import SAMPLE, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pytest_smi.workload.call import Call
    from pytest_smi.workload.smi import Smi

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
_BUDGETS = 3.0


def leave(smi: Smi, mend: Callable[[], None] | None = None) -> bool:
    """Delete all objects of the test, then poll each call that was allowed until it is not served any more.

    Without this the next test could see this test's grants. A grant that outlives its policy by the whole budget is
    noted in the evidence and not judged here: the tests about revocation judge it (TA-111). Policy that stands for the
    next test stays; Services that this test has split are seen unsplit again. `mend` is called once the objects are
    gone, for a mesh that they have harmed. Returns whether the mesh was seen to follow these deletions.
    """
    with smi.case.step("clean up", "delete what the test applied and settle back") as step:
        roots = _roots(smi.applied.values())
        had_objects = smi.delete_all()
        if mend:
            mend()
        if not had_objects or not smi.scene.revokes:
            return False
        standing = smi.scene.standing
        judged = [call for call in smi.granted.values() if _is_judged(call)]
        ends = [call for call in judged if not (standing and standing.covers(call))]
        splits = standing.named_by(roots) if standing else []
        late = overdue(smi, ends, lambda call: not call.served(call.send(1)[0]))
        if late:
            step.details["outlived"] = str(late)
            smi.scene.revokes = False  # seen once; waiting again in every test would tell nothing new
        still = overdue(smi, splits, partial(is_plain, smi.scene))
        if still:
            step.details["still split"] = str(still)
            smi.scene.stands = False  # from now on each test begins with its own grants, and ends with their end
        seen = splits if mend else [*ends, *splits]  # a mesh that does harm may deny for that reason
        return bool(seen) and not (late or still)


def retire(smi: Smi, fixtures: Collection[str] = ()) -> None:
    """End policy that stands, unless this test begins with the same; `fixtures` are those that it uses."""
    standing = smi.scene.standing
    if standing is None or (smi.scene.stands and standing.serves(fixtures, smi.versions)):
        return
    smi.scene.standing = None
    smi.applied.update(standing.applied)
    for call in standing.calls:
        smi.grant(call)
    leave(smi)
    smi.granted.clear()
    smi.changed_at = None


def _roots(manifests: Iterable[Mapping[str, Any]]) -> set[str]:
    """The Services that TrafficSplits name as their roots; a test may have applied one without."""
    specs = [one.get("spec") for one in manifests if one["kind"] == "TrafficSplit"]
    return {str(spec["service"]) for spec in specs if isinstance(spec, dict) and "service" in spec}


def _is_judged(call: Call) -> bool:
    """Whether policy decides about a call: what is outside of the mesh may be reachable whatever policy says."""
    return any(workload.deployed.meshed for workload in call.target.workloads)


def overdue(smi: Smi, calls: Iterable[Call], over: Callable[[Call], bool]) -> Call | None:
    """Wait until `over` is true of each call; returns the first for which the budget was not enough."""
    deadline, pause = time.monotonic() + smi.settle.seconds, _FIRST_PAUSE
    for call in calls:
        # A client of the test's own may be gone already.
        while call.pod in call.client.pods and not over(call):
            if time.monotonic() > deadline:
                return call
            time.sleep(pause)  # the interval of a poll with a deadline
            pause = min(_LONGEST_PAUSE, pause * 2)
    return None


def catch_up(smi: Smi) -> None:
    """See one change of policy come into force after a restart of the control plane: later tests count on that.

    Proxies may back off from a control plane that is away, and come back later than any test waits (Traefik's do).
    Waits for some budgets; judges nothing.
    """
    with smi.case.step("catch up", "see a change followed again after the restart") as step:
        followed = _change(smi)
        patience = _BUDGETS * smi.settle.seconds
        deadline = time.monotonic() + patience
        while not followed():
            if time.monotonic() > deadline:
                step.details["not followed within"] = patience
                break
            time.sleep(_LONGEST_PAUSE)  # the interval of a poll with a deadline
    leave(smi)


def _change(smi: Smi) -> Callable[[], bool]:
    """Apply something that can be seen, in the part of SMI that the mesh serves; returns whether it is in force."""
    kettle, china = smi.workload("kettle"), smi.workload("teapot-china")
    if smi.versions.access:
        smi.allow(kettle, to=[china], name="after-restart")
        call = kettle.get(china)
        smi.grant(call)
        return lambda: call.served(call.send(1)[0])
    split = kettle.get(smi.scene.service("teapots", smi.namespace))
    smi.apply(TrafficSplit("after-restart", split.target, {china: 1}))
    return lambda: {smi.scene.holder(pod) for pod in split.sample(SAMPLE).pods} == {china}
