"""Where profiles come from: files of this package, files of third parties, a path; and how one extends another."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_smi.errors import MeshError
from pytest_smi.mesh.tables import SEE, nearest

Sources = Mapping[str, Path]
"""Profiles by name: where each file is."""

_PATHS = ("chart", "manifests", "directory")  # keys of [install] that may name files beside the profile
_OWN = ("extends", "verified")  # keys that say something of one file alone, so that a profile does not inherit them


def shipped_profiles() -> list[str]:
    """Names of the profiles in this package."""
    return sorted(_shipped())


def read(name_or_path: str, more: Sources) -> dict[str, Any]:
    """The profile's table with all that it extends merged in. Raises MeshError."""
    return _read(name_or_path, {**more, **_shipped()}, Path.cwd(), ())


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the change on top: tables merge key by key; everything else, lists too, is replaced."""
    result = dict(base)
    for name, value in change.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _shipped() -> dict[str, Path]:
    folder = Path(str(resources.files("pytest_smi.mesh"))) / "profiles"
    return {path.stem: path for path in folder.glob("*.toml")}


def _read(name: str, known: Sources, folder: Path, below: tuple[Path, ...]) -> dict[str, Any]:
    path = _locate(name, known, folder)
    if path in below:
        raise MeshError(f"profile {name} extends itself", f"take extends out of {below[-1].name}")
    table = _anchored(_parsed(path, name), path.parent)
    base = table.get("extends")
    if not isinstance(base, str) or not base:
        return table
    inherited = _read(base, known, path.parent, (*below, path))
    return merged({key: value for key, value in inherited.items() if key not in _OWN}, table)


def _locate(name: str, known: Sources, folder: Path) -> Path:
    if name.endswith(".toml") or "/" in name:
        return (folder / Path(name).expanduser()).resolve()
    if name not in known:
        advice = nearest(name, sorted(known))
        raise MeshError(f"unknown mesh {name}", f"{advice} Or give the path of a profile, e.g. ./mesh.toml")
    return known[name]


def _parsed(path: Path, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise MeshError(f"profile {name} cannot be read: {fault}", "give the path of a TOML file") from fault
    except tomllib.TOMLDecodeError as fault:
        raise MeshError(f"profile {name} is not TOML: {fault}", SEE) from fault


def _anchored(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table with the paths in [install] made absolute, since a profile that extends this one may lie elsewhere."""
    install = table.get("install")
    if not isinstance(install, dict):
        return table
    if "commands" in install:
        install = {"directory": ".", **install}
    return {**table, "install": {key: _absolute(key, value, folder) for key, value in install.items()}}


def _absolute(key: str, value: Any, folder: Path) -> Any:
    if key not in _PATHS:
        return value
    if isinstance(value, list):
        return [_absolute(key, one, folder) for one in value]
    if not isinstance(value, str) or (key == "chart" and not value.startswith(".")):
        return value
    return value if value.startswith(("$", "~")) else str(folder / value)
