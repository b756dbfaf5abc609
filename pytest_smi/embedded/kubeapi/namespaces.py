"""Namespaces: their label, their finalizers and their phase."""

from typing import Any

from pytest_smi.embedded.kubeapi import naming
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_LABEL = "kubernetes.io/metadata.name"


def fill_in(obj: Object) -> None:
    """Every Namespace has its name as a label."""
    if name := obj["metadata"].get("name"):
        obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), _LABEL: name}


def start(obj: Object) -> None:
    """A new Namespace is active, and held until it is empty."""
    fill_in(obj)
    spec = obj.setdefault("spec", {})
    spec["finalizers"] = list(dict.fromkeys([*(spec.get("finalizers") or ()), "kubernetes"]))
    obj["status"] = {"phase": "Active"}


def carry(new: Object, old: Object) -> None:
    """Finalizers of the spec change through the finalize subresource only."""
    new["spec"] = {**(new.get("spec") or {}), "finalizers": (old.get("spec") or {}).get("finalizers") or []}


def causes(obj: Object) -> list[Cause]:
    """Finalizers that are none."""
    found = []
    for index, name in enumerate((obj.get("spec") or {}).get("finalizers") or ()):
        path = f"spec.finalizers[{index}]"
        found += [invalid_value(path, name, text) for text in naming.qualified_name(name)]
        found += naming.finalizer_domain_causes(name, path)
    return found


def status_causes(obj: Object) -> list[Cause]:
    """A phase that does not go with the deletion of the Namespace, or its absence."""
    phase, deleting = (obj.get("status") or {}).get("phase"), bool(obj["metadata"].get("deletionTimestamp"))
    wanted = "Terminating" if deleting else "Active"
    if phase == wanted:
        return []
    text = f"may only be '{wanted}' if `deletionTimestamp` is {'not ' if deleting else ''}empty"
    return [invalid_value("status.Phase", phase, text)]
