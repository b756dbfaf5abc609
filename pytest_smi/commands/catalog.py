"""`pytest-smi catalog`: prints and filters the requirements, as a table, with everything, or as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from pytest_smi.catalog.entries import Entry, entries, served
from pytest_smi.catalog.pages import TITLES
from pytest_smi.mesh.profile import load_profile
from pytest_smi.spec.catalogue import FEATURES, LEVELS, find
from pytest_smi.spec.kinds import VERSIONS

if TYPE_CHECKING:
    import argparse

HELP = "Print the requirements of SMI: what each says, which test judges it, which meshes serve it"
_WIDTH = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags; several filters narrow each other."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these requirements, told in full")
    parser.add_argument("--spec", choices=tuple(TITLES), help="only of this area of SMI")
    parser.add_argument("--level", choices=LEVELS, help="only of this level")
    parser.add_argument("--version", choices=VERSIONS, help="only what this API version carries")
    parser.add_argument("--feature", choices=sorted(FEATURES), help="only what depends on this feature of a mesh")
    parser.add_argument("--mesh", metavar="NAME|FILE", help="only what this mesh can be judged by, by its profile")
    parser.add_argument("--untested", action="store_true", help="only what has no test")
    parser.add_argument("--json", action="store_true", help="everything that is known, as JSON")


def run(given: argparse.Namespace) -> int:
    """Print what was asked for; status 0, or 5 when nothing fits the filters. Raises HarnessError for a wrong name."""
    for identifier in given.ids:
        find(identifier)
    chosen = [one for one in entries() if _fits(one, given)]
    if given.json:
        print(json.dumps([one.as_dict() for one in chosen], indent=1, ensure_ascii=False))
    elif given.ids:
        print("\n\n".join(told(one) for one in chosen))
    else:
        print("\n".join(table(chosen)))
    return 0 if chosen else 5


def _fits(one: Entry, given: argparse.Namespace) -> bool:
    requirement = one.requirement
    apis = served(requirement, load_profile(given.mesh)) if given.mesh else requirement.apis()
    if given.version:
        apis = [api for api in apis if api.endswith(f"-{given.version}")]
    return (
        (not given.ids or requirement.id in given.ids)
        and given.spec in (None, requirement.area)
        and given.level in (None, requirement.level)
        and (not given.feature or given.feature in requirement.features)
        and (bool(apis) or not (given.mesh or given.version))
        and not (given.untested and one.stories)
    )


def table(chosen: list[Entry]) -> list[str]:
    """One line for each requirement, and a last one that counts them."""
    lines = []
    for one in chosen:
        start = f"{one.requirement.id:<8} {one.requirement.level:<8} "
        lines.append(start + textwrap.shorten(one.requirement.statement, _WIDTH - len(start), placeholder=" …"))
    tested = sum(bool(one.stories) for one in chosen)
    instances = sum(len(one.requirement.apis()) for one in chosen)
    return [*lines, f"{len(chosen)} requirements with {instances} instances, {tested} have a test"]


def told(one: Entry) -> str:
    """Everything about one requirement, for people."""
    requirement = one.requirement
    rows = {
        "level": " ".join(part for part in (requirement.level, requirement.level_note) if part),
        "area": f"{requirement.area}: {requirement.group}",
        "versions": ", ".join(requirement.apis()) or "-",
        "source": requirement.source or "the specification does not say",
        "features": ", ".join(requirement.features) or "-",
        "check": requirement.check,
        "test": ", ".join(story.nodeid for story in one.stories) or "none",
        "killed by": ", ".join(one.faults) or "-",
        "meshes": ", ".join(one.meshes) or "-",
    }
    lines = [f"{requirement.id}  {requirement.statement}"]
    for name, value in rows.items():
        lines += textwrap.wrap(value, _WIDTH, initial_indent=f"  {name + ':':<11}", subsequent_indent=" " * 13)
    return "\n".join(lines)
