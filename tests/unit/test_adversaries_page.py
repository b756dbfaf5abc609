"""The page about lazy meshes names tests and faults that exist, and faults that those tests must kill."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_smi.embedded.mesh.faults import listing

PAGE = (Path(__file__).parents[2] / "docs" / "adversaries.md").read_text("utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]
FAULTS = {one["name"]: set(one["kills"]) for one in listing()}


def test_the_page_has_a_table_for_each_area() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE)[:5] == [
        "Access",
        "Specs",
        "Split",
        "API and versions",
        "Metrics",
    ]
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[3]).strip())
def test_each_way_is_played_by_faults_that_these_requirements_kill(row: list[str]) -> None:
    ids = set(re.findall(r"\b(?:TA|TSC|TS|API|XG|TM)-\d{3}\b", row[2]))
    faults = re.findall(r"`([a-z0-9-]+)`", row[3])
    assert ids
    assert faults
    assert set(faults) <= FAULTS.keys()
    assert ids <= set().union(*(FAULTS[one] for one in faults))
