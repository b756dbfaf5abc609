"""Facts that no request shows: polled within the budget, and told when they do not come."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.assertions.plain import assert_comes
from pytest_smi.errors import NonConformance
from pytest_smi.workload.smi import Smi
from tests.unit.fakes import FakeCall


def context(budget: float) -> tuple[Smi, Any]:
    smi: SimpleNamespace = FakeCall(lambda _: None, budget=budget).smi
    return cast("Smi", smi), smi.case


def test_what_comes_in_time_is_kept_as_evidence() -> None:
    smi, case = context(5)
    looks = iter([[], None, ["the event"]])
    assert_comes(smi, lambda: next(looks), "an event")
    assert case.steps[0].details["found"] == ["the event"]


def test_what_does_not_come_fails_and_says_what_was_waited_for() -> None:
    smi, case = context(0.05)
    with pytest.raises(NonConformance, match=r"expected: an event\n  observed: nothing of it within 0.05 s"):
        assert_comes(smi, lambda: None, "an event", "nobody tells")
    assert not case.steps[0].ok
