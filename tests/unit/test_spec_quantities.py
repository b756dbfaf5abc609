"""Kubernetes quantities."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smi.spec.quantities import PATTERN, milli, quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", Fraction(1, 2)),
        ("1", 1),
        (7, 7),
        ("1.5", Fraction(3, 2)),
        (".25", Fraction(1, 4)),
        ("2.", 2),
        ("2k", 2000),
        ("1Ki", 1024),
        ("1e3", 1000),
        ("1E-2", Fraction(1, 100)),
        ("3E", 3 * 10**18),
        ("12n", Fraction(12, 10**9)),
        ("-200", -200),
        ("+3u", Fraction(3, 10**6)),
    ],
)
def test_quantities_have_exact_values(text: str | int, value: Fraction | int) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "m", "1 m", "1mm", "0x1", "1K", "half", "1e", True, None])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity(text)


@pytest.mark.parametrize(("text", "thousandths"), [("1", 1000), ("500m", 500), ("1u", 1), ("1.0001", 1001), ("0", 0)])
def test_thousandths_round_up(text: str, thousandths: int) -> None:
    assert milli(text) == thousandths


@settings(deadline=None, database=None)
@given(st.from_regex(PATTERN, fullmatch=True).filter(lambda text: not re.search(r"[eE][+-]?[0-9]{3,}$", text)))
def test_everything_the_schema_admits_is_a_quantity(text: str) -> None:
    assert quantity(text.rstrip("\n")) >= 0
