"""The faults that can be ordered with `--fault`; each is a small class in one of the modules named here."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh import (
    faults_access,
    faults_api,
    faults_backends,
    faults_binding,
    faults_definitions,
    faults_grants,
    faults_http,
    faults_late,
    faults_lazy,
    faults_matches,
    faults_memory,
    faults_metrics,
    faults_metrics_api,
    faults_metrics_shape,
    faults_schema,
    faults_scope,
    faults_split,
    faults_structure,
)
from pytest_smi.embedded.mesh.fault import REGISTRY
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.errors import MeshError

if TYPE_CHECKING:
    from types import ModuleType

MODULES: tuple[ModuleType, ...] = (
    faults_access,
    faults_api,
    faults_backends,
    faults_binding,
    faults_definitions,
    faults_grants,
    faults_http,
    faults_late,
    faults_lazy,
    faults_matches,
    faults_memory,
    faults_metrics,
    faults_metrics_api,
    faults_metrics_shape,
    faults_schema,
    faults_scope,
    faults_split,
    faults_structure,
)
"""Where faults are defined; importing them fills the registry."""


def semantics_of(fault: str | None) -> Semantics:
    """The reference semantics, or those of a fault. Raises MeshError for an unknown name."""
    if fault is None:
        return Semantics()
    if fault not in REGISTRY:
        close = difflib.get_close_matches(fault, REGISTRY, 1)
        hint = f"did you mean {close[0]}?" if close else "--list-faults shows them all"
        raise MeshError(f"the reference mesh has no fault {fault!r}", hint)
    return REGISTRY[fault].semantics()


def listing() -> list[dict[str, Any]]:
    """All faults as JSON: name, description, kills, may_touch, release; by name."""
    return [
        {
            "name": one.name,
            "description": one.description,
            "kills": sorted(one.kills),
            "may_touch": sorted(one.may_touch),
            "release": one.release,
        }
        for _, one in sorted(REGISTRY.items())
    ]
