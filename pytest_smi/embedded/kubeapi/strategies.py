"""What is particular about each built-in kind, by kind: late defaults, extra checks, what an update may not touch."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import services, workloads
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]


def _nothing(_obj: Object) -> None:
    return None


def _no_causes(_obj: Object) -> list[Cause]:
    return []


def _no_update_causes(_new: Object, _old: Object) -> list[Cause]:
    return []


def _no_carry(_new: Object, _old: Object) -> None:
    return None


@dataclass(slots=True, frozen=True)
class Strategy:
    """`fill_in` runs on every decoded object, `carry` on updates before `update_causes`; `causes` on every write."""

    fill_in: Callable[[Object], None] = _nothing
    start: Callable[[Object], None] = _nothing
    causes: Callable[[Object], list[Cause]] = _no_causes
    carry: Callable[[Object, Object], None] = _no_carry
    update_causes: Callable[[Object, Object], list[Cause]] = _no_update_causes


def _namespace_fill_in(obj: Object) -> None:
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}


def _namespace_start(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec["finalizers"] = list(dict.fromkeys([*(spec.get("finalizers") or ()), "kubernetes"]))
    obj["status"] = {"phase": "Active"}


def _namespace_carry(new: Object, old: Object) -> None:
    # Namespace finalizers of the spec change through the finalize subresource only.
    new["spec"] = {**(new.get("spec") or {}), "finalizers": (old.get("spec") or {}).get("finalizers") or []}


def _pod_start(obj: Object) -> None:
    obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def _secret_fill_in(obj: Object) -> None:
    if plain := obj.pop("stringData", None):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _immutable(new: Object, old: Object) -> list[Cause]:
    if not old.get("immutable"):
        return []
    text = "Forbidden: field is immutable when `immutable` is set"
    fields = [name for name in ("data", "binaryData") if (new.get(name) or {}) != (old.get(name) or {})]
    if not new.get("immutable"):
        fields.append("immutable")
    return [Cause("FieldValueForbidden", text, name) for name in fields]


def _secret_update(new: Object, old: Object) -> list[Cause]:
    found = _immutable(new, old)
    if new.get("type") != old.get("type"):
        found.append(invalid_value("type", new.get("type"), "field is immutable"))
    return found


def _role_ref_update(new: Object, old: Object) -> list[Cause]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    return [invalid_value("roleRef", new.get("roleRef"), "cannot change roleRef")]


def _rules_fill_in(obj: Object) -> None:
    obj.setdefault("rules", [])


def _binding_fill_in(obj: Object) -> None:
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _event_fill_in(obj: Object) -> None:
    obj.setdefault("source", {})


def _event_causes(obj: Object) -> list[Cause]:
    involved, own = (obj.get("involvedObject") or {}).get("namespace") or "", obj["metadata"].get("namespace", "")
    if involved == own or (not involved and own == "default"):
        return []
    return [invalid_value("involvedObject.namespace", involved, "does not match event.namespace")]


_BINDING = Strategy(fill_in=_binding_fill_in, update_causes=_role_ref_update)
_WORKLOAD = Strategy(
    fill_in=workloads.fill_in_workload,
    causes=workloads.workload_causes,
    update_causes=workloads.workload_update_causes,
)
_NONE = Strategy()
_STRATEGIES = {
    "Namespace": Strategy(fill_in=_namespace_fill_in, start=_namespace_start, carry=_namespace_carry),
    "Pod": Strategy(
        fill_in=workloads.fill_in_pod,
        start=_pod_start,
        causes=workloads.pod_causes,
        update_causes=workloads.pod_update_causes,
    ),
    "Service": Strategy(
        fill_in=services.fill_in,
        start=lambda obj: obj.update(status={"loadBalancer": {}}),
        causes=services.causes,
        carry=services.carry_address,
        update_causes=services.update_causes,
    ),
    "Deployment": _WORKLOAD,
    "ReplicaSet": _WORKLOAD,
    "ConfigMap": Strategy(update_causes=_immutable),
    "Secret": Strategy(fill_in=_secret_fill_in, update_causes=_secret_update),
    "Role": Strategy(fill_in=_rules_fill_in),
    "ClusterRole": Strategy(fill_in=_rules_fill_in),
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Event": Strategy(fill_in=_event_fill_in, causes=_event_causes),
}


def strategy(kind: str, *, builtin: bool) -> Strategy:
    """The strategy of a kind; custom resources have none of their own."""
    return _STRATEGIES.get(kind, _NONE) if builtin else _NONE
