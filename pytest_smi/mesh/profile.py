"""A mesh profile: what the suite must know of a mesh, from one TOML file that is checked key by key."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from pytest_smi.errors import MeshError

INSTALLERS = ("reference", "present")


@dataclass(frozen=True)
class Versions:
    """API versions that the mesh reconciles, per group; an empty list says that the group is not served."""

    access: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def served(self) -> dict[str, tuple[str, ...]]:
        """The same as a mapping from group to versions."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Features:
    """Optional behaviour that the mesh declares absent, by name (e.g. `udp`): its instances are unsupported."""

    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settle:
    """The budget in seconds for a change to be in force, how many observations must agree, and one attempt's limit."""

    seconds: float = 30.0
    agree: int = 3
    attempt_seconds: float = 5.0


@dataclass(frozen=True)
class Onboarding:
    """What makes a workload part of the mesh; `outside_*` is what keeps a pod of such a namespace out of it."""

    namespace_labels: dict[str, str] = field(default_factory=dict)
    namespace_annotations: dict[str, str] = field(default_factory=dict)
    pod_labels: dict[str, str] = field(default_factory=dict)
    pod_annotations: dict[str, str] = field(default_factory=dict)
    outside_labels: dict[str, str] = field(default_factory=dict)
    outside_annotations: dict[str, str] = field(default_factory=dict)
    service_annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Addressing:
    """How a client of the mesh must call a Service; `{service}` and `{namespace}` are filled in."""

    host: str = "{service}.{namespace}.svc.cluster.local"


@dataclass(frozen=True)
class Profile:
    """Everything the suite knows of one mesh. `install` names who brings it: `reference`, or `present` (nobody)."""

    name: str
    versions: Versions
    title: str = ""
    verified: str = "not verified"
    cluster: str = "kubeconfig"
    install: str = "present"
    features: Features = field(default_factory=Features)
    settle: Settle = field(default_factory=Settle)
    onboarding: Onboarding = field(default_factory=Onboarding)
    addressing: Addressing = field(default_factory=Addressing)


def shipped_profiles() -> list[str]:
    """Names of the profiles in this package."""
    folder = resources.files("pytest_smi.mesh").joinpath("profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_profile(name_or_path: str) -> Profile:
    """The shipped profile of that name, or the one in that file. Raises MeshError for anything not as documented."""
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        return _parse(_read(Path(name_or_path)), name_or_path)
    known = shipped_profiles()
    if name_or_path not in known:
        near = difflib.get_close_matches(name_or_path, known, 1)
        guess = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise MeshError(f"unknown mesh {name_or_path}", f"{guess} Or give the path of a profile, e.g. ./mesh.toml")
    source = resources.files("pytest_smi.mesh").joinpath("profiles", f"{name_or_path}.toml")
    return _parse(source.read_text("utf-8"), name_or_path)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise MeshError(f"profile {path} cannot be read: {fault}", "give the path of a TOML file") from fault


def _parse(text: str, where: str) -> Profile:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise MeshError(f"profile {where} is not TOML: {fault}", "see docs/profiles.md") from fault
    profile: Profile = _build(Profile, table, where, "")
    if profile.install not in INSTALLERS:
        raise MeshError(f"profile {where}: install = {profile.install!r}", f"use one of {', '.join(INSTALLERS)}")
    if not any(profile.versions.served().values()):
        raise MeshError(f"profile {where}: [versions] names no API version", 'e.g. access = ["v1alpha3"]')
    return profile


def _build(cls: type[Any], table: Any, where: str, section: str) -> Any:
    """A dataclass from a TOML table, refusing keys it does not have and values of another type."""
    at = f"[{section}] " if section else ""
    if not isinstance(table, dict):
        raise MeshError(f"profile {where}: {section} must be a table", f"write it as [{section}]")
    hints = get_type_hints(cls)
    for key in table:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(hints)}"
            raise MeshError(f"profile {where}: {at}unknown key {key}", advice)
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    for key in required:
        if key not in table:
            raise MeshError(f"profile {where}: {at}{key} is missing", "see docs/profiles.md")
    return cls(**{key: _value(hints[key], value, where, section, key) for key, value in table.items()})


def _value(hint: Any, value: Any, where: str, section: str, key: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where, f"{section}.{key}" if section else key)
    if hint == tuple[str, ...] and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if hint == dict[str, str] and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    if hint is int and isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if hint is str and isinstance(value, str):
        return value
    wanted = {tuple[str, ...]: "a list of strings", dict[str, str]: "a table of strings", str: "a string"}
    raise MeshError(
        f"profile {where}: {f'[{section}] ' if section else ''}{key} = {value!r} is not "
        f"{wanted.get(hint, 'a number above 0')}",
        "see docs/profiles.md",
    )
