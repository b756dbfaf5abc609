"""Every fault is caught by the tests it declares, and turns no others red."""

from pathlib import Path

import pytest

from pytest_smi.spec.catalogue import catalogue
from tests.kills.matrix import BEYOND, BINDING, PAGE, declared, faults, judge, page, suite
from tests.kills.stage_process import StageProcess


@pytest.mark.parametrize("name", sorted(faults()))
def test_the_fault_is_killed_and_reaches_no_further_than_declared(
    name: str, stage: StageProcess, recordings: list[Path]
) -> None:
    found = judge(name, stage, recordings)
    survived = sorted(set(faults()[name]["kills"]) - found.red)
    beyond = sorted(one for one in found.red if not one.startswith(declared(faults()[name])))
    assert (survived, beyond, found.errors) == ([], [], {})


def test_every_fault_names_requirements_that_have_a_test() -> None:
    tested = set().union(*suite().values())
    assert {one for fault in faults().values() for one in fault["kills"]} <= tested


def test_every_requirement_that_can_fail_is_killed_by_name_or_beyond_reach() -> None:
    known, killed = catalogue(), {one for fault in faults().values() for one in fault["kills"]}
    binding = {one for tested in suite().values() for one in tested if known[one].level in BINDING}
    assert binding - killed == BEYOND.keys()


def test_the_page_shows_the_faults_as_they_are() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.kills.matrix"
