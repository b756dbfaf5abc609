"""The kill matrix: for each seeded fault of the reference mesh, which requirements turn red.

`judge` runs the suite against one fault and returns what it found; the tests beside this module hold it against what
the fault declares. `python -m tests.kills.matrix` writes the page that shows it, docs/kill-matrix.md.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "conformance_tests"
PAGE = ROOT / "docs" / "kill-matrix.md"
SETTLE_SECONDS = "1"
RUN_SECONDS = 600
# Which folders of the suite a fault can reach at all, by the prefix of the requirements that it may touch.
FOLDERS = {
    "TA-": ("access", "specs", "cross"),
    "TSC-": ("access", "specs"),
    "TS-": ("split", "cross"),
    "API-": ("api",),
    "XG-": ("cross",),
}


@dataclass
class Found:
    """What one fault did to the requirements: those with a failing instance, else with an error, else the rest."""

    fault: str
    red: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    green: list[str] = field(default_factory=list)


@cache
def faults() -> dict[str, dict[str, Any]]:
    """Every fault with its description, the requirements it must turn red (`kills`), and those it may (`may_touch`)."""
    command = [sys.executable, "-m", "pytest_smi.embedded.mesh", "--list-faults"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {one["name"]: one for one in listed}


@cache
def suite() -> dict[str, set[str]]:
    """Folder of the suite -> the requirements that its tests name."""
    found: dict[str, set[str]] = {}
    for path in SUITE.rglob("test_*.py"):
        found.setdefault(path.parent.name, set()).update(re.findall(r'@requirement\("(.+?)"\)', path.read_text()))
    return found


def judge(name: str, folder: Path, *, reach: bool = False) -> Found:
    """Run the suite against the mesh with this fault.

    What runs is what is judged: the tests that must turn red and, with `reach`, those that must not, in the folders
    that the fault can reach at all, in the newest API versions or in those of the release that the fault names.
    """
    fault = faults()[name]
    allowed = (*fault["kills"], *fault["may_touch"])
    places = {place for one in allowed for place in FOLDERS[one.split("-")[0] + "-"]} if reach else set()
    beyond = {one for place in places for one in suite()[place] if not one.startswith(allowed)}
    chosen = sorted({*fault["kills"], *beyond})
    release = [f"--smi-release={fault['release']}"] if fault["release"] else []
    verdicts = _run(name, folder / "newest.json", chosen, *release)
    older = sorted(set(fault["kills"]) - verdicts.keys())
    if older:  # what the newest API versions do not carry
        verdicts |= _run(name, folder / "older.json", older, "--smi-release=all")
    found = Found(name)
    for requirement, seen in sorted(verdicts.items()):
        kind = found.red if "fail" in seen else found.errors if "error" in seen else found.green
        kind.append(requirement)
    return found


def _run(fault: str, results: Path, chosen: list[str], *arguments: str) -> dict[str, set[str]]:
    """Requirement id -> the verdicts of its instances."""
    command = [sys.executable, "-m", "pytest", "--smi-mesh=reference", f"--smi-fault={fault}", *arguments, "-q"]
    command += [f"--smi-timeout={SETTLE_SECONDS}", f"--smi-results={results}", "-p", "no:cacheprovider"]
    command += ["-p", "no:allure_pytest", "-p", "no:xdist", "-p", "no:hypothesispytest"]
    command += [f"--smi-requirement={one}" for one in chosen]
    done = subprocess.run(command, cwd=results.parent, capture_output=True, text=True, timeout=RUN_SECONDS)
    if not results.exists():
        raise AssertionError(f"the run against {fault} left no results:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    verdicts: dict[str, set[str]] = {}
    for instance in json.loads(results.read_text())["instances"]:
        verdicts.setdefault(instance["requirement"], set()).add(instance["verdict"])
    return verdicts


def page() -> str:
    """The matrix as a page: each fault with the requirements that it must turn red, and those that none does."""
    listed = sorted(faults().values(), key=lambda one: str(one["name"]))
    tested = set().union(*suite().values())
    killed = {one for fault in listed for one in fault["kills"]}
    rows = [f"| `{one['name']}` | {one['description']} | {', '.join(sorted(one['kills']))} |" for one in listed]
    lines = [
        "# Kill matrix",
        "",
        "Each seeded fault of the reference mesh (`--smi-fault=NAME`), and the requirements that must turn red under",
        "it. `tests/kills` runs these against every fault with each change and fails when one stays green; with",
        "`SMI_KILLS=reach` it also fails when a requirement turns red that the fault does not declare to touch.",
        "`python -m tests.kills.matrix` writes this page.",
        "",
        f"{len(listed)} faults; {len(killed)} of the {len(tested)} requirements that have a test are killed by name.",
        "",
        "| fault | what is wrong in the mesh | requirements that turn red |",
        "|---|---|---|",
        *rows,
        "",
        "## Not killed by name",
        "",
        "Some of these turn red with a fault above, too, but none is declared to prove them; `open` ones never fail.",
        "",
        ", ".join(sorted(tested - killed)) + ".",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
