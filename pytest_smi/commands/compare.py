"""`pytest-smi compare`: where runs differ, instance by instance: runs of one mesh, or of several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.catalog.compare import compared, differences
from pytest_smi.catalog.judged import Judged, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

HELP = "Compare the verdicts of runs: exit status 0 when all give the same, 1 when any differs"
EQUAL, DIFFERENT = 0, 1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="results.json of at least two runs")
    parser.add_argument("--json", action="store_true", help="the differences as JSON")
    parser.add_argument("--all", action="store_true", help="every instance, not only those that differ")


def run(given: argparse.Namespace) -> int:
    """Print the instances that differ; status 0 when none does, 1 when any does. Raises HarnessError."""
    runs = [read(Path(name)) for name in given.results]
    found = differences(runs)
    shown = compared(runs) if given.all else found
    if given.json:
        print(json.dumps([{"key": key, "verdicts": verdicts} for key, verdicts in shown.items()], indent=1))
    else:
        print("\n".join([*_table(runs, shown), f"{len(found)} of {len(compared(runs))} instances differ"]))
    return DIFFERENT if found else EQUAL


def _table(runs: Sequence[Judged], shown: dict[str, list[str]]) -> list[str]:
    if not shown:
        return []
    heads = ["instance", *(one.title for one in runs)]
    rows = [heads, *([key, *verdicts] for key, verdicts in shown.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
