"""Manifests taken apart and put together again, wherever a version keeps its fields."""

import copy
from typing import Any

from pytest_smi import Smi


def without(manifest: dict[str, Any], *path: str) -> dict[str, Any]:
    """A copy of a manifest that lacks one field."""
    body = copy.deepcopy(manifest)
    place = body
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return body


def with_value(manifest: dict[str, Any], value: Any, *path: str | int) -> dict[str, Any]:
    """A copy of a manifest with one field set."""
    body: Any = copy.deepcopy(manifest)
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return dict(body)


def body_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """What an author wrote: everything but the metadata, and the status that a mesh may add (API-028)."""
    return {key: value for key, value in manifest.items() if key not in ("metadata", "status")}


def target_of(smi: Smi) -> tuple[str, ...]:
    """Where a TrafficTarget of this version has its fields."""
    return () if smi.versions.access == "v1alpha1" else ("spec",)


def rules_of(smi: Smi) -> tuple[str, ...]:
    """Where a TrafficTarget of this version has its rules."""
    return (*target_of(smi), "specs" if smi.versions.access == "v1alpha1" else "rules")


def matches_of(smi: Smi) -> tuple[str, ...]:
    """Where an HTTPRouteGroup of this version has its matches."""
    return ("matches",) if smi.versions.specs in ("v1alpha1", "v1alpha2") else ("spec", "matches")
