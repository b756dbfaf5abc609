"""The status of a Deployment. Pure but for the clock."""

from __future__ import annotations

from typing import Any

from pytest_smi.embedded.controllers import podstate, rollout

Object = dict[str, Any]


def status_of(deployment: Object, new: Object | None, sets: list[Object]) -> tuple[Object, float | None]:
    """The status, with None for what is left out, and the seconds after which it may change by itself."""
    uid = new["metadata"]["uid"] if new else None
    total = _count(sets, "replicas")
    updated = _count([one for one in sets if one["metadata"]["uid"] == uid], "replicas")
    available = _count(sets, "availableReplicas")
    wanted = rollout.replicas(deployment)
    conditions = deployment.get("status", {}).get("conditions") or []
    conditions = _available(conditions, available >= wanted - rollout.bounds(deployment)[1])
    complete = new is not None and updated == total == available == wanted
    conditions, later = _progressing(deployment, new, conditions, complete)
    status = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": total or None,
        "updatedReplicas": updated or None,
        "readyReplicas": _count(sets, "readyReplicas") or None,
        "availableReplicas": available or None,
        "unavailableReplicas": max(0, max(total, wanted) - available) or None,
        "conditions": conditions,
    }
    return status, later


def _count(sets: list[Object], field: str) -> int:
    return sum(one.get("status", {}).get(field) or 0 for one in sets)


def _available(conditions: list[Object], enough: bool) -> list[Object]:
    if enough:
        text = "Deployment has minimum availability."
        return podstate.with_condition(conditions, "Available", "True", "MinimumReplicasAvailable", text)
    text = "Deployment does not have minimum availability."
    return podstate.with_condition(conditions, "Available", "False", "MinimumReplicasUnavailable", text)


def _progressing(
    deployment: Object, new: Object | None, conditions: list[Object], complete: bool
) -> tuple[list[Object], float | None]:
    name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else "Deployment"
    if deployment["spec"].get("paused"):
        text = "Deployment is paused"
        return podstate.with_condition(conditions, "Progressing", "Unknown", "DeploymentPaused", text), None
    if complete:
        text = f"{name} has successfully progressed."
        return podstate.with_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable", text), None
    old: Object = next((one for one in conditions if one["type"] == "Progressing"), {})
    limit = deployment["spec"].get("progressDeadlineSeconds", 600)
    moved = _progress_mark(deployment, new)
    if old.get("reason") == "ProgressDeadlineExceeded" and moved in old.get("message", ""):
        return conditions, None
    waited = podstate.seconds_since(old["lastUpdateTime"]) if moved in old.get("message", "") else 0.0
    if waited >= limit:
        text = f"{name} has timed out progressing ({moved})."
        return podstate.with_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded", text), None
    text = f"{name} is progressing ({moved})."
    changed = podstate.with_condition(conditions, "Progressing", "True", "ReplicaSetUpdated", text)
    return changed, limit - waited + 0.05


def _progress_mark(deployment: Object, new: Object | None) -> str:
    """What must change for the deadline to start anew: more updated, more available."""
    status = new.get("status", {}) if new else {}
    made, usable = status.get("replicas") or 0, status.get("availableReplicas") or 0
    return f"{made} updated, {usable} of {rollout.replicas(deployment)} available"
