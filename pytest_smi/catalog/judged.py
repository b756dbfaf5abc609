"""Verdicts of earlier runs, read from their results.json: what each mesh was found to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Judged:
    """One run: the mesh and its version, and the entry of each instance by its key (`TS-004[split-v1alpha2]`)."""

    mesh: str
    version: str
    started: str
    instances: Mapping[str, Mapping[str, Any]]

    @property
    def title(self) -> str:
        """Mesh and version, as a column's head."""
        return f"{self.mesh} {self.version}".removesuffix(" unknown")

    def verdict(self, key: str) -> str:
        """The verdict of an instance; empty where the run did not judge it."""
        return str(self.instances.get(key, {}).get("verdict", ""))

    def message(self, key: str) -> str:
        """What the run says about an instance."""
        return str(self.instances.get(key, {}).get("message", ""))


def read(path: Path) -> Judged:
    """The run in a results.json. Raises HarnessError for a file that is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
        mesh, instances = content["mesh"], {one["key"]: one for one in content["instances"]}
        return Judged(str(mesh["name"]), str(mesh.get("version", "unknown")), str(content["started"]), instances)
    except OSError as fault:
        raise HarnessError(f"{path} cannot be read: {fault.strerror}", "give a results.json") from fault
    except (ValueError, LookupError, TypeError, AttributeError) as fault:
        raise HarnessError(f"{path} is no results.json: {fault!r}", "write one with --smi-results") from fault


def read_folder(folder: Path) -> list[Judged]:
    """Every run in a folder of results, by mesh and version."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda one: (one.mesh, one.version, one.started))
