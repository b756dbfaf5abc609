"""Flags, ini values and environment become one frozen `Settings`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.options import OPTIONS, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = ("must", "should", "may", "implied", "open", "api")
CLUSTERS = ("embedded", "kubeconfig")
TOOLS = ("kind", "k3d", "minikube")
FOREVER = 3600.0
SHORTEST = 0.5  # less is no budget but a way to fail every mesh: one on a busy machine needs tenths of a second


class BadSetting(ValueError):
    """A flag, ini value or environment variable that cannot be used; the text is one line with what to do."""


@dataclass(frozen=True)
class Settings:
    """How this run is to be done. `None` means: take the profile's own default. Times are seconds.

    `cluster` is a provider, or one of the tools with the name of a cluster after a colon: `kind:dev`.
    """

    mesh: str
    cluster: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    image: str | None = None
    release: str | None = None
    results: Path | None = None
    keep: bool = False
    install: bool = False
    force: bool = False
    timeout: float | None = None
    fault: str | None = None
    requirements: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    known_failures: str | None = None

    @property
    def flags(self) -> str:
        """The flags that name mesh and cluster to pytest again; not files of this machine, since reports quote them."""
        named = {"mesh": self.mesh, "cluster": self.cluster, "context": self.context, "fault": self.fault}
        given = [f"--smi-{name}={shlex.quote(value)}" for name, value in named.items() if value]
        return " ".join(given + [f"--smi-{name}" for name in ("install", "force") if getattr(self, name)])

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON types, for results.json; holds no secret."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def read_settings(flag: Callable[[str], Any], ini: Callable[[str], Any], folder: Path) -> Settings | None:
    """Settings from flags, else ini, else environment; None when no mesh is named, so there is nothing to do.

    `flag` and `ini` look a key up; relative `results` are relative to `folder`. Raises BadSetting.
    """

    got = {option.name: value_of(option, flag, ini) for option in OPTIONS}
    if not got["mesh"]:
        _nothing_without_mesh({option.flag: flag(option.key) for option in OPTIONS})
        return None
    return Settings(
        mesh=str(got["mesh"]),
        cluster=_cluster(got["cluster"]),
        context=got["context"],
        kubeconfig=got["kubeconfig"],
        image=_image(got["image"]),
        release=got["release"],
        results=folder / str(got["results"]) if got["results"] else None,
        keep=_truth(got["keep"]),
        install=_truth(got["install"]),
        force=_truth(got["force"]),
        timeout=_seconds(got["timeout"]),
        fault=got["fault"],
        requirements=tuple(_words(got["requirement"])),
        levels=tuple(str(_one_of("--smi-level", level, LEVELS)) for level in _words(got["level"])),
        known_failures=got["known-failures"],
    )


def _nothing_without_mesh(flags: dict[str, Any]) -> None:
    for flag, given in flags.items():
        if given:
            raise BadSetting(
                f"{flag} does nothing without --smi-mesh: name the mesh to judge, e.g. --smi-mesh=reference"
            )


def _words(value: Any) -> list[str]:
    if not value:
        return []
    lines = [value] if isinstance(value, str) else list(value)
    return [word for line in lines for word in str(line).replace(",", " ").split()]


def _one_of(flag: str, value: Any, known: tuple[str, ...]) -> str | None:
    if value is None or value in known:
        return None if value is None else str(value)
    raise BadSetting(f"{flag}={value} is not known: use one of {', '.join(known)}")


def _cluster(value: Any) -> str | None:
    provider, colon, name = str(value or "").partition(":")
    if colon and provider in TOOLS and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        return str(value)
    if colon:
        raise BadSetting(f"--smi-cluster={value}: a name goes only with {', '.join(TOOLS)}, e.g. kind:dev")
    return _one_of("--smi-cluster", value, (*CLUSTERS, *TOOLS))


def _image(value: Any) -> str | None:
    if value is not None and (not value or any(letter.isspace() for letter in value)):
        raise BadSetting(f"--smi-image={value!r} is not an image's name: give one such as registry/name:tag")
    return value


def _truth(value: Any) -> bool:
    return value is True or str(value).lower() in {"1", "true", "yes", "on"}


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not SHORTEST <= seconds <= FOREVER:
        raise BadSetting(
            f"--smi-timeout={value} is not a time to settle in: give seconds from {SHORTEST} to {FOREVER:.0f}, e.g. 2.5"
        )
    return seconds
