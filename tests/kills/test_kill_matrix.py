"""Every fault is caught by the tests it declares, and turns no other red. SMI_KILLS=whole runs all tests each time."""

import os
from pathlib import Path

import pytest

from tests.kills.matrix import faults, judge

WHOLE = os.environ.get("SMI_KILLS") == "whole"


@pytest.mark.parametrize("name", sorted(faults()))
def test_the_fault_is_killed_and_reaches_no_further_than_declared(name: str, tmp_path: Path) -> None:
    fault = faults()[name]
    found = judge(name, tmp_path, whole=WHOLE)
    survived = sorted(set(fault["kills"]) - set(found.red))
    allowed = (*fault["kills"], *fault["may_touch"])
    beyond = [one for one in found.red if not one.startswith(allowed)]
    assert (survived, beyond, found.errors) == ([], [], [])
