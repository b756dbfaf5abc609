"""Which instances of a requirement a run has: requirement x API version, for a release and a mesh's profile.

Decided from catalogue and profile alone, never from the live cluster, so that every xdist worker collects the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_smi.evidence import Instance
from pytest_smi.spec.catalogue import FEATURES
from pytest_smi.spec.kinds import KINDS, newest_first, version_number
from pytest_smi.spec.releases import ALL, RELEASES, ApiVersions, check_release, companions

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_smi.spec.catalogue import Requirement
    from pytest_smi.spec.releases import Served

_LAST_RELEASE = "0.6.0"

# The first API version in which a feature can be written, where tests write it in a companion of their own version.
_SINCE = {"split-matches": ("split", 3), "header-filters": ("specs", 2), "udp": ("specs", 4)}


@dataclass(frozen=True)
class _Variant:
    """One possible instance: its label, and the area and version (and kind, for api) behind it."""

    label: str
    area: str
    version: str
    kind: str | None = None


def instances(
    requirement: Requirement, release: str | None, served: Served, absent: Collection[str] = ()
) -> list[Instance]:
    """The instances of a requirement to collect, oldest API version first.

    `release`: a name of RELEASES gives at most one instance per kind, in that release's API version; `all` one for
    every API version that carries the statement; None takes the newest served version of the area. With None, what the
    last release has and the mesh does not serve is there too, as unsupported; what its newest version dropped is not.

    `served` (area -> versions) and `absent` (names of FEATURES) are the mesh's profile. An instance that they rule out
    says why in `unsupported`, first of all by the feature's name. Raises UnknownRelease.
    """
    release = release and check_release(release)
    return [
        _instance(requirement, variant, None if release == ALL else release, served, absent)
        for variant in _chosen(_variants(requirement), release, served)
    ]


def _variants(requirement: Requirement) -> list[_Variant]:
    variants = []
    for label in requirement.apis():
        name, _, version = label.rpartition("-")
        kind = name if requirement.area == "api" else None
        area = requirement.api_area or (KINDS[name].area if name in KINDS else "metrics")
        variants.append(_Variant(label, area, version, kind))
    return variants


def _chosen(variants: list[_Variant], release: str | None, served: Served) -> list[_Variant]:
    if release == ALL:
        return variants
    return [variant for variant in variants if variant.version == _current(variant, variants, release, served)]


def _current(variant: _Variant, variants: list[_Variant], release: str | None, served: Served) -> str:
    """The API version of the variant's area that the run judges."""
    if release is not None:
        return str(getattr(RELEASES[release], variant.area))
    newest = next(iter(newest_first(served.get(variant.area, ()))), None)
    last = str(getattr(RELEASES[_LAST_RELEASE], variant.area))
    if newest is None:
        return last
    said = any(other.version == newest for other in variants if other.kind == variant.kind)
    return newest if said or version_number(newest) >= version_number(last) else last


def _instance(
    requirement: Requirement, variant: _Variant, release: str | None, served: Served, absent: Collection[str]
) -> Instance:
    together = companions(variant.area, variant.version, served, release)
    return Instance(
        requirement=requirement.id,
        level=requirement.level,
        area=requirement.area,
        group=requirement.group,
        api=variant.label,
        versions=together.as_dict() if together else {variant.area: variant.version},
        statement=requirement.statement,
        kind=variant.kind,
        provisional=requirement.provisional,
        unsupported=_unsupported(requirement, variant, together, served, absent),
    )


def _unsupported(
    requirement: Requirement,
    variant: _Variant,
    together: ApiVersions | None,
    served: Served,
    absent: Collection[str],
) -> str | None:
    """Why the mesh cannot be judged by this instance, or None."""
    features = requirement.features_of(variant.kind)
    for feature in features:
        if feature in absent:
            return f"{feature}: the mesh's profile declares {FEATURES[feature]} absent"
    if variant.version not in served.get(variant.area, ()):
        return f"{variant.area}-{variant.version}: the mesh does not serve it"
    if requirement.area == "api":
        return None
    if together is None:
        other = "specs" if variant.area == "access" else "access"
        return f"{other}: the mesh serves no version that goes with {variant.area}-{variant.version}"
    for area in requirement.needs:
        if getattr(together, area) is None:
            return f"{area}: the mesh serves no version that goes with {variant.area}-{variant.version}"
    for feature in features:
        area, since = _SINCE.get(feature, ("", 0))
        version = together.as_dict().get(area)
        if version is not None and version_number(version) < since:
            return f"{feature}: {area}-{version} does not have {FEATURES[feature]}"
    return None
