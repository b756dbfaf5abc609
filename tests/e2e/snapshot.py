"""All objects of a cluster, so that what a run has changed can be told: there should be nothing.

Compared is what people and meshes write. What the cluster's own controllers keep (events, leases, status, and the
objects that they make for another object) comes and goes by itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.cluster import Cluster

_KEPT_BY_CONTROLLERS = ("Event", "Lease", "Endpoints", "EndpointSlice", "ComponentStatus", "Node")
_OF_NO_MEANING = ("resourceVersion", "uid", "managedFields", "creationTimestamp", "generation")
_REVISION = "deployment.kubernetes.io/revision"

Objects = dict[str, Any]
"""`KIND NAMESPACE/NAME` -> what was written in the object."""


def snapshot(cluster: Cluster) -> Objects:
    """What is on the cluster now, with Namespaces, definitions and webhooks."""
    kinds = sorted(set(cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()))
    items = cluster.get("--all-namespaces", "--ignore-not-found", ",".join(kinds))["items"]
    return {_name(one): _written(one) for one in items if _counts(one)}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each object that is new, gone or not what it was."""
    lines = [f"left behind: {name}" for name in sorted(after.keys() - before.keys())]
    lines += [f"gone: {name}" for name in sorted(before.keys() - after.keys())]
    changed = [name for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    return lines + [f"changed: {name}: {_changes(before[name], after[name])}" for name in changed]


def _counts(one: Mapping[str, Any]) -> bool:
    return one["kind"] not in _KEPT_BY_CONTROLLERS and not one["metadata"].get("ownerReferences")


def _name(one: Mapping[str, Any]) -> str:
    metadata = one["metadata"]
    return f"{one['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _written(one: Mapping[str, Any]) -> Any:
    metadata = {key: value for key, value in one["metadata"].items() if key not in _OF_NO_MEANING}
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != _REVISION}
    metadata = {**metadata, "annotations": annotations}
    return {key: value for key, value in one.items() if key not in ("status", "metadata")} | {"metadata": metadata}


def _changes(one: Any, other: Any, path: str = "") -> str:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return f"{path or '.'} was {json.dumps(one)[:200]}, is {json.dumps(other)[:200]}"
    names = sorted(one.keys() | other.keys())
    return "; ".join(_changes(one.get(n), other.get(n), f"{path}.{n}") for n in names if one.get(n) != other.get(n))
