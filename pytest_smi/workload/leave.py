"""Leaving a test: delete what it made, and see the mesh back in its first state before the next test begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_smi.spec.resources import TrafficSplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.workload.smi import Smi

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
_SAMPLE = 16
_BUDGETS = 3.0


def leave(smi: Smi) -> None:
    """Delete all objects of the test, then poll each call that was allowed until it is not served any more.

    Without this the next test could see this test's grants. A grant that outlives its policy by the whole budget is
    noted in the evidence and not judged here: the tests about revocation judge it (TA-111).
    """
    with smi.case.step("clean up", "delete what the test applied and settle back"):
        had_objects = bool(smi.applied)
        smi.delete_all()
        if not had_objects or not smi.scene.revokes:
            return
        deadline, pause = time.monotonic() + smi.settle.seconds, _FIRST_PAUSE
        for call in smi.granted.values():
            if call.pod not in call.client.pods:
                continue  # the test's own workload, gone already
            while call.served(call.send(1)[0]):
                if time.monotonic() > deadline:
                    smi.case.steps[-1].details["outlived"] = str(call)
                    smi.scene.revokes = False  # seen once; waiting again in every test would tell nothing new
                    return
                time.sleep(pause)  # the interval of a poll with a deadline
                pause = min(_LONGEST_PAUSE, pause * 2)


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
        smi.granted[call.pod.name, call.target.host, call.request.protocol, call.request.port] = call
        return lambda: call.served(call.send(1)[0])
    split = kettle.get(smi.scene.service("teapots", smi.namespace))
    smi.apply(TrafficSplit("after-restart", split.target, {china: 1}))
    return lambda: {smi.scene.holder(pod) for pod in split.sample(_SAMPLE).pods} == {china}
