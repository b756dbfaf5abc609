"""What keeps a workload's pods from becoming ready, as its objects tell: where, what, and what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.cluster.nodes import unready

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_OURS = "app"
_CRASHES = 3  # a container may end once or twice while its mesh comes up
_SOON = 20.0


class Hindrance(NamedTuple):
    """What is in the way and where, and what to do. It is told once it has stood for `patience` seconds.

    `crashed` names the container whose last words would tell more.
    """

    what: str
    advice: str
    patience: float
    crashed: str = ""


def of_pod(pod: Object) -> Hindrance | None:
    """The first thing that will keep this pod from becoming ready, if anything does."""
    for status in _containers(pod):
        found = _of_container(pod, status)
        if found:
            return found
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Hindrance(
                f"{title(pod)} has no node: {condition.get('reason', '')}: {_line(condition.get('message'))}",
                "kubectl describe nodes tells what they lack",
                _SOON,
            )
    return None


def of_deployment(deployment: Object) -> Hindrance | None:
    """Why a Deployment's pods are not even created, if they are not."""
    for condition in deployment.get("status", {}).get("conditions") or []:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            where = f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
            return Hindrance(
                f"pods of {where} cannot be created: {_line(condition.get('message'))}",
                "is the mesh's injector (an admission webhook) running, and does policy allow such pods?",
                _SOON,
            )
    return None


def of_node(pod: Object, nodes: list[Object]) -> Hindrance | None:
    """Why the node that should run this pod does not."""
    name = pod["spec"].get("nodeName")
    for node in nodes:
        if node["metadata"]["name"] == name and (why := unready(node)):
            return Hindrance(f"node {why}, and {title(pod)} waits on it", "kubectl describe node tells why", _SOON)
    return None


def state(pod: Object) -> str:
    """A pod that is not ready, in one line: its phase and the state of every container that is not."""
    parts = [f"{one['name']} {_state(one)}" for one in _containers(pod) if not one.get("ready")]
    phase = pod.get("status", {}).get("phase", "unknown")
    return f"{title(pod)} is {phase}" + (f": {', '.join(parts)}" if parts else "")


def silent(pod: Object) -> str:
    """The container to ask for its last words: the first that runs and is not ready, else the application's."""
    waiting = [one["name"] for one in _containers(pod) if not one.get("ready") and "running" in one.get("state", {})]
    return str(waiting[0]) if waiting else _OURS


def is_ready(pod: Object) -> bool:
    """Whether the pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def title(pod: Object) -> str:
    """`pod NAMESPACE/NAME`."""
    return f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _of_container(pod: Object, status: Object) -> Hindrance | None:
    waiting = status.get("state", {}).get("waiting") or {}
    reason, name = waiting.get("reason", ""), status["name"]
    if reason in _NO_IMAGE:
        advice = "the mesh's injector asks for it: is its version right?"
        if name == _OURS:
            advice = "make it known to the nodes, or name another with --smi-image: see docs/clusters.md"
        what = f"{title(pod)}: image {_image(pod, status)} of container {name} cannot be had: {reason}"
        return Hindrance(f"{what}: {_line(waiting.get('message'))}", advice, 0.0)
    if reason == "CrashLoopBackOff" and status.get("restartCount", 0) >= _CRASHES:
        ended = (status.get("lastState") or {}).get("terminated") or {}
        how = f"status {ended.get('exitCode', '?')}" + (f", {ended['reason']}" if ended.get("reason") else "")
        what = f"{title(pod)}: container {name} has ended {status['restartCount']} times, last with {how}"
        return Hindrance(what, f"kubectl logs -p -n {pod['metadata']['namespace']} tells more", 0.0, name)
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        what = f"{title(pod)}: container {name} cannot be started: {reason}: {_line(waiting.get('message'))}"
        return Hindrance(what, "does the profile's onboarding ask for something that is not there?", _SOON)
    return None


def _state(status: Object) -> str:
    for kind, details in (status.get("state") or {}).items():
        told = ": ".join(str(details[key]) for key in ("reason", "message") if details.get(key))
        return f"{kind}" + (f" ({_line(told)})" if told else "")
    return "unknown"


def _image(pod: Object, status: Object) -> str:
    """As asked for: the status may have it in another form, or not at all."""
    containers = [*pod["spec"].get("containers", []), *(pod["spec"].get("initContainers") or [])]
    return str(next((one["image"] for one in containers if one["name"] == status["name"]), status.get("image")))


def _containers(pod: Object) -> Iterator[Object]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _line(text: object) -> str:
    return " ".join(str(text or "no reason given").split())[:400]
