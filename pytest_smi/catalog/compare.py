"""`pytest-smi compare`: where runs differ, instance by instance: runs of one mesh, or of several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.catalog.judged import Judged, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

EQUAL, DIFFERENT = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="results.json of at least two runs")
    parser.add_argument("--json", action="store_true", help="the differences as JSON")
    parser.add_argument("--all", action="store_true", help="every instance, not only those that differ")


def run(arguments: argparse.Namespace) -> int:
    """Print the instances that differ; status 0 when none does, 1 when any does. Raises HarnessError."""
    runs = [read(Path(name)) for name in arguments.results]
    found = differences(runs)
    shown = compared(runs) if arguments.all else found
    if arguments.json:
        print(json.dumps([{"key": key, "verdicts": verdicts} for key, verdicts in shown.items()], indent=1))
    else:
        print("\n".join([*_table(runs, shown), f"{len(found)} of {len(compared(runs))} instances differ"]))
    return DIFFERENT if found else EQUAL


def compared(runs: Sequence[Judged]) -> dict[str, list[str]]:
    """Instance key -> its verdict in each run; `-` where a run did not judge it."""
    keys = sorted({key for one in runs for key in one.instances})
    return {key: [one.verdict(key) or "-" for one in runs] for key in keys}


def differences(runs: Sequence[Judged]) -> dict[str, list[str]]:
    """The instances whose verdict is not the same in all runs."""
    return {key: verdicts for key, verdicts in compared(runs).items() if len(set(verdicts)) > 1}


def _table(runs: Sequence[Judged], shown: dict[str, list[str]]) -> list[str]:
    if not shown:
        return []
    heads = ["instance", *(one.title for one in runs)]
    rows = [heads, *([key, *verdicts] for key, verdicts in shown.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
