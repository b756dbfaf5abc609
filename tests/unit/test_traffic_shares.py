"""The shares test: its exact rules, and its error bounds at level 0.01 by simulation (1e-6 cannot be simulated)."""

from __future__ import annotations

import math
import random
from statistics import mean
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smi.traffic.shares import Decision, SharesTest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEVEL = 0.01
CANARY = {"stable": 90, "canary": 10}


def looking_after_each(
    weights: Mapping[str, float],
    true_shares: Sequence[float],
    seed: int,
    *,
    longest: int = 3000,
    level: float = LEVEL,
    tolerance: float = 0.05,
) -> tuple[Decision, int]:
    """One run that looks after every single request and stops at the first decision."""
    test = SharesTest(weights, tolerance=tolerance, wrong_fail=level, wrong_pass=level)
    counts = dict.fromkeys(weights, 0)
    backends = random.Random(seed).choices(list(weights), true_shares, k=longest)
    for number, backend in enumerate(backends, 1):
        counts[backend] += 1
        decision = test.decide(counts)
        if decision is not Decision.UNDECIDED:
            return decision, number
    return Decision.UNDECIDED, longest


def rates(
    weights: Mapping[str, float], true_shares: Sequence[float], runs: int, **options: int
) -> dict[Decision, float]:
    found = [looking_after_each(weights, true_shares, seed, **options)[0] for seed in range(runs)]
    return {decision: found.count(decision) / runs for decision in Decision}


def no_more_than(level: float, runs: int) -> float:
    """The share of wrong decisions above which the bound is refuted (four standard deviations)."""
    return level + 4 * math.sqrt(level * (1 - level) / runs)


def test_a_mesh_at_the_edge_of_the_slack_is_rarely_failed_however_often_one_looks() -> None:
    found = rates(CANARY, (0.89, 0.11), runs=250)
    assert found[Decision.FAIL] <= no_more_than(LEVEL, 250)


def test_a_mesh_off_by_the_tolerance_is_rarely_passed_however_often_one_looks() -> None:
    found = rates(CANARY, (0.85, 0.15), runs=250)
    assert found[Decision.PASS] <= no_more_than(LEVEL, 250)
    assert found[Decision.FAIL] >= 0.9


def test_with_an_even_split_both_errors_are_rare_too() -> None:
    even = {"a": 1, "b": 1}
    assert rates(even, (0.5, 0.5), runs=100)[Decision.FAIL] <= no_more_than(LEVEL, 100)
    assert rates(even, (0.45, 0.55), runs=100)[Decision.PASS] <= no_more_than(LEVEL, 100)


def test_the_simulation_itself_can_see_a_broken_bound() -> None:
    """The naive rule, to fail when a share is more than 5 points off, errs in most runs when one keeps looking."""
    wrong = 0
    for seed in range(50):
        stable = 0
        for number, backend in enumerate(random.Random(seed).choices("sc", (0.9, 0.1), k=300), 1):
            stable += backend == "s"
            if number >= 10 and abs(stable / number - 0.9) > 0.05:
                wrong += 1
                break
    assert wrong / 50 > no_more_than(LEVEL, 50)


@pytest.mark.parametrize(
    ("weights", "true_shares", "verdict"),
    [
        pytest.param((90, 10), (90, 10), Decision.PASS, id="90/10 as wanted"),
        pytest.param((90, 10), (80, 20), Decision.FAIL, id="80/20 for 90/10"),
        pytest.param((90, 10), (50, 50), Decision.FAIL, id="ignored weights"),
        pytest.param((90, 10), (10, 90), Decision.FAIL, id="weights swapped"),
        pytest.param((75, 25), (75, 25), Decision.PASS, id="75/25 as wanted"),
        pytest.param((50, 50), (60, 40), Decision.FAIL, id="60/40 for even"),
        pytest.param((99, 1), (94, 6), Decision.FAIL, id="94/6 for 99/1"),
        pytest.param((99, 1), (100, 0), Decision.FAIL, id="a dead 1 % backend"),
        pytest.param((1, 1, 1), (2, 1, 1), Decision.FAIL, id="even thirds missed"),
        pytest.param((60, 30, 10), (60, 30, 10), Decision.PASS, id="three backends as wanted"),
        pytest.param((100, 0), (100, 0), Decision.PASS, id="all to one"),
        pytest.param((1, 0), (1, 0), Decision.PASS, id="all to one, in small numbers"),
    ],
)
def test_at_the_default_bounds_clear_cases_are_decided_rightly(
    weights: tuple[int, ...], true_shares: tuple[int, ...], verdict: Decision
) -> None:
    named = {f"backend-{number}": weight for number, weight in enumerate(weights)}
    assert looking_after_each(named, true_shares, seed=7, longest=9000, level=1e-6)[0] is verdict


def test_all_traffic_to_the_only_weighted_backend_passes_after_270_requests() -> None:
    test = SharesTest({"a": 100, "b": 0})
    assert test.decide({"a": 269}) is Decision.UNDECIDED
    assert test.decide({"a": 270, "b": 0}) is Decision.PASS


def test_one_request_to_a_backend_of_weight_0_is_proof() -> None:
    assert SharesTest({"a": 100, "b": 0}).decide({"a": 5000, "b": 1}) is Decision.FAIL


def test_one_request_past_the_only_backend_is_proof() -> None:
    assert SharesTest({"a": 1}).decide({"a": 5000, "elsewhere": 1}) is Decision.FAIL


def test_one_request_to_a_backend_that_is_not_in_the_split_is_proof() -> None:
    assert SharesTest(CANARY).decide({"stable": 900, "canary": 99, "root": 1}) is Decision.FAIL


def test_weighted_round_robin_passes() -> None:
    test = SharesTest(CANARY)
    decision = Decision.UNDECIDED
    while decision is Decision.UNDECIDED:
        decision = test.add({"stable": 9, "canary": 1})
    assert decision is Decision.PASS
    assert test.counts.total() < 2000


def test_nothing_is_decided_without_requests() -> None:
    assert SharesTest(CANARY).decide({}) is Decision.UNDECIDED
    assert SharesTest({"a": 1, "b": 0}).decide({"a": 0}) is Decision.UNDECIDED


def test_add_decides_on_everything_added_so_far() -> None:
    test = SharesTest({"a": 1, "b": 0})
    assert [test.add({"a": 100}) for _ in range(3)] == [Decision.UNDECIDED, Decision.UNDECIDED, Decision.PASS]
    assert test.counts == {"a": 300}


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": float("inf")}, {"a": float("nan")}])
def test_weights_without_a_meaning_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        SharesTest(weights)


@pytest.mark.parametrize(
    "bounds",
    [{"tolerance": 0}, {"slack": 0.05}, {"slack": -0.1}, {"wrong_pass": 0}, {"wrong_fail": 1}, {"tolerance": 1}],
)
def test_bounds_without_a_meaning_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"slack|wrong"):
        SharesTest(CANARY, **bounds)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        SharesTest(CANARY).decide({"stable": -1})


weight_lists = st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any)


@settings(max_examples=100, deadline=None)
@given(weight_lists, st.integers(2, 1000))
def test_only_the_proportions_of_weights_count(weights: list[int], factor: int) -> None:
    plain = SharesTest({str(i): weight for i, weight in enumerate(weights)})
    scaled = SharesTest({str(i): weight * factor for i, weight in enumerate(weights)})
    for total in (100, 3000, 20_000):
        counts = {name: round(share * total) for name, share in plain.shares.items()}
        assert plain.decide(counts) is scaled.decide(counts)


@settings(max_examples=100, deadline=None)
@given(weight_lists)
def test_traffic_exactly_as_wanted_never_fails_and_passes_in_the_end(weights: list[int]) -> None:
    test = SharesTest({str(i): weight for i, weight in enumerate(weights)})
    unit = {str(i): weight for i, weight in enumerate(weights)}
    decision, rounds = Decision.UNDECIDED, 1
    while decision is Decision.UNDECIDED:
        decision = test.decide({name: weight * rounds for name, weight in unit.items()})
        rounds *= 2
    assert decision is Decision.PASS


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=2, max_size=4), st.data())
def test_enough_traffic_off_by_the_tolerance_fails(weights: list[int], data: st.DataObject) -> None:
    test = SharesTest({str(i): weight for i, weight in enumerate(weights)})
    giver, taker = data.draw(st.permutations(sorted(test.shares)))[:2]
    moved = min(test.shares[giver], 0.05)
    shares = {**test.shares, giver: test.shares[giver] - moved, taker: test.shares[taker] + moved}
    assert test.decide({name: round(share * 1_000_000) for name, share in shares.items()}) is Decision.FAIL


def test_a_backend_that_takes_too_much_is_caught_even_when_no_other_loses_much() -> None:
    test = SharesTest(dict.fromkeys("abcd", 1))
    assert test.decide({"a": 310_000, "b": 230_000, "c": 230_000, "d": 230_000}) is Decision.FAIL
    assert test.decide({"a": 258_000, "b": 247_000, "c": 247_000, "d": 248_000}) is Decision.PASS


@settings(max_examples=200, deadline=None)
@given(weight_lists, st.dictionaries(st.sampled_from("012345"), st.integers(0, 100_000)))
def test_any_counts_give_a_decision_and_sane_intervals(weights: list[int], counts: dict[str, int]) -> None:
    test = SharesTest({str(i): weight for i, weight in enumerate(weights)})
    assert test.decide(counts) in Decision
    total = sum(counts.values())
    for name, (low, high) in test.interval(counts).items():
        assert 0 <= low <= counts.get(name, 0) / max(total, 1) <= high <= 1


def test_an_interval_holds_the_true_share_at_all_looks_at_once() -> None:
    test, missed = SharesTest(CANARY), 0
    for seed in range(60):
        canary = 0
        for number, backend in enumerate(random.Random(seed).choices("sc", (0.9, 0.1), k=400), 1):
            canary += backend == "c"
            if number % 5 == 0:
                low, high = test.interval({"stable": number - canary, "canary": canary}, 0.9)["canary"]
                if not low <= 0.1 <= high:
                    missed += 1
                    break
    assert missed / 60 <= no_more_than(0.1, 60)


def test_an_interval_narrows_and_covers_strangers() -> None:
    test = SharesTest(CANARY)
    few, many = test.interval({"stable": 90, "canary": 10}), test.interval({"stable": 9000, "canary": 1000, "root": 1})
    assert many["canary"][1] - many["canary"][0] < (few["canary"][1] - few["canary"][0]) / 5
    assert many["root"][0] > 0
    assert test.interval({}) == {"stable": (0.0, 1.0), "canary": (0.0, 1.0)}


@pytest.mark.parametrize("weights", [(90, 10), (50, 50), (100, 0), (60, 30, 10)])
def test_the_expected_number_of_requests_is_near_the_simulated_one(weights: tuple[int, ...]) -> None:
    named = {str(number): weight for number, weight in enumerate(weights)}
    found = mean(looking_after_each(named, weights, seed, longest=9000)[1] for seed in range(15))
    expected = SharesTest(named, wrong_fail=LEVEL, wrong_pass=LEVEL).expected_requests()
    assert 0.6 * found <= expected <= 1.7 * found
