"""The kill matrix: for each seeded fault of the reference mesh, which requirements turn red.

`judge` runs the suite against one fault and returns what it found; the tests beside this module hold it against what
the fault declares. `python -m tests.kills.matrix` writes docs/kill-matrix.md from what the last whole run left.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LEFT = ROOT / "build" / "kills"
SUITE = ROOT / "conformance_tests"
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


def judge(name: str, folder: Path, *, whole: bool = False) -> Found:
    """Run the suite against the mesh with this fault.

    `whole` runs all of it, and keeps what was found for the page. Otherwise what runs is what is judged: the tests that
    must turn red, and, in the folders that the fault can reach, those that must not.
    """
    fault = faults()[name]
    allowed = (*fault["kills"], *fault["may_touch"])
    reach = {place for one in allowed for place in FOLDERS[one.split("-")[0] + "-"]}
    beyond = {one for place in reach for one in suite()[place] if not one.startswith(allowed)}
    chosen = [] if whole else sorted({*fault["kills"], *beyond})
    verdicts = _run(name, folder / "newest.json", chosen)
    older = sorted(set(fault["kills"]) - verdicts.keys())
    if older:  # what the newest API versions do not carry
        verdicts |= _run(name, folder / "older.json", older, "--smi-release=all")
    found = Found(name)
    for requirement, seen in sorted(verdicts.items()):
        kind = found.red if "fail" in seen else found.errors if "error" in seen else found.green
        kind.append(requirement)
    if whole:
        LEFT.mkdir(parents=True, exist_ok=True)
        (LEFT / f"{name}.json").write_text(json.dumps(asdict(found)))
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
    """The matrix as a page: a row for each fault, and the requirements that no fault turned red."""
    found = [json.loads(path.read_text()) for path in sorted(LEFT.glob("*.json"))]
    seen = {one for each in found for one in (*each["red"], *each["green"])}
    killing = {one for each in found for one in each["red"]}
    rows = [
        f"| `{one['fault']}` | {faults()[one['fault']]['description']} | {', '.join(one['red'])} |" for one in found
    ]
    lines = [
        "# Kill matrix",
        "",
        "Each seeded fault of the reference mesh (`--smi-fault=NAME`), and the requirements that turn red under it.",
        "Made by `SMI_KILLS=whole pytest tests/kills` and then `python -m tests.kills.matrix`. The same tests run with",
        "every change, and fail when a fault survives or reaches further than it declares.",
        "",
        f"{len(found)} faults, none survives. {len(killing)} of {len(seen)} requirements with a test are seen to fail.",
        "",
        "| fault | what is wrong in the mesh | requirements that turn red |",
        "|---|---|---|",
        *rows,
        "",
        "## Not yet seen to fail",
        "",
        "No fault above turns these red (observations cannot):",
        "",
        ", ".join(sorted(seen - killing)) + ".",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    (ROOT / "docs" / "kill-matrix.md").write_text(page())
