"""What is known of each requirement, joined: statement, test, faults that it catches, facets, meshes that serve it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_smi.catalog.stories import Story, stories
from pytest_smi.mesh.lifecycle import reference_faults
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.sources import shipped_profiles
from pytest_smi.report.links import spec_url
from pytest_smi.spec.catalogue import Requirement, catalogue
from pytest_smi.spec.instances import instances
from pytest_smi.spec.kinds import KINDS
from pytest_smi.spec.releases import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_smi.mesh.profile import Profile

CATEGORIES: Mapping[str, str] = {
    "access": "security",
    "specs": "traffic-management",
    "split": "traffic-management",
    "metrics": "observability",
    "api": "operation",
    "cross": "traffic-management",
}
"""Area -> the category of a cloud-native catalogue that it belongs to."""


@dataclass(frozen=True)
class Entry:
    """One requirement with its tests, the faults that must turn it red, and the shipped meshes that serve it."""

    requirement: Requirement
    stories: tuple[Story, ...]
    faults: tuple[str, ...]
    meshes: tuple[str, ...]

    @property
    def technologies(self) -> tuple[str, ...]:
        """Facet: what the requirement is about, `smi` first, then the kinds or the area."""
        kinds = [kind for kind, _ in self.requirement.kinds]
        kinds += [name for name, kind in KINDS.items() if not kinds and kind.area == self.requirement.area]
        return ("smi", *(kind.lower() for kind in kinds or [self.requirement.area]))

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON types (`pytest-smi catalog --json`)."""
        one = self.requirement
        return {
            "id": one.id,
            "statement": one.statement,
            "level": one.level,
            "provisional": one.provisional,
            "area": one.area,
            "group": one.group,
            "api": list(one.apis()),
            "features": list(one.features),
            "security": one.security,
            "source": one.source,
            "urls": [url for url in map(spec_url, one.apis()) if url],
            "tests": [story.nodeid for story in self.stories],
            "killed_by": list(self.faults),
            "facets": {
                "category": CATEGORIES[one.area],
                "compatibility": list(self.meshes),
                "technology": list(self.technologies),
            },
        }


def entries(profiles: Iterable[Profile] | None = None) -> list[Entry]:
    """Every requirement, in the order of the catalogue. `profiles` are the meshes to hold it against (default: all)."""
    meshes = [load_profile(name) for name in shipped_profiles()] if profiles is None else list(profiles)
    tests, faults = stories(), killers()
    return [
        Entry(
            one,
            tests.get(one.id, ()),
            tuple(faults.get(one.id, ())),
            tuple(mesh.name for mesh in meshes if served(one, mesh)),
        )
        for one in catalogue().values()
    ]


def served(requirement: Requirement, profile: Profile) -> list[str]:
    """The API labels of the requirement's instances that a mesh can be judged by, by its profile."""
    found = instances(requirement, ALL, profile.versions.served(), profile.features.absent)
    return [one.api for one in found if one.unsupported is None]


@cache
def killers() -> Mapping[str, Sequence[str]]:
    """Requirement id -> the seeded faults of the reference mesh that must turn it red. Raises MeshError."""
    found: dict[str, list[str]] = {}
    for fault in reference_faults():
        for identifier in fault["kills"]:
            found.setdefault(identifier, []).append(fault["name"])
    return {identifier: sorted(names) for identifier, names in found.items()}
