"""Stories: requests to an API server, in their order, as YAML that is read and checked here.

A story plays in a namespace of its own, named after its file. `<name>` in paths and bodies stands for a value: `<ns>`
the namespace, `<core>`, `<apps>`, `<rbac>`, `<slices>`, `<leases>` its collections, `<crds>` the CRDs, `<group>` an API
group of the story's own, `<own>` its v1 in the namespace; further ones are saved from answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("stories")
MEDIA = {
    "json": "application/json",
    "yaml": "application/yaml",
    "merge": "application/merge-patch+json",
    "jsonpatch": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_VALUE = re.compile(r"<([a-z][a-z0-9]*)>")


@dataclass(frozen=True)
class Step:
    """One request.

    `ask` is `METHOD PATH?QUERY`, the query as people write it; `media` the body's media type, by its short name or in
    full; `text` a body that is sent as it stands. `save` takes values out of the answer by dotted paths. `until` asks
    again until the answer has this code, or these values at dotted paths. `pick` keeps only these dotted paths of the
    answer. `events` reads so many events of a watch, or those before it ends, and `during` are the steps that happen
    while it is open.
    """

    name: str
    ask: str
    body: Any = None
    text: str | None = None
    media: str = "json"
    accept: str = ""
    user: str = "admin"
    headers: dict[str, str] = field(default_factory=dict)
    save: dict[str, str] = field(default_factory=dict)
    until: Any = None
    pick: tuple[str, ...] = ()
    events: int | None = None
    during: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Story:
    """A file of steps. `about` says what they are about."""

    name: str
    about: str
    steps: tuple[Step, ...]

    @property
    def values(self) -> dict[str, str]:
        """What `<name>` stands for before anything is saved."""
        group = f"{self.name}.example"
        return {
            "ns": self.name,
            "group": group,
            "core": f"/api/v1/namespaces/{self.name}",
            "apps": f"/apis/apps/v1/namespaces/{self.name}",
            "rbac": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.name}",
            "slices": f"/apis/discovery.k8s.io/v1/namespaces/{self.name}/endpointslices",
            "leases": f"/apis/coordination.k8s.io/v1/namespaces/{self.name}/leases",
            "crds": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "own": f"/apis/{group}/v1/namespaces/{self.name}",
        }


def filled(value: Any, values: dict[str, str]) -> Any:
    """`value` with every `<name>` replaced. Raises KeyError for one that stands for nothing."""
    if isinstance(value, str):
        return _VALUE.sub(lambda found: values[found[1]], value)
    if isinstance(value, dict):
        return {filled(key, values): filled(item, values) for key, item in value.items()}
    return [filled(item, values) for item in value] if isinstance(value, list) else value


def stories() -> list[Story]:
    """All of them, by name."""
    return [read(path) for path in sorted(FOLDER.glob("*.yaml"))]


def read(path: Path) -> Story:
    """One file. Raises ValueError for a key that nobody knows or a name that is there twice."""
    content = yaml.safe_load(path.read_text())
    steps = tuple(_step(one, path.name) for one in content["steps"])
    names = [one.name for step in steps for one in (step, *step.during)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path.name}: steps have the same name: {twice}")
    return Story(path.stem, content["about"], steps)


def _step(raw: dict[str, Any], where: str) -> Step:
    known = {one.name for one in fields(Step)}
    if unknown := sorted(set(raw) - known):
        raise ValueError(f"{where}: step {raw.get('name')!r} has unknown keys {unknown}")
    during = tuple(_step(one, where) for one in raw.get("during", ()))
    return Step(**{**raw, "during": during, "pick": tuple(raw.get("pick", ()))})
