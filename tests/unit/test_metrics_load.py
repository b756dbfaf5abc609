"""What a load knows of itself: how many calls of each kind ended in the last seconds."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_smi.assertions.metrics import near, show
from pytest_smi.assertions.metrics_load import Load
from pytest_smi.spec.metrics_read import Item, Listing
from tests.unit.test_metrics_read import ITEM, LIST


def load(*points: tuple[float, int]) -> Load:
    """A load that has counted so many good calls at these times."""
    made = Load.__new__(Load)
    made._points = [(at, Counter({"good": good, "teapot-0": good})) for at, good in points]
    return made


def test_a_window_may_begin_between_two_batches() -> None:
    found = load((0, 0), (1, 100), (2, 300), (3, 400))
    assert found.good(1) == 100
    assert found.good(1.5) == 200
    assert found.good(2) == found.by("teapot-0", 2) == 300
    assert found.bad(2) == found.by("kettle-0", 2) == 0
    assert found.seconds == 3


def test_a_window_longer_than_the_load_has_all_of_it() -> None:
    assert load((5, 0), (6, 70)).good(30) == 70
    assert load((5, 0)).good(30) == 0


def test_a_window_of_nothing_has_nothing() -> None:
    assert load((0, 0), (1, 100)).good(0) == 0


def test_near_forgives_a_part_and_a_few() -> None:
    assert near(100, 81)
    assert near(81, 100)
    assert not near(100, 79)
    assert near(0, 4)
    assert not near(0, 5)
    assert not near(100, 200)


def test_an_answer_is_shown_in_a_line() -> None:
    line = "Pod/tea/teapot-0 <- Pod/tea/kettle-0 [server] 100 good 3 bad, p50/p90/p99 4.0/9.0/10.0 ms"
    assert show(Item(ITEM)) == line
    assert show(Listing(LIST)) == f"1 items: {line}"
    assert show({"pods": [Item(ITEM)], "n": 3}) == f"pods: [{line}], n: 3"
    assert "'soon'" not in show(Item({**ITEM, "window": "soon"})), "the window is not part of the line"
    assert show(Item({**ITEM, "metrics": []})) == "answer.metrics: p50_response_latency is missing"


@pytest.mark.parametrize("code", [200, 0])
def test_an_answer_that_was_given_up_says_why(code: int) -> None:
    from pytest_smi.assertions.metrics import Answer

    assert "longer than 8 MiB" in str(Answer("/x", code, {}, b"", "it is longer than 8 MiB"))
