"""Assertions about anything that is neither access nor shares: objects in the API, what the application received."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_smi.assertions.message import report
from pytest_smi.cluster.api import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.spec.resources import Raw, Resource
    from pytest_smi.workload.smi import Smi

_PAUSE = 0.02


def assert_that(smi: Smi, holds: bool, expected: str, observed: Any, cause: str = "see the requirement") -> None:
    """Judge a fact: when it does not hold, raise NonConformance with what was expected and what was observed.

    A bare `assert` would be taken for a fault of the test, since pytest cannot tell the two apart.
    """
    __tracebackhide__ = True
    with smi.case.step("judge", expected, observed=observed) as step:
        step.ok = holds
    if not holds:
        raise report(smi, expected, str(observed), cause)


def assert_comes(smi: Smi, look: Callable[[], Any], expected: str, cause: str = "see the requirement") -> None:
    """`look` finds something (anything true) within the profile's budget; it is called again and again until then.

    For what the mesh does in its own time and no request can show, such as events.
    """
    __tracebackhide__ = True
    deadline = time.monotonic() + smi.settle.seconds
    with smi.case.step("settle", expected) as step:
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(_PAUSE)  # the interval of a poll with a deadline
        step.details["found"] = found
        step.ok = bool(found)
    if not found:
        raise report(smi, expected, f"nothing of it within {smi.settle.seconds:g} s", cause)


def assert_accepted(smi: Smi, *resources: Resource) -> None:
    """The API server takes these objects as they are (`smi.apply` treats a refusal as a fault of the harness)."""
    __tracebackhide__ = True
    refusal = smi.refused(*resources)
    assert_that(
        smi, refusal is None, "the API server accepts the object", _told(refusal), "the CRD's schema is stricter"
    )


def assert_rejected(smi: Smi, resource: Raw) -> None:
    """The API server refuses this object as invalid or forbidden (422, 400 or 403); it is tried in a dry run."""
    __tracebackhide__ = True
    answer = smi.tried(resource)
    refused = isinstance(answer, Refused) and answer.code in (400, 403, 422)
    assert_that(smi, refused, "the API server refuses the object", _told(answer), "the CRD's schema is looser")


def _told(answer: Refused | dict[str, Any] | None) -> str:
    return f"refused with {answer.code}: {answer.message}" if isinstance(answer, Refused) else "accepted"
