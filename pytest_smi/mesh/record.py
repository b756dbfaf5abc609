"""The record of a mesh that a run installed, kept in the mesh's own namespace: whoever removes it needs no more."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.ownership import RUN_LABEL, labels
from pytest_smi.errors import MeshError
from pytest_smi.mesh.objects import Ref
from pytest_smi.mesh.profile import Profile
from pytest_smi.mesh.tables import Table

if TYPE_CHECKING:
    from pytest_smi.cluster.api import Api

NAME = "pytest-smi-mesh"
_KEY = "record.json"


@dataclass
class Record:
    """What a run brought: by which profile, the objects that it applied (in order), and what undoes `[deny]`."""

    run: str
    profile: Profile
    applied: list[Ref] = field(default_factory=list)
    undo_deny: dict[str, Any] | None = None

    @property
    def namespace(self) -> str:
        """The namespace that was made for the mesh, and holds the record."""
        return self.profile.namespace

    def save(self, api: Api) -> None:
        """Write the record; to be done before anything that it speaks of."""
        content = {
            "run": self.run,
            "release": self.profile.install.release or self.profile.name,
            "profile": _without_none(asdict(self.profile)),
            "applied": [list(one) for one in self.applied],
            "undo_deny": self.undo_deny,
        }
        api.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": NAME, "namespace": self.namespace, "labels": labels(self.run)},
                "data": {_KEY: json.dumps(content, indent=1)},
            }
        )

    @classmethod
    def read(cls, configmap: dict[str, Any]) -> Record:
        """The inverse of `save`. Raises MeshError for what is no such record."""
        where = f"ConfigMap {configmap['metadata']['namespace']}/{NAME}"
        try:
            content = json.loads(configmap["data"][_KEY])
            profile = Table(where).build(Profile, content["profile"])
            return cls(content["run"], profile, [Ref(*one) for one in content["applied"]], content["undo_deny"])
        except (KeyError, TypeError, ValueError) as fault:
            raise MeshError(
                f"{where} is no record of an installed mesh: {fault!r}", "remove the mesh by hand"
            ) from None


def records(api: Api) -> list[Record]:
    """The records of all meshes on the cluster that runs installed and nobody has removed."""
    found = api.list("/api/v1/configmaps", labelSelector=RUN_LABEL, fieldSelector=f"metadata.name={NAME}")
    return [Record.read(one) for one in found]


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, (list, tuple)) else value
