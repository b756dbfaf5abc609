"""The comparison page: what the meshes that were judged do, side by side, and where they fail."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_smi.evidence import Verdict
from pytest_smi.spec.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.catalog.judged import Judged

_NONE = "·"
_MARKS = {
    "pass": "pass",
    "fail": "**FAIL**",
    "error": "error",
    "unsupported": _NONE,
    "disabled": _NONE,
    "observation": "seen",
    "known-failure": "**FAIL** (known)",
    "": _NONE,
}
_FAILS = ("fail", "known-failure")


def comparison_page(runs: Sequence[Judged], written: str) -> str:
    """Counts of every run, its failures, and where runs differ; `written` says how the page is made."""
    lines = ["# Meshes compared", "", written, "", *_counts(runs), "", "## What fails", ""]
    for run in runs:
        lines += [f"### {run.title}", "", *_failures(run), ""]
    lines += ["## Side by side", "", f"Requirements that two of them answer otherwise; {_NONE}: not judged.", ""]
    return "\n".join([*lines, *_table(runs)]) + "\n"


def _counts(runs: Sequence[Judged]) -> list[str]:
    rows = [
        "| mesh | judged on | instances | " + " | ".join(verdict.value for verdict in Verdict) + " |",
        "|---" * (3 + len(Verdict)) + "|",
    ]
    for run in runs:
        count = Counter(run.verdict(key) for key in run.instances)
        numbers = " | ".join(str(count[verdict.value]) for verdict in Verdict)
        rows.append(f"| {run.title} | {run.started[:10]} | {len(run.instances)} | {numbers} |")
    return rows


def _failures(run: Judged) -> list[str]:
    failed = [key for key in run.instances if run.verdict(key) in _FAILS]
    if not failed:
        return ["Nothing."]
    return [f"* `{key}` {run.instances[key]['statement']}{_observed(run.message(key))}" for key in failed]


def _observed(message: str) -> str:
    """What the failure's message says was observed, folded to one line."""
    found = _observation(message)
    return f". Observed: {found}" if found else ""


def _observation(message: str) -> str:
    found = [line.partition(": ")[2] for line in message.splitlines() if line.strip().startswith("observed:")]
    return found[0] if found else ""


def _seen(message: str) -> str:
    """An observation in one line: what was noted, or what was observed where something was tried in vain."""
    return _observation(message) or message.partition("seen: ")[2].partition("\n")[0] or "seen"


def _table(runs: Sequence[Judged]) -> list[str]:
    rows = ["| requirement | " + " | ".join(run.title for run in runs) + " |", "|---" * (1 + len(runs)) + "|"]
    for requirement in catalogue().values():
        cells = [_cell(run, requirement.id) for run in runs]
        if len({cell for cell in cells if cell != _NONE}) > 1:
            rows.append(f"| {requirement.id} {requirement.statement} | {' | '.join(cells)} |")
    return rows


def _cell(run: Judged, identifier: str) -> str:
    """One mesh's answer to a requirement over its API versions; what was seen where the specification is silent."""
    keys = [key for key in run.instances if key.partition("[")[0] == identifier]
    verdicts = {run.verdict(key) for key in keys}
    if verdicts == {"observation"}:
        return "; ".join(sorted({_seen(run.message(key)) for key in keys}))
    return (
        ", ".join(sorted({_MARKS[verdict] for verdict in verdicts} - ({_NONE} if len(verdicts) > 1 else set())))
        or _NONE
    )
