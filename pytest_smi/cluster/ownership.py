"""Whose objects are whose: the labels that everything of a run carries, and creating what must not be there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import Refused, path_to
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smi.cluster.api import Api

MANAGED_BY = {"app.kubernetes.io/managed-by": "pytest-smi"}
RUN_LABEL = "pytest-smi.dev/run"
PART_LABEL = "pytest-smi.dev/part"
SCENE = "scene"
"""The part of a run's namespaces that hold its scene."""


def labels(run: str) -> dict[str, str]:
    """The labels of whatever a run creates; `pytest-smi clean` finds leftovers by them."""
    return {**MANAGED_BY, RUN_LABEL: run}


def run_of(obj: Mapping[str, Any]) -> str | None:
    """The run that an object belongs to, None for somebody else's."""
    found: dict[str, str] = obj.get("metadata", {}).get("labels") or {}
    ours = all(found.get(name) == value for name, value in MANAGED_BY.items())
    return found.get(RUN_LABEL) if ours else None


def create(api: Api, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Create an object of a run. Raises ClusterError when one of that name is there that is not of the same run."""
    try:
        return api.create(manifest)
    except Refused as refusal:
        if refusal.code != 409:
            raise
        found = api.find(path_to(manifest))
    except ClusterError:  # no answer: it may have been created all the same
        found = api.find(path_to(manifest))
        if found is None:
            raise
    return _ours(found, manifest)


def _ours(found: dict[str, Any] | None, manifest: Mapping[str, Any]) -> dict[str, Any]:
    run = run_of(manifest)
    if found is not None and run is not None and run_of(found) == run:
        return found
    meta = manifest["metadata"]
    where = f" in namespace {meta['namespace']}" if meta.get("namespace") else ""
    raise ClusterError(
        f"{manifest['kind']} {meta['name']}{where} is there already and not of run {run}: left alone",
        "delete it if nobody needs it; `pytest-smi clean` removes what dead runs have left",
    )
