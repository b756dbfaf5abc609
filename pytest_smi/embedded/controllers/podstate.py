"""What controllers read from a Pod: whether it is active, ready, and available. Pure."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from pytest_smi.embedded.controllers.ownership import deleting

Object = dict[str, Any]


def now() -> str:
    """The present as Kubernetes writes it, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(timestamp: str) -> float:
    """Seconds since a timestamp of Kubernetes."""
    return time.time() - datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def condition(obj: Object, kind: str) -> Object | None:
    """A condition from the status, by its type."""
    for one in obj.get("status", {}).get("conditions") or []:
        if one["type"] == kind:
            return dict(one)
    return None


def active(pod: Object) -> bool:
    """Neither finished nor being deleted."""
    return not deleting(pod) and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def ready(pod: Object) -> bool:
    """Whether the pod's condition Ready is True."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def available_in(pod: Object, min_ready_seconds: int) -> float | None:
    """Seconds until the pod counts as available: 0 when it does, None when it is not even ready."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return None
    if not min_ready_seconds:
        return 0.0
    return max(0.0, min_ready_seconds - seconds_since(found.get("lastTransitionTime") or now()))


def with_condition(conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
    """The conditions with one set; its transition time changes only with its status."""
    kept = [one for one in conditions if one["type"] != kind]
    old = next((one for one in conditions if one["type"] == kind), {})
    same = old.get("status") == status
    if same and (old.get("reason"), old.get("message")) == (reason, message):
        return conditions
    fresh = {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now(),
        "lastTransitionTime": old["lastTransitionTime"] if same else now(),
    }
    return [*kept, fresh]


def without_condition(conditions: list[Object], kind: str) -> list[Object]:
    """The conditions without one."""
    return [one for one in conditions if one["type"] != kind]
