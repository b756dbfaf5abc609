"""Allowed and denied: what an access policy, or its absence, must do to a call (SMI Traffic Access)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.assertions.message import failure
from pytest_smi.assertions.settle import impatient, settle

if TYPE_CHECKING:
    from pytest_smi.workload.call import Call


def assert_allowed(*calls: Call, times: int | None = None) -> None:
    """Each call reaches the target's own application: it answers, and its log has the request.

    Polls until that holds `times` in a row (default: as the profile declares) within the profile's budget; raises
    NonConformance when it does not. An error status that the application itself sends still counts as allowed. Rests
    on TA-004.
    """
    __tracebackhide__ = True
    for call in calls:
        with call.smi.case.step("settle", f"{call} is allowed") as step:
            settled = settle(call, served=True, agree=times)
            step.details.update(settled.as_dict())
            if not settled.agreed:
                raise failure(call, "allowed", settled)
            remember(call)


def remember(call: Call) -> None:
    """Note a call that was seen allowed: leaving the test waits until it is not served any more."""
    key = (call.pod.name, call.target.host, call.request.protocol, call.request.port)
    call.smi.granted[key] = impatient(call)


def assert_denied(*calls: Call, times: int | None = None) -> None:
    """No request of these calls reaches the target's application, and no answer of it comes back.

    Any shape of refusal counts (403, 404, 503, reset, refused, TLS alert, timeout); it is recorded. Have a positive
    control in the same test, or a mesh that is merely broken would pass. `times` as in `assert_allowed`. Rests on
    TA-001, TA-005 and TA-094.
    """
    __tracebackhide__ = True
    for call in calls:
        with call.smi.case.step("settle", f"{call} is denied") as step:
            settled = settle(call, served=False, agree=times)
            step.details.update(settled.as_dict())
            if not settled.agreed:
                raise failure(call, "denied", settled)


def is_allowed(call: Call) -> bool:
    """Whether one request is served right now, without waiting: for observations where the spec is silent."""
    seen = call.send(1)
    return call.served(seen[0])
