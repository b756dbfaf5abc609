"""Many verdicts at once: a whole decision matrix, all replicas of a server, the requests of one connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_smi.assertions.access import remember, vouch
from pytest_smi.assertions.message import report
from pytest_smi.assertions.settle import since_change
from pytest_smi.errors import WorkloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_smi.workload.call import Call

_PAUSE = 0.02
_SAMPLE = 48
_SHOWN = 8


def assert_matrix(*, allowed: Iterable[Call], denied: Iterable[Call]) -> None:
    """Every call of `allowed` is served and none of `denied`, all within one and the same pass.

    Polls whole passes until two in a row are right (or the budget is used up): for tables of many cells, where judging
    each cell several times on its own would take long. Witnesses are the answers and the applications' logs, as in
    `assert_allowed` and `assert_denied`. Rests on TA-027.
    """
    __tracebackhide__ = True
    cells = [*((call, True) for call in allowed), *((call, False) for call in denied)]
    call = cells[0][0]
    for one, is_allowed in cells:
        if not is_allowed:
            vouch(one)
    with call.smi.case.step("settle", f"a matrix of {len(cells)} verdicts") as step:
        wrong = _until_right_twice(call, lambda: _wrong_cells(cells))
        step.details.update(cells=len(cells), wrong=wrong)
    for one, is_allowed in cells:
        if is_allowed:
            remember(one)
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        observed = f"{len(wrong)} cells differ: {'; '.join(wrong[:_SHOWN])}{more}"
        cause = "the policies are combined otherwise than as a union of their grants"
        raise report(call.smi, f"all {len(cells)} cells of the table", observed, cause)


def assert_every_pod_answers(call: Call) -> None:
    """Each pod behind the target answers some of the call's requests, and every request is served. Rests on TA-011."""
    __tracebackhide__ = True
    wanted = {pod.name for workload in call.target.workloads for pod in workload.pods}
    with call.smi.case.step("settle", f"{call} is answered by each of {len(wanted)} pods") as step:
        wrong = _until_right_twice(call, lambda: _silent_pods(call, wanted))
        step.details.update(pods=sorted(wanted), wrong=wrong)
    remember(call)
    if wrong:
        cause = "a replica has another policy than the others, or is left out of the balancing"
        raise report(call.smi, f"{call} is served by every pod: {', '.join(sorted(wanted))}", "; ".join(wrong), cause)


def assert_on_one_connection(*verdicts: tuple[Call, bool]) -> None:
    """Requests on one kept connection are each judged on their own: (call, whether it is to arrive), in this order.

    The calls must be plain HTTP/1.1 from one client to one port of one target. The application's log is the witness.
    Rests on TA-097.
    """
    __tracebackhide__ = True
    call = verdicts[0][0]
    requests = [_request_text(one, number, len(verdicts)) for number, (one, _) in enumerate(verdicts)]
    whole = call.client.raw(call.target, "".join(requests).encode("latin-1"), port=call.request.port)
    expected = [arrives for _, arrives in verdicts]
    last: list[bool] = []

    def wrong() -> list[str]:
        sent = whole.send(1)[0].id
        arrived = whole.arrived(f"{sent}-{number}" for number in range(len(verdicts)))
        last[:] = [f"{sent}-{number}" in arrived for number in range(len(verdicts))]
        return [] if last == expected else [f"arrived: {last}"]

    with call.smi.case.step("settle", f"{len(verdicts)} requests on one connection") as step:
        failed = _until_right_twice(call, wrong)
        step.details.update(expected=expected, arrived=last)
    if failed:
        titles = ", ".join(f"{one.request.path} {'arrives' if arrives else 'does not'}" for one, arrives in verdicts)
        cause = "the verdict is taken once for a connection, or the connection does not outlive a refusal"
        raise report(call.smi, f"on one connection: {titles}", failed[0], cause)


def _until_right_twice(call: Call, wrong: Callable[[], list[str]]) -> list[str]:
    """Call `wrong` until it finds nothing twice in a row or the budget ends; gives what it found last."""
    deadline = time.monotonic() + call.smi.settle.seconds
    while True:
        began = time.monotonic()
        found = wrong()
        if not found:
            found = wrong()
            if not found:
                since_change(call, began)
                return []
        if time.monotonic() > deadline:
            return found
        time.sleep(_PAUSE)  # the interval of a poll with a deadline


def _wrong_cells(cells: list[tuple[Call, bool]]) -> list[str]:
    seen = [(call, call.send(1)[0], allowed) for call, allowed in cells]
    calls = {call.target: call for call, _, _ in seen}
    logs = {target: call.arrived(one.id for _, one, _ in seen) for target, call in calls.items()}
    wrong = []
    for call, one, allowed in seen:
        if call.served(one) is not allowed or (one.id in logs[call.target]) is not allowed:
            wrong.append(f"{call} {'not ' if allowed else ''}served ({one.shape})")
    return wrong


def _silent_pods(call: Call, wanted: set[str]) -> list[str]:
    histogram = call.sample(_SAMPLE)
    wrong = [f"no answer from {pod}" for pod in sorted(wanted - histogram.pods.keys())]
    if histogram.unserved:
        wrong.append(f"{histogram.unserved} of {histogram.requests} requests not served: {dict(histogram.shapes)}")
    return wrong


def _request_text(call: Call, number: int, of: int) -> str:
    asked = call.request
    if asked.protocol != "http1" or asked.body:
        raise WorkloadError(f"{call} cannot share a connection", "use plain HTTP/1.1 requests without a body")
    lines = [f"{asked.method} {asked.path} HTTP/1.1", f"host: {asked.host}:{asked.port}", f"x-smi-id: {{id}}-{number}"]
    lines += [f"{name}: {value}" for name, value in asked.headers]
    if number == of - 1:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""])
