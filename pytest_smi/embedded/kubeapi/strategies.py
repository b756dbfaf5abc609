"""What is particular about each built-in kind, by kind: late defaults, extra checks, what an update may not touch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import (
    configs,
    crd_checks,
    crds,
    endpoints,
    namespaces,
    pod_checks,
    pods,
    rbac_objects,
    services,
    workloads,
)
from pytest_smi.embedded.kubeapi.status import Cause

Object = dict[str, Any]


def _nothing(_obj: Object) -> None:
    return None


def _no_causes(_obj: Object) -> list[Cause]:
    return []


def _no_update_causes(_new: Object, _old: Object) -> list[Cause]:
    return []


def _no_carry(_new: Object, _old: Object) -> None:
    return None


def _no_texts(_obj: Object) -> list[str]:
    return []


@dataclass(slots=True, frozen=True)
class Strategy:
    """What is done with an object of a kind, in this order.

    `prune` removes what no type knows and returns its paths; `fill_in` gives defaults, which the writer owns; then
    `start` on creations, or `carry` on updates, does what belongs to nobody. `causes`, with `create_causes` or
    `update_causes`, say what is wrong, `status_causes` what is wrong with a status, and `remarks` what the user should
    know.
    """

    prune: Callable[[Object], list[str]] = _no_texts
    fill_in: Callable[[Object], None] = _nothing
    start: Callable[[Object], None] = _nothing
    create_causes: Callable[[Object], list[Cause]] = _no_causes
    causes: Callable[[Object], list[Cause]] = _no_causes
    carry: Callable[[Object, Object], None] = _no_carry
    update_causes: Callable[[Object, Object], list[Cause]] = _no_update_causes
    status_causes: Callable[[Object], list[Cause]] = _no_causes
    remarks: Callable[[Object], list[str]] = _no_texts


_BINDING = Strategy(
    fill_in=rbac_objects.fill_in_binding,
    causes=rbac_objects.binding_causes,
    update_causes=rbac_objects.binding_update_causes,
)
_ROLE = Strategy(causes=rbac_objects.role_causes)
_WORKLOAD = Strategy(
    fill_in=workloads.fill_in,
    causes=workloads.causes,
    update_causes=workloads.update_causes,
    status_causes=workloads.status_causes,
)
_NONE = Strategy()
_STRATEGIES = {
    "Namespace": Strategy(
        fill_in=namespaces.fill_in,
        start=namespaces.start,
        carry=namespaces.carry,
        causes=namespaces.causes,
        status_causes=namespaces.status_causes,
    ),
    "Pod": Strategy(
        fill_in=pods.fill_in,
        start=pods.start,
        carry=pods.carry,
        causes=pod_checks.causes,
        update_causes=pod_checks.update_causes,
    ),
    "Service": Strategy(
        fill_in=services.fill_in,
        start=services.start,
        carry=services.carry,
        causes=services.causes,
        update_causes=services.update_causes,
        remarks=services.remarks,
    ),
    "Endpoints": Strategy(causes=endpoints.causes),
    "EndpointSlice": Strategy(
        fill_in=endpoints.fill_in_slice,
        causes=endpoints.slice_causes,
        update_causes=endpoints.slice_update_causes,
        remarks=endpoints.slice_remarks,
    ),
    "Deployment": _WORKLOAD,
    "ReplicaSet": _WORKLOAD,
    "CustomResourceDefinition": Strategy(
        prune=crd_checks.prune,
        fill_in=crds.fill_in,
        start=crds.start,
        create_causes=crd_checks.create_causes,
        causes=crd_checks.causes,
        carry=crds.carry,
        update_causes=crd_checks.update_causes,
    ),
    "ConfigMap": Strategy(causes=configs.config_map_causes, update_causes=configs.immutable_causes),
    "Secret": Strategy(
        fill_in=configs.secret_fill_in,
        causes=configs.secret_causes,
        update_causes=configs.secret_update_causes,
        remarks=configs.secret_remarks,
    ),
    "Lease": Strategy(causes=configs.lease_causes),
    "Event": Strategy(causes=configs.event_causes),
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
}


def strategy(kind: str, *, builtin: bool) -> Strategy:
    """The strategy of a kind; custom resources have none of their own."""
    return _STRATEGIES.get(kind, _NONE) if builtin else _NONE
