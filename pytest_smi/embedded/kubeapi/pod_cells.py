"""The cells of a pod's row: how far it is, as `kubectl get pods` says it."""

from typing import Any

from pytest_smi.embedded.kubeapi.ages import age

Object = dict[str, Any]

_UNREACHABLE = "NodeLost"


def _spec(pod: Object) -> Object:
    return pod.get("spec") or {}


def _status(pod: Object) -> Object:
    return pod.get("status") or {}


def _sidecars(pod: Object) -> set[str]:
    """Init containers that go on running."""
    return {
        one.get("name", "") for one in _spec(pod).get("initContainers") or () if one.get("restartPolicy") == "Always"
    }


def _is_true(pod: Object, kind: str) -> bool:
    return any(one["type"] == kind and one["status"] == "True" for one in _status(pod).get("conditions") or ())


def _ended(container: Object) -> str:
    """Why a container has ended."""
    state = container["state"]["terminated"]
    if state.get("reason"):
        return str(state["reason"])
    return f"Signal:{state['signal']}" if state.get("signal") else f"ExitCode:{state.get('exitCode', 0)}"


def _state(container: Object, name: str) -> Object:
    return (container.get("state") or {}).get(name) or {}


def _beginning(pod: Object) -> str:
    """What the init containers are at; empty when they are done."""
    total = len(_spec(pod).get("initContainers") or ())
    for index, one in enumerate(_status(pod).get("initContainerStatuses") or ()):
        ended, waiting = _state(one, "terminated"), _state(one, "waiting").get("reason")
        if "terminated" in (one.get("state") or {}) and not ended.get("exitCode"):
            continue
        if one.get("name") in _sidecars(pod) and one.get("started"):
            continue
        if ended:
            return f"Init:{_ended(one)}"
        return f"Init:{waiting}" if waiting and waiting != "PodInitializing" else f"Init:{index}/{total}"
    return ""


def _running(container: Object) -> bool:
    return bool(container.get("ready")) and "running" in (container.get("state") or {})


def ready(pod: Object) -> str:
    """`1/2`: how many containers are ready, of how many."""
    begun = _status(pod).get("containerStatuses") or []
    sidecars = [one for one in _status(pod).get("initContainerStatuses") or () if one.get("name") in _sidecars(pod)]
    waits = bool(_beginning(pod)) and not _is_true(pod, "Initialized")
    count = sum(bool(one.get("ready")) for one in sidecars) + (0 if waits else sum(map(_running, begun)))
    return f"{count}/{len(_spec(pod).get('containers') or ()) + len(_sidecars(pod))}"


def status(pod: Object) -> str:
    """The phase, or what keeps the pod from it."""
    observed = _status(pod)
    reason = str(observed.get("reason") or observed.get("phase") or "")
    beginning = _beginning(pod)
    if beginning:
        reason = beginning
    if not beginning or _is_true(pod, "Initialized"):
        reason = _of_containers(pod, reason)
    if pod["metadata"].get("deletionTimestamp"):
        if observed.get("reason") == _UNREACHABLE:
            return "Unknown"
        if observed.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return reason


def _of_containers(pod: Object, reason: str) -> str:
    running = False
    for one in reversed(_status(pod).get("containerStatuses") or []):
        if why := _state(one, "waiting").get("reason"):
            reason = why
        elif "terminated" in (one.get("state") or {}):
            reason = _ended(one)
        elif _running(one):
            running = True
    if reason == "Completed" and running:
        return "Running" if _is_true(pod, "Ready") else "NotReady"
    return reason


def restarts(pod: Object) -> str:
    """How often containers were restarted, and when that was last."""
    beginning = _status(pod).get("initContainerStatuses") or []
    counted = beginning
    if not _beginning(pod) or _is_true(pod, "Initialized"):
        sidecars = [one for one in beginning if one.get("name") in _sidecars(pod)]
        counted = [*sidecars, *(_status(pod).get("containerStatuses") or ())]
    total = sum(one.get("restartCount", 0) for one in counted)
    ends = [((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for one in counted]
    last = max(filter(None, ends), default=None)
    return f"{total} ({age(last)} ago)" if total and last else str(total)


def address(pod: Object) -> str:
    """The first address."""
    found = _status(pod).get("podIPs") or []
    return str(found[0].get("ip")) if found else "<none>"


def gates(pod: Object) -> str:
    """`1/2`: how many readiness gates are open, of how many."""
    wanted = _spec(pod).get("readinessGates") or []
    opened = sum(_is_true(pod, one.get("conditionType", "")) for one in wanted)
    return f"{opened}/{len(wanted)}" if wanted else "<none>"


def conditions(pod: Object) -> list[Object]:
    """What a row says of a pod that has come to its end."""
    phase = _status(pod).get("phase")
    messages = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    if phase not in messages:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": messages[phase]}]
