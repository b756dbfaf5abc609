"""Pods as the server completes them: defaults that depend on other fields, and what admission adds."""

from typing import Any

Object = dict[str, Any]

_UNREACHABLE_SECONDS = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def containers(spec: Object) -> list[Object]:
    """All containers of a pod spec, those that run first included."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def fill_in_spec(spec: Object) -> None:
    """Defaults of a pod spec, or of that of a template, that depend on other fields."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for volume in spec.get("volumes") or ():
        if not set(volume) - {"name"}:
            volume["emptyDir"] = {}
    for container in containers(spec):
        image = container.get("image") or ""
        floating = ":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if floating and "@" not in image else "IfNotPresent")


def fill_in(obj: Object) -> None:
    """Defaults of a Pod."""
    spec = obj["spec"]
    fill_in_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in containers(spec):
        resources = container.get("resources") or {}
        if limits := resources.get("limits"):
            container["resources"] = {**resources, "requests": {**limits, **(resources.get("requests") or {})}}


def start(obj: Object) -> None:
    """What admission adds to a new Pod, and the status it begins with."""
    spec = obj["spec"]
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    _tolerate(spec)
    obj["status"] = {"phase": "Pending", "qosClass": _qos_class(spec)}


def carry(new: Object, _old: Object) -> None:
    """What admission adds to a changed Pod."""
    _tolerate(new["spec"])


def _tolerate(spec: Object) -> None:
    """A pod stays for a while on a node that does not answer, unless it says otherwise."""
    found = spec.get("tolerations") or []
    for taint in _TAINTS:
        known = [
            one for one in found if one.get("key") in (taint, None, "") and one.get("effect") in ("NoExecute", None, "")
        ]
        if not known:
            one = {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _UNREACHABLE_SECONDS}
            found = [*found, one]
    spec["tolerations"] = found


def _qos_class(spec: Object) -> str:
    """How sure a pod can be of its resources."""
    asked = [container.get("resources") or {} for container in containers(spec)]
    if not any(one.get("limits") or one.get("requests") for one in asked):
        return "BestEffort"
    sure = all(
        {"cpu", "memory"} <= set(one.get("limits") or ()) and one.get("limits") == one.get("requests") for one in asked
    )
    return "Guaranteed" if sure else "Burstable"
