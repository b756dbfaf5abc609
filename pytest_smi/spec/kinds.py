"""The kinds of SMI: their API groups, names and versions; short names are those of the published CRDs."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSIONS = ("v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4")
"""Every API version of access, specs and split, oldest first. Metrics knows only the first."""

STORAGE_VERSION = "v1alpha4"
"""The version our CRDs store, and the one that `convert` goes through."""

AREAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"access": VERSIONS, "specs": VERSIONS, "split": VERSIONS, "metrics": ("v1alpha1",)}
)
"""Area of the specification -> the API versions its documents define, oldest first."""


def group(area: str) -> str:
    """The API group of an area: `access` -> `access.smi-spec.io`."""
    return f"{area}.smi-spec.io"


@dataclass(frozen=True)
class Kind:
    """One kind of object: its area, its names in the API, and the versions whose documents define it (oldest first)."""

    kind: str
    area: str
    plural: str
    short: str
    versions: tuple[str, ...]

    @property
    def group(self) -> str:
        """API group, e.g. `split.smi-spec.io`."""
        return group(self.area)

    @property
    def singular(self) -> str:
        """Lower-case singular name, as the API discovers it."""
        return self.kind.lower()

    def api_version(self, version: str) -> str:
        """`apiVersion` of a manifest, e.g. `split.smi-spec.io/v1alpha4`."""
        return f"{self.group}/{version}"


def _table() -> dict[str, Kind]:
    newest = VERSIONS[-1:]
    rows = (
        Kind("TrafficTarget", "access", "traffictargets", "tt", VERSIONS),
        Kind("IdentityBinding", "access", "identitybindings", "ib", newest),
        Kind("HTTPRouteGroup", "specs", "httproutegroups", "htr", VERSIONS),
        Kind("TCPRoute", "specs", "tcproutes", "tr", VERSIONS),
        Kind("UDPRoute", "specs", "udproutes", "ur", newest),
        Kind("TrafficSplit", "split", "trafficsplits", "ts", VERSIONS),
    )
    return {row.kind: row for row in rows}


KINDS: Mapping[str, Kind] = MappingProxyType(_table())
"""Kind name -> `Kind`, for everything that is a custom resource (TrafficMetrics is not)."""


def version_number(version: str) -> int:
    """The number of an API version, for comparisons: `v1alpha3` -> 3. Raises ValueError for anything else."""
    if version not in VERSIONS:
        raise ValueError(f"{version!r} is not an SMI API version: {', '.join(VERSIONS)}")
    return int(version.removeprefix("v1alpha"))


def newest_first(versions: Iterable[str]) -> list[str]:
    """Known versions only, newest first."""
    given = set(versions)
    return [version for version in reversed(VERSIONS) if version in given]
