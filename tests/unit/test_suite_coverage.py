"""No unexplained gaps: every requirement of the catalogue has a test in the suite, or says why it has none."""

from __future__ import annotations

import re
from collections import Counter

from pytest_smi.paths import shipped
from pytest_smi.spec.catalogue import catalogue

SUITE = shipped("conformance_tests")
PENDING: tuple[str, ...] = ()
"""Beginnings of ids whose tests are still being written."""


def named_by_tests() -> Counter[str]:
    """Requirement -> the number of tests that name it."""
    named = re.compile(r'^@requirement\("(.+?)"\)$', re.MULTILINE)
    return Counter(found for path in SUITE.rglob("test_*.py") for found in named.findall(path.read_text("utf-8")))


def test_every_requirement_has_a_test_or_says_why_not() -> None:
    have = named_by_tests()
    gaps = [
        requirement.id
        for requirement in catalogue().values()
        if requirement.id not in have and not requirement.untested and not requirement.id.startswith(PENDING)
    ]
    assert gaps == []


def test_what_is_said_to_be_untested_has_no_test() -> None:
    assert [one.id for one in catalogue().values() if one.untested and one.id in named_by_tests()] == []


def test_a_requirement_has_one_test() -> None:
    assert [name for name, count in named_by_tests().items() if count > 1] == []


def test_a_note_has_nothing_to_test() -> None:
    assert [one.id for one in catalogue().values() if one.level == "note" and not one.untested] == []
