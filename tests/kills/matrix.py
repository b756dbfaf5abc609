"""The kill matrix: for each seeded fault of the reference mesh, which requirements turn red.

`judge` holds one fault against the suite and returns what it found; the tests beside this module hold it against what
the fault declares. `python -m tests.kills.matrix` writes the page that shows it, docs/kill-matrix.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pytest_smi.catalog.stories import stories
from pytest_smi.embedded.mesh.faults import listing
from tests.kills import foresight
from tests.kills.stage import HASTE
from tests.kills.stage_process import ROOT, StageProcess

PAGE = ROOT / "docs" / "kill-matrix.md"
MODE = os.environ.get("SMI_KILLS", "sample")
"""survival: only what must turn red; sample: some of what must not, too; reach: all of it."""
_ENOUGH, _AT_ONCE = 6, 120
_SLOW = "TM-"
"""Tests of metrics wait for windows of time: they are drawn last."""
BINDING = ("must", "implied", "api")
"""Levels of requirements that can fail."""
BEYOND = {
    "API-001": "while a CRD of its own is not established the reference mesh does not come up",
    "API-002": "the reference mesh reads the specification's groups: without them it does not come up",
    "API-009": "verbs and watches are the API server's; a mesh brings definitions and conversions only",
    "TSC-037": "Envoy itself refuses methods in small letters, whatever it is told",
}
"""Requirements that no fault of the reference mesh can turn red, with the reason."""


@dataclass
class Found:
    """What one fault did to the requirements that ran: red ones have a failing instance; errors have a message."""

    red: set[str] = field(default_factory=set)
    green: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)


@cache
def faults() -> Mapping[str, dict[str, Any]]:
    """Every fault with its description, the requirements it must turn red (`kills`), and those it may (`may_touch`)."""
    return {one["name"]: one for one in listing()}


@cache
def suite() -> Mapping[str, set[str]]:
    """Folder of the suite -> the requirements that its tests judge."""
    found: dict[str, set[str]] = {}
    for requirement, several in stories().items():
        for story in several:
            found.setdefault(story.file.partition("/")[0], set()).add(requirement)
    return found


def declared(fault: Mapping[str, Any]) -> tuple[str, ...]:
    """Prefixes of the requirements that may turn red."""
    return (*fault["kills"], *fault["may_touch"])


def within_reach(name: str, recordings: Sequence[Path]) -> set[str]:
    """The requirements that must stay green although the fault decides something otherwise in their tests.

    Where they are many some are drawn, always the same ones. SMI_KILLS=reach takes them all.
    """
    if MODE == "survival":
        return set()
    allowed = declared(faults()[name])
    others = {one for tested in suite().values() for one in tested if not one.startswith(allowed)}
    seen = others & set().union(*(suite()[place] for place in foresight.places(name, suite())))
    drawn = sorted(others, key=lambda one: (one.startswith(_SLOW), sha256(f"{name} {one}".encode()).digest()))
    found: set[str] = set()
    for few in (
        [drawn] if MODE == "reach" else [drawn[start : start + _AT_ONCE] for start in range(0, len(drawn), _AT_ONCE)]
    ):
        found |= {*foresight.touched(name, recordings, set(few) - seen), *(seen & set(few))}
        if len(found) >= _ENOUGH and MODE != "reach":
            return set([one for one in drawn if one in found][:_ENOUGH])
    return found


def judge(name: str, stage: StageProcess, recordings: Sequence[Path]) -> Found:
    """Run what the fault must turn red, and what it could turn red but must not.

    The first runs in the API versions of the release that the fault names, if it does; the rest in the newest.
    """
    kills, release = faults()[name]["kills"], faults()[name]["release"]
    beyond = sorted(within_reach(name, recordings))
    if release:
        instances = stage.judge(name, kills, HASTE, f"--smi-release={release}")
        instances += stage.judge(name, beyond, HASTE) if beyond else []
    else:
        instances = stage.judge(name, sorted({*kills, *beyond}), HASTE)
    older = sorted(set(kills) - {one["requirement"] for one in instances})
    if older:  # what the newest API versions do not carry
        instances += stage.judge(name, older, HASTE, "--smi-release=all")
    hasty = sorted({one["requirement"] for one in instances if one["verdict"] == "fail"} & set(beyond))
    if hasty:  # in haste a sound decision may come too late: only with the whole budget is red a verdict
        instances = [one for one in instances if one["requirement"] not in hasty] + stage.judge(name, hasty)
    return _sorted(instances)


def _sorted(instances: Sequence[dict[str, Any]]) -> Found:
    found = Found()
    for one in instances:
        kind = found.red if one["verdict"] == "fail" else found.green
        if one["verdict"] == "error":
            found.errors[one["requirement"]] = one["message"]
        else:
            kind.add(one["requirement"])
    found.green -= found.red | found.errors.keys()
    return found


def page() -> str:
    """The matrix as a page: each fault with the requirements that it must turn red, and those that none does."""
    known = sorted(faults().values(), key=lambda one: str(one["name"]))
    tested = set().union(*suite().values())
    killed = {one for fault in known for one in fault["kills"]}
    rows = [f"| `{one['name']}` | {one['description']} | {', '.join(sorted(one['kills']))} |" for one in known]
    beyond = [f"| {one} | {reason} |" for one, reason in sorted(BEYOND.items())]
    lines = [
        "# Kill matrix",
        "",
        "Each seeded fault of the reference mesh (`--smi-fault=NAME`), and the requirements that must turn red with",
        "it. `make test` judges every fault, and fails when one of these stays green, or when another turns red that",
        "the fault does not declare to touch; which ones could is foreseen from what each test has the mesh decide.",
        "Where these are many, 6 are drawn; `SMI_KILLS=reach` takes all.",
        "`python -m tests.kills.matrix` writes this page.",
        "",
        f"{len(known)} faults; {len(killed)} of the {len(tested)} requirements that have a test are killed by name.",
        "",
        "| fault | what is wrong in the mesh | requirements that turn red |",
        "|---|---|---|",
        *rows,
        "",
        "## Not killed",
        "",
        "No fault of this mesh can turn these red:",
        "",
        "| requirement | why |",
        "|---|---|",
        *beyond,
        "",
        "The others cannot fail: what is `open`, or only recommended or permitted, is observed.",
        "",
        ", ".join(sorted(tested - killed - BEYOND.keys())) + ".",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
