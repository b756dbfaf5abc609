"""Which API versions belong together: SMI releases, and the pairs that the documents declare compatible."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from pytest_smi.errors import HarnessError
from pytest_smi.spec.kinds import AREAS, newest_first

Served = Mapping[str, Sequence[str]]
"""Area -> API versions that a mesh serves and honours (a mesh profile's table); a missing area is not served at all."""


@dataclass(frozen=True)
class ApiVersions:
    """The API version written for each area in one test; None: the mesh serves none that fits."""

    access: str | None = None
    specs: str | None = None
    split: str | None = None
    metrics: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Area -> version, without the absent ones (the shape of `evidence.Instance.versions`)."""
        return {area: version for area in AREAS if (version := getattr(self, area)) is not None}


RELEASES: Mapping[str, ApiVersions] = MappingProxyType(
    {
        "0.4.0": ApiVersions("v1alpha1", "v1alpha2", "v1alpha3", "v1alpha1"),
        "0.5.0": ApiVersions("v1alpha2", "v1alpha3", "v1alpha3", "v1alpha1"),
        "0.6.0": ApiVersions("v1alpha3", "v1alpha4", "v1alpha4", "v1alpha1"),
        "main": ApiVersions("v1alpha4", "v1alpha4", "v1alpha4", "v1alpha1"),
    }
)
"""Release of the specification -> its newest API versions, oldest release first.

Only these were tagged; `main` adds access v1alpha4, which was never released. Split v1alpha1 and v1alpha2 and specs
v1alpha1 belong to earlier releases without a tag: they are reached with `all`.
"""

ALL = "all"
"""The release name that means every API version of every document."""

_ACCESS_SPECS: Mapping[str, tuple[str, ...]] = {
    "v1alpha1": ("v1alpha2", "v1alpha1"),
    "v1alpha2": ("v1alpha3",),
    "v1alpha3": ("v1alpha4",),
    "v1alpha4": ("v1alpha4",),
}
# Tag v0.4.0 pairs split v1alpha3 with specs v1alpha2, every later tag with specs v1alpha3.
_SPLIT_SPECS: Mapping[str, tuple[str, ...]] = {
    "v1alpha1": (),
    "v1alpha2": (),
    "v1alpha3": ("v1alpha3", "v1alpha2"),
    "v1alpha4": ("v1alpha4",),
}


class UnknownRelease(HarnessError, ValueError):
    """The name is not a release of SMI; `nearest` is the one that was probably meant, if any."""

    def __init__(self, name: str) -> None:
        names = [*RELEASES, ALL]
        near = difflib.get_close_matches(name.removeprefix("v"), names, n=1, cutoff=0.5)
        self.nearest = near[0] if near else None
        hint = f"did you mean {self.nearest}? " if self.nearest else ""
        super().__init__(f"unknown SMI release {name!r}", f"{hint}known: {', '.join(names)}")


def check_release(name: str) -> str:
    """The release as this module names it (`v0.6.0` is taken for `0.6.0`). Raises UnknownRelease."""
    plain = name.removeprefix("v")
    if plain not in RELEASES and plain != ALL:
        raise UnknownRelease(name)
    return plain


def compatible(area: str, version: str, specs: str) -> bool:
    """Whether this access or split version may refer to this specs version ("Compatible with" at a document's head).

    Split v1alpha1 and v1alpha2 refer to nothing, so they go with any.
    """
    if area == "access":
        return specs in _ACCESS_SPECS[version]
    return not _SPLIT_SPECS[version] or specs in _SPLIT_SPECS[version]


def companions(area: str, version: str, served: Served, release: str | None = None) -> ApiVersions | None:
    """The API versions to write in a test of `version` of `area` on a mesh that serves `served`.

    The pairs of `release` come first where they are served; then the newest served versions that the documents declare
    compatible. A companion that the area can do without may be None: split for access and specs, both for split (whose
    `matches` then cannot be written). None as the whole answer: the version is not served, or access or specs lacks its
    counterpart. Deterministic.
    """
    known = tuple((name, tuple(newest_first(served.get(name, ())))) for name in AREAS)
    return _companions(area, version, known, RELEASES.get(release or ""))


def newest_served(served: Served) -> ApiVersions:
    """The newest API versions that a mesh serves and that go together, for tests that judge no version in particular.

    Access decides, then specs, then split, then metrics. Areas that the mesh does not serve are None.
    """
    for area in AREAS:
        for version in newest_first(served.get(area, ())):
            if (together := companions(area, version, served)) is not None:
                return together
    return ApiVersions()


@lru_cache(maxsize=1024)
def _companions(
    area: str, version: str, known: tuple[tuple[str, tuple[str, ...]], ...], wanted: ApiVersions | None
) -> ApiVersions | None:
    served = dict(known)
    if version not in served[area]:
        return None
    fits = [trio for trio in _trios(area, version, served) if _complete(area, trio)]
    if not fits:
        return None
    best = next((trio for trio in fits if wanted and trio == replace(wanted, metrics=None)), fits[0])
    return replace(best, metrics=next(iter(served["metrics"]), None))


def _complete(area: str, trio: ApiVersions) -> bool:
    return area not in ("access", "specs") or (trio.access is not None and trio.specs is not None)


def _trios(area: str, version: str, served: Served) -> list[ApiVersions]:
    """Every way to fill access, specs and split that fits together, best first."""

    def choices(name: str) -> list[str | None]:
        return [version] if name == area else [*served[name], None]

    trios = [
        ApiVersions(access, specs, split)
        for split in choices("split")
        for access in choices("access")
        for specs in choices("specs")
        if _agree(access, specs, split)
    ]
    return sorted(trios, key=_absent)


def _agree(access: str | None, specs: str | None, split: str | None) -> bool:
    if access is not None and (specs is None or not compatible("access", access, specs)):
        return False
    return split is None or specs is None or compatible("split", split, specs)


def _absent(trio: ApiVersions) -> tuple[bool, bool, bool]:
    """Sort key: complete trios first; specs matter most, because access is nothing without them."""
    return trio.specs is None, trio.access is None, trio.split is None
