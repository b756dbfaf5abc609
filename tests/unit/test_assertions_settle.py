"""Silence: a datagram is given up as soon as silence can be told from an answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_smi.assertions.access import assert_allowed, assert_denied
from tests.unit.fakes import FakeCall


class Datagrams(FakeCall):
    """A call over UDP that notes how it was asked."""

    def __init__(self, pod: str | None, attempt_seconds: float = 1.0) -> None:
        super().__init__(lambda _: pod)
        self.request = SimpleNamespace(protocol="udp", port=5353)
        self.smi.settle = SimpleNamespace(seconds=0.05, agree=3, attempt_seconds=attempt_seconds)
        self.smi.slowest_datagram = None
        self.limits: list[float] = []
        self.counts: list[int] = []

    def within(self, seconds: float) -> Any:
        self.limits.append(seconds)
        return self

    def send(self, count: int = 1, **_: Any) -> Any:
        self.counts.append(count)
        return super().send(count)


def test_without_a_control_the_limit_of_the_profile_holds() -> None:
    call = Datagrams(None)
    assert_denied(call.as_call())
    assert call.limits == []


def test_answers_seen_before_say_how_long_silence_is() -> None:
    served = Datagrams("teapot-0")
    assert_allowed(served.as_call())
    assert served.smi.slowest_datagram == pytest.approx(0.001)
    silent = Datagrams(None)
    silent.smi = served.smi
    assert_denied(silent.as_call())
    assert silent.limits == [0.1]


@pytest.mark.parametrize(("slowest", "limit"), [(0.04, 0.2), (0.5, 1.0)])
def test_silence_is_many_times_the_slowest_answer_and_never_more_than_the_profile_says(
    slowest: float, limit: float
) -> None:
    call = Datagrams(None)
    call.smi.slowest_datagram = slowest
    assert_denied(call.as_call())
    assert call.limits == [limit]


def test_datagrams_that_should_be_silent_are_sent_together() -> None:
    call = Datagrams(None)
    assert_denied(call.as_call())
    assert call.counts == [3]


def test_other_protocols_are_asked_once_first() -> None:
    call = FakeCall(lambda _: None)
    assert_denied(call.as_call(), times=5)
    assert call.sent == 5
