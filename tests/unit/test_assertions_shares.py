"""Shares: what passes, what fails, and that an early rejection within the budget is not the last word."""

import random
from collections import Counter

import pytest

from pytest_smi.assertions.shares import _Trial, are_shared, assert_only, assert_reaches, assert_shares, reached
from pytest_smi.errors import NonConformance
from pytest_smi.traffic.shares import Decision
from tests.unit.fakes import FakeCall, workload

CHINA, GLASS, CLAY = workload("china"), workload("glass"), workload("clay")


def drawn(weights: dict[str, float], seed: int = 1) -> FakeCall:
    chance = random.Random(seed)

    def sample(_: int, count: int) -> dict[str, int]:
        return dict(Counter(chance.choices(list(weights), list(weights.values()), k=count)))

    return FakeCall(lambda _: None, samples=sample)


def test_right_shares_pass() -> None:
    assert_shares(drawn({"china-0": 90, "glass-0": 10}).as_call(), {CHINA: 90, GLASS: 10})


def test_ignored_weights_fail_and_the_message_guesses_so() -> None:
    with pytest.raises(NonConformance, match="weights are ignored"):
        assert_shares(drawn({"china-0": 50, "glass-0": 50}).as_call(), {CHINA: 75, GLASS: 25})


def test_one_request_on_a_backend_of_weight_zero_fails() -> None:
    call = FakeCall(lambda _: None, samples=lambda _, n: {"china-0": n - 1, "glass-0": 1})
    with pytest.raises(NonConformance, match="weight 0 gets traffic"):
        assert_shares(call.as_call(), {CHINA: 1, GLASS: 0})


def test_a_stranger_among_the_answers_fails() -> None:
    with pytest.raises(NonConformance, match="clay is no backend"):
        assert_shares(drawn({"china-0": 1, "clay-0": 1}).as_call(), {CHINA: 1})


def test_an_unserved_request_fails() -> None:
    call = FakeCall(lambda _: None, samples=lambda _, n: {"china-0": n - 1})
    with pytest.raises(NonConformance, match="not served"):
        assert_only(call.as_call(), CHINA)


def test_a_change_that_is_not_in_force_yet_is_waited_for() -> None:
    call = FakeCall(lambda _: None, budget=5, samples=lambda sent, n: {"glass-0": n} if sent > 100 else {"china-0": n})
    assert_only(call.as_call(), GLASS)


def test_a_very_late_attempt_still_decides() -> None:
    trial = _Trial(drawn({"china-0": 1}).as_call(), {"china": 1}, 0.1, kept=False, concurrency=8, attempt=5000)
    assert trial._attempt() is Decision.PASS


def test_reaching_everyone_needs_everyone() -> None:
    assert_reaches(drawn({"china-0": 1, "glass-0": 1}).as_call(), CHINA, GLASS)
    with pytest.raises(NonConformance, match="reaches all of"):
        assert_reaches(drawn({"china-0": 1, "glass-0": 1}).as_call(), CHINA, GLASS, CLAY)
    with pytest.raises(NonConformance, match="reaches all of"):
        assert_reaches(drawn({"china-0": 1, "glass-0": 1}).as_call(), CHINA)


def test_whether_shares_hold_can_be_asked_without_judging() -> None:
    assert are_shared(drawn({"china-0": 50, "glass-0": 50}).as_call(), {CHINA: 1, GLASS: 1})
    assert not are_shared(drawn({"china-0": 100}).as_call(), {CHINA: 1, GLASS: 1})
    in_between = drawn({"china-0": 60, "glass-0": 40}).as_call()
    assert not are_shared(in_between, {CHINA: 1, GLASS: 1})


def test_who_is_reached_is_told_by_name_and_nobody_for_lost_requests() -> None:
    assert reached(drawn({"glass-0": 1, "china-0": 1}).as_call()) == ["china", "glass"]
    lossy = FakeCall(lambda _: None, samples=lambda _, n: {"china-0": n - 1})
    assert reached(lossy.as_call()) == ["china", "nobody"]
