"""Allowed and denied: what an access policy, or its absence, must do to a call (SMI Traffic Access)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.assertions.message import failure, report
from pytest_smi.assertions.settle import impatient, settle
from pytest_smi.workload.introduce import introduce

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
    """Note a call that was seen allowed, for leaving the test."""
    call.smi.grant(impatient(call))


def assert_denied(*calls: Call, times: int | None = None) -> None:
    """No request of these calls reaches the target's application, and no answer of it comes back.

    Any shape of refusal counts (403, 404, 503, reset, refused, TLS alert, timeout); it is recorded. Have a positive
    control in the same test, or a mesh that is merely broken would pass; a client that was never seen to reach anything
    is granted something else first. `times` as in `assert_allowed`. Rests on TA-001, TA-005 and TA-094.
    """
    __tracebackhide__ = True
    for call in calls:
        vouch(call)
        with call.smi.case.step("settle", f"{call} is denied") as step:
            settled = settle(call, served=False, agree=times)
            step.details.update(settled.as_dict())
            if not settled.agreed:
                raise failure(call, "denied", settled)


def vouch(call: Call) -> None:
    """See that a call's client can reach an application at all: what it is refused would tell nothing otherwise.

    Costs nothing once the client's pod was seen served. Raises NonConformance when no grant lets it. Rests on TA-004.
    """
    __tracebackhide__ = True
    if not introduce(call):
        expected = f"{call.client.name}, whose refusal is to be judged, reaches another application that it may call"
        cause = "its proxy has no configuration, or the mesh does not follow policy any more"
        raise report(call.smi, expected, f"it was never served within {call.smi.settle.seconds:g} s", cause)


def assert_none_gets_through(call: Call, requests: int = 100) -> None:
    """Not one of many more requests is answered by an application: for a refusal that has settled already.

    `assert_denied` waits until a refusal holds a few times in a row; a mesh that lets some requests in by chance gets
    there sooner or later. Of those that let in one in ten this finds all but 1 in 37,000. Rests on TA-005.
    """
    __tracebackhide__ = True
    patience = min(1.0, call.smi.settle.attempt_seconds)  # some meshes refuse by silence
    with call.smi.case.step("observe", f"{call} is denied {requests} times") as step:
        seen = call.within(patience).sample(requests)
        step.details.update(requests=seen.requests, pods=seen.pods, shapes=dict(seen.shapes))
    if seen.pods:
        served = sum(seen.pods.values())
        cause = "requests are let in now and then: one of several proxies or workers has no policy, or by chance"
        raise report(call.smi, f"{call} is denied each time", f"{served} of {seen.requests} were served", cause)


def is_allowed(call: Call) -> bool:
    """Whether one request is served right now, without waiting: for observations where the spec is silent.

    Only a client that was never seen to reach anything is waited for, as in `assert_denied`.
    """
    vouch(call)
    seen = call.send(1)
    return call.served(seen[0])
