"""The kill matrix: for each seeded fault of the reference mesh, which requirements turn red.

`judge` runs the suite against one fault and returns what it found; the tests beside this module hold it against what the
fault declares. `python -m tests.kills.matrix` writes docs/kill-matrix.md from what the last full run left in build/kills.
"""

from __future__ import annotations

import json
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
    """What one fault did: requirement id -> verdict in any version (the worst one), and ids by what was expected."""

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


def judge(name: str, folder: Path, *, whole: bool = False) -> Found:
    """Run the suite against the mesh with this fault; `whole` runs all of it, else the folders it can reach.

    What the newest API versions do not carry is run in every version besides.
    """
    fault = faults()[name]
    prefixes = {one.split("-")[0] + "-" for one in (*fault["kills"], *fault["may_touch"])}
    reach = sorted({place for prefix in prefixes for place in FOLDERS[prefix]})
    paths = [str(SUITE)] if whole else [str(SUITE / place) for place in reach]
    verdicts = _run(name, folder / "newest.json", paths)
    older = sorted(set(fault["kills"]) - verdicts.keys())
    if older:
        chosen = [f"--smi-requirement={one}" for one in older]
        verdicts |= _run(name, folder / "older.json", [str(SUITE), "--smi-release=all", *chosen])
    found = Found(name)
    for requirement, seen in sorted(verdicts.items()):
        kind = found.red if "fail" in seen else found.errors if "error" in seen else found.green
        kind.append(requirement)
    LEFT.mkdir(parents=True, exist_ok=True)
    (LEFT / f"{name}.json").write_text(json.dumps(asdict(found)))
    return found


def _run(fault: str, results: Path, arguments: list[str]) -> dict[str, set[str]]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--smi-mesh=reference",
        f"--smi-fault={fault}",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    settings = [
        f"--smi-timeout={SETTLE_SECONDS}",
        f"--smi-results={results}",
        "-p",
        "no:allure_pytest",
        "-p",
        "no:xdist",
    ]
    done = subprocess.run(
        [*command, *settings, *arguments], cwd=results.parent, capture_output=True, text=True, timeout=RUN_SECONDS
    )
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
        "Written by `python -m tests.kills.matrix` from the last run of `tests/kills`, which fails when a fault survives",
        "or reaches further than it declares.",
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
