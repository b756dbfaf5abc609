"""The status of a Pod, from the states of its containers. Pure but for the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


def now() -> str:
    """The present as Kubernetes writes it, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ContainerState:
    """One container as its status shows it. `state` and `last` have one key: waiting, running or terminated.

    `done` says that it has ended and will not be started again.
    """

    name: str
    image: str
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    done: bool = False
    pid: int = 0
    sidecar: bool = False

    @property
    def passed(self) -> bool:
        """For an init container: whether the next may start. A sidecar need only have started."""
        return self.started if self.sidecar else self.done and self.exit_code == 0

    @property
    def exit_code(self) -> int | None:
        """The exit status of the last run, if it has ended."""
        ended = self.state.get("terminated") or self.last.get("terminated") or {}
        return ended.get("exitCode")

    def rendered(self) -> Object:
        """As an entry of containerStatuses."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "containerID": f"process://{self.pid}" if self.pid else "",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


def phase(init: list[ContainerState], main: list[ContainerState]) -> str:
    """Pending, Running, Succeeded or Failed."""
    if any(one.done and one.exit_code != 0 for one in init if not one.sidecar):
        return "Failed"
    if all(one.done for one in main):
        return "Succeeded" if all(one.exit_code == 0 for one in main) else "Failed"
    begun = all("waiting" not in one.state or one.last for one in main)
    return "Running" if begun else "Pending"


def conditions(pod: Object, init: list[ContainerState], main: list[ContainerState]) -> list[Object]:
    """The conditions of the pod; transition times are kept where nothing changed, foreign conditions as they are."""
    finished = phase(init, main) if all(one.done for one in main) else ""
    unready = [one.name for one in main if not one.ready]
    message = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
    reason = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(finished, "ContainersNotReady") if unready else ""
    waiting = [one.name for one in init if not one.passed]
    old = {one["type"]: one for one in pod.get("status", {}).get("conditions") or []}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    shut = [gate for gate in gates if old.get(gate, {}).get("status") != "True"]
    ready = ("ReadinessGatesNotReady", f"gates not open: {shut}") if shut and not unready else (reason, message)
    wanted = {
        "PodScheduled": (True, "", ""),
        "Initialized": _told(waiting, "ContainersNotInitialized", f"containers with incomplete status: {waiting}"),
        "ContainersReady": (not unready, reason, message),
        "Ready": (not unready and not shut, *ready),
    }
    fresh = [_condition(kind, *told, old.get(kind, {})) for kind, told in wanted.items()]
    return fresh + [one for kind, one in old.items() if kind not in wanted]


def _told(waiting: list[str], reason: str, message: str) -> tuple[bool, str, str]:
    return (False, reason, message) if waiting else (True, "", "")


def _condition(kind: str, good: bool, reason: str, message: str, old: Object) -> Object:
    status = "True" if good else "False"
    since = old["lastTransitionTime"] if old.get("status") == status else now()
    told = {"reason": reason, "message": message} if reason else {}
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since, **told}


def pod_status(
    pod: Object, init: list[ContainerState], main: list[ContainerState], ip: str, host: str, started: str
) -> Object:
    """The whole status."""
    status: Object = {
        "phase": phase(init, main),
        "conditions": conditions(pod, init, main),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": started,
        "qosClass": pod.get("status", {}).get("qosClass") or "BestEffort",
        "containerStatuses": [one.rendered() for one in main],
    }
    if init:
        status["initContainerStatuses"] = [one.rendered() for one in init]
    return status
