"""Faults: deliberate defects of the mesh, by which the suite's tests are proved able to fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_smi.embedded.mesh.semantics import Semantics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

EVERYTHING = frozenset({"TA-", "TSC-", "TS-", "TM-", "XG-", "API-017", "API-029"})
"""`may_touch` of a fault that breaks the ground on which most tests stand."""

METRICS = frozenset({"TM-", "API-030", "XG-010"})
"""`may_touch` of faults about metrics: nearly every test of them looks at the same few answers."""


@dataclass(frozen=True)
class Fault:
    """One defect: `semantics` decides something otherwise than the documents.

    `kills` are requirements that must turn red; others may only when their id begins with one of `may_touch`.
    `release` is the `--smi-release` whose run shows it, where the newest does not have the requirements any more.
    """

    name: str
    description: str
    kills: frozenset[str]
    may_touch: frozenset[str]
    semantics: type[Semantics]
    release: str | None = None


_Decorated = TypeVar("_Decorated", bound=type[Semantics])

REGISTRY: dict[str, Fault] = {}
"""All faults by name."""


def fault(
    name: str, description: str, *, kills: Collection[str], may_touch: Collection[str] = (), release: str | None = None
) -> Callable[[_Decorated], _Decorated]:
    """Class decorator: registers a Semantics with one decision changed."""

    def register(semantics: _Decorated) -> _Decorated:
        if name in REGISTRY:
            raise ValueError(f"two faults are named {name}")
        REGISTRY[name] = Fault(name, description, frozenset(kills), frozenset(may_touch), semantics, release)
        return semantics

    return register
