from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smi.evidence import Verdict
from pytest_smi.report.plain import plain


@dataclass
class Point:
    x: float
    names: tuple[str, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Verdict.PASS, "pass"),
        ({Verdict.FAIL: 1}, {"fail": 1}),
        (Point(1.5, ("a",)), {"x": 1.5, "names": ["a"]}),
        ({2, 1}, [1, 2]),
        (float("nan"), None),
        (float("-inf"), None),
        (True, True),
        (b"\xff/pour", "\\xff/pour"),
        ("\ud800", "\\ud800"),
        ({1: None}, {"1": None}),
        (ValueError("x"), "x"),
    ],
)
def test_a_value_becomes_the_plain_json_type_that_says_most_of_it(value: object, expected: object) -> None:
    got = plain(value)
    assert got == expected
    assert type(got) is type(expected)


_anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.sampled_from(Verdict)),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(st.text() | st.integers(), inner)),
    max_leaves=20,
)


@given(_anything)
def test_any_evidence_survives_strict_json_in_utf_8(value: Any) -> None:
    got = plain(value)
    text = json.dumps(got, allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == got
