"""What is declared of instances before a run: known failures of a mesh, and disputed tests that the suite leaves out.

Both are TOML lists of entries `id`, `reason` (and `issue`, where a failure is tracked). They are strict: a declared
failure that passes fails the run, and an entry that means nothing is refused, so that no list can go stale.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import HarnessError
from pytest_smi.paths import shipped
from pytest_smi.report.record import BINDING, Known
from pytest_smi.spec.catalogue import find

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_smi.evidence import Instance

_KNOWN_KEYS = ("id", "reason", "issue")
_DISPUTED_KEYS = ("id", "reason")


class BadDeclaration(HarnessError):
    """A list of known failures or disputed tests that cannot be used; the text is one line."""


@dataclass(frozen=True)
class Declared:
    """`known` and `disputed` by requirement id (all its API versions) or instance key (`TA-040[access-v1alpha3]`)."""

    known: dict[str, Known] = field(default_factory=dict)
    disputed: dict[str, str] = field(default_factory=dict)

    def known_of(self, instance: Instance) -> Known | None:
        """The known failure that this instance is declared to be, if any."""
        return self.known.get(instance.key) or self.known.get(instance.requirement)

    def disputed_of(self, instance: Instance) -> str | None:
        """Why the suite leaves this instance out, if it does."""
        return self.disputed.get(instance.key) or self.disputed.get(instance.requirement)


def shipped_lists() -> list[str]:
    """Names of the lists of known failures in this package: those of meshes that were judged."""
    folder = resources.files("pytest_smi.mesh").joinpath("known")
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))


def declared(name_or_path: str | None, folder: Path) -> Declared:
    """The known failures in a file (or the shipped list of that name; None: none) and the suite's disputed tests.

    A path is relative to `folder`. Raises BadDeclaration.
    """
    disputed = _parse(shipped("conformance_tests") / "disputed.toml", "disputed", _DISPUTED_KEYS)
    known = [] if name_or_path is None else _parse(_found(name_or_path, folder), "known", _KNOWN_KEYS)
    return Declared(
        {one["id"]: Known(one["issue"], one["reason"]) for one in known}, {one["id"]: one["reason"] for one in disputed}
    )


def _found(name_or_path: str, folder: Path) -> Path:
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        return folder / name_or_path
    names = shipped_lists()
    if name_or_path not in names:
        raise BadDeclaration(
            f"no list of known failures is called {name_or_path}",
            f"shipped: {', '.join(names)}. Or give the path of a file, e.g. ./known.toml",
        )
    return Path(str(resources.files("pytest_smi.mesh").joinpath("known", f"{name_or_path}.toml")))


def _parse(path: Path, table: str, keys: Collection[str]) -> list[dict[str, str]]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise BadDeclaration(f"{path} cannot be read: {fault}", "give the path of a TOML file") from fault
    except tomllib.TOMLDecodeError as fault:
        raise BadDeclaration(f"{path} is not TOML: {fault}", "see docs/known-failures.md") from fault
    entries = content.get(table, [])
    if set(content) - {table} or not isinstance(entries, list):
        wrong = next(iter(set(content) - {table}), table)
        raise BadDeclaration(f"{path}: {wrong} does not belong here", f"write each entry as [[{table}]]")
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        _check(entry, keys, f"{path}: entry {number}")
        if entry["id"] in seen:
            raise BadDeclaration(f"{path}: entry {number}: {entry['id']} is there twice", "keep one of them")
        seen.add(entry["id"])
    return entries


def _check(entry: Any, keys: Collection[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise BadDeclaration(f"{where} is not a table", f"with the keys {', '.join(keys)}")
    for key in keys:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise BadDeclaration(f"{where}: {key} is missing", f"each entry has {', '.join(keys)}")
    if unknown := sorted(set(entry) - set(keys)):
        raise BadDeclaration(f"{where}: unknown key {unknown[0]}", f"each entry has {', '.join(keys)}")
    requirement, bracket, api = entry["id"].partition("[")
    found = find(requirement)
    if bracket and api.rstrip("]") not in found.apis():
        raise BadDeclaration(
            f"{where}: {requirement} has no API version {api.rstrip(']')}", f"it has {', '.join(found.apis())}"
        )
    if "issue" in keys and found.level not in BINDING:
        raise BadDeclaration(
            f"{where}: {requirement} is of level {found.level}, which never fails", "take the entry out"
        )
