"""Every fault is caught by the tests it declares; with SMI_KILLS=reach also: it turns no others red."""

import os
from pathlib import Path

import pytest

from tests.kills.matrix import PAGE, faults, judge, page, suite

REACH = os.environ.get("SMI_KILLS") == "reach"


@pytest.mark.parametrize("name", sorted(faults()))
def test_the_fault_is_killed_and_reaches_no_further_than_declared(name: str, tmp_path: Path) -> None:
    fault = faults()[name]
    found = judge(name, tmp_path, reach=REACH)
    survived = sorted(set(fault["kills"]) - set(found.red))
    allowed = (*fault["kills"], *fault["may_touch"])
    beyond = [one for one in found.red if not one.startswith(allowed)]
    assert (survived, beyond, found.errors) == ([], [], [])


def test_every_fault_names_requirements_that_have_a_test() -> None:
    tested = set().union(*suite().values())
    assert {one for fault in faults().values() for one in fault["kills"]} <= tested


def test_the_page_shows_the_faults_as_they_are() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.kills.matrix"
