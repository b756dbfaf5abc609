"""The requirement pages and the coverage page in docs/: `python -m pytest_smi.catalog.pages [docs]` writes them.

They hold nothing that is not in the catalogue, the suite, the reference mesh's faults or the results in docs/results;
a test keeps them up to date.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.catalog.comparison import comparison_page
from pytest_smi.catalog.entries import Entry, entries
from pytest_smi.catalog.judged import Judged, read_folder
from pytest_smi.report.links import spec_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WRITTEN = "<!-- written by `python -m pytest_smi.catalog.pages` -->"
TITLES = {
    "access": "Traffic Access Control",
    "specs": "Traffic Specs",
    "split": "Traffic Split",
    "metrics": "Traffic Metrics",
    "cross": "Several areas together",
    "api": "The Kubernetes API of SMI",
}


def pages(docs: Path) -> dict[Path, str]:
    """Path -> content of every generated page, from the results that lie in `docs`/results."""
    known, runs = entries(), read_folder(docs / "results")
    written = {docs / "requirements" / f"{area}.md": area_page(area, known, runs) for area in TITLES}
    compared = {docs / "results" / "README.md": comparison_page(runs, _WRITTEN)} if runs else {}
    return {**written, **compared, docs / "coverage.md": coverage_page(known)}


def area_page(area: str, known: Sequence[Entry], runs: Sequence[Judged]) -> str:
    """All requirements of an area, group by group."""
    lines = [f"# {TITLES[area]}", "", _WRITTEN, ""]
    group = ""
    for one in known:
        if one.requirement.area == area:
            if one.requirement.group != group:
                group = one.requirement.group
                lines += [f"## {group}", ""]
            lines += [*_requirement(one, runs), ""]
    return "\n".join(lines).rstrip() + "\n"


def _requirement(one: Entry, runs: Sequence[Judged]) -> list[str]:
    requirement = one.requirement
    level = " ".join(part for part in (requirement.level, requirement.level_note) if part)
    facts = [f"**{level}**", "provisional" if requirement.provisional else "", _versions(requirement.apis())]
    facts += [requirement.source] if requirement.source else []
    facts += [f"needs {', '.join(requirement.features)}"] if requirement.features else []
    lines = [f"### {requirement.id}", "", requirement.statement, "", " · ".join(fact for fact in facts if fact)]
    if one.faults:
        lines += ["", f"Turns red under: {', '.join(f'`{name}`' for name in one.faults)}"]
    seen = _verdicts(one, runs)
    if seen:
        lines += ["", "| mesh | verdict |", "|---|---|", *seen]
    for story in one.stories:
        lines += ["", f"<details><summary><code>{story.nodeid}</code></summary>", "", "```python", story.source]
        lines += ["```", "", "</details>"]
    if not one.stories:
        lines += ["", f"No test: {reason(one)}."]
    return lines


def _versions(apis: Iterable[str]) -> str:
    """Links to the documents of the versions that carry the statement, where SMI has one."""
    names: dict[str, list[str]] = {}
    for api in apis:
        what, _, version = api.rpartition("-")
        url = spec_url(api)
        names.setdefault(what, []).append(f"[{version}]({url})" if url else version)
    return ", ".join(f"{what} {' '.join(versions)}" for what, versions in names.items())


def _verdicts(one: Entry, runs: Sequence[Judged]) -> list[str]:
    rows = []
    for run in runs:
        found = {api: run.verdict(f"{one.requirement.id}[{api}]") for api in one.requirement.apis()}
        judged = {api: verdict for api, verdict in found.items() if verdict}
        if judged:
            rows.append(f"| {run.title} | {', '.join(f'{verdict} ({api})' for api, verdict in judged.items())} |")
    return rows


def reason(one: Entry) -> str:
    """Why a requirement has no test; empty when it has one, `unexplained` when nobody has said why."""
    return "" if one.stories else one.requirement.untested or "unexplained"


def coverage_page(known: Sequence[Entry]) -> str:
    """How much of SMI has a test, per area, and why the rest has none."""
    lines = ["# Coverage", "", _WRITTEN, "", "| area | requirements | with a test | instances | proved by a fault |"]
    lines += ["|---|---|---|---|---|"]
    for area in TITLES:
        mine = [one for one in known if one.requirement.area == area]
        lines.append(f"| [{area}](requirements/{area}.md) | {_counts(mine)} |")
    lines += [f"| all | {_counts(known)} |", "", "## Without a test", ""]
    lines += [f"* {one.requirement.id}: {one.requirement.statement}: {reason(one)}." for one in known if reason(one)]
    lines += ["", "## Tested, and not proved by a fault", ""]
    levels = Counter(one.requirement.level for one in known if one.stories and not one.faults)
    lines += [f"{count} of level {level}: {', '.join(_unproved(known, level))}." for level, count in levels.items()]
    return "\n".join(lines).rstrip() + "\n"


def _counts(some: Sequence[Entry]) -> str:
    tested = [one for one in some if one.stories]
    instances = sum(len(one.requirement.apis()) for one in tested)
    return f"{len(some)} | {len(tested)} | {instances} | {sum(bool(one.faults) for one in some)}"


def _unproved(known: Sequence[Entry], level: str) -> list[str]:
    return [one.requirement.id for one in known if one.requirement.level == level and one.stories and not one.faults]


def main(arguments: Sequence[str]) -> int:
    """Write the pages into the folder given (default: docs)."""
    for path, content in pages(Path(arguments[0] if arguments else "docs")).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
