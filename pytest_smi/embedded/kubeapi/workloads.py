"""Pods, and the Deployments and ReplicaSets that make them: dependent defaults, required parts, what may not change."""

from typing import Any

from pytest_smi.embedded.kubeapi import naming, selectors
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.services import port_range
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, unsupported_value

Object = dict[str, Any]

_REQUIRED = "FieldValueRequired"


def _required(path: str, detail: str = "") -> Cause:
    return Cause(_REQUIRED, f"Required value: {detail}" if detail else "Required value", path)


def fill_in_pod_spec(spec: Object) -> None:
    """Defaults of a pod spec that depend on other fields."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        image = container.get("image") or ""
        floating = ":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if floating and "@" not in image else "IfNotPresent")


def fill_in_pod(obj: Object) -> None:
    """Defaults of a Pod, with the account that admission gives it."""
    spec = obj["spec"]
    fill_in_pod_spec(spec)
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def fill_in_workload(obj: Object) -> None:
    """Defaults of a Deployment or ReplicaSet."""
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    if isinstance(template.get("spec"), dict):
        fill_in_pod_spec(template["spec"])
    template.setdefault("metadata", {})
    strategy = spec.get("strategy")
    if obj.get("kind") == "Deployment" and strategy and strategy.get("type") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def pod_spec_causes(spec: Object, path: str = "spec") -> list[Cause]:
    """What is wrong with a pod spec beyond its shape."""
    containers = spec.get("containers")
    found = [] if containers or containers is None else [_required(f"{path}.containers")]
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for field in ("containers", "initContainers"):
        names: set[str] = set()
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            found += _container_causes(container, volumes, where)
            name = container.get("name", "")
            if name in names:
                found.append(Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{where}.name"))
            names.add(name)
    return found


def _container_causes(container: Object, volumes: set[Any], path: str) -> list[Cause]:
    name = container.get("name", "")
    found = [invalid_value(f"{path}.name", name, text) for text in naming.dns_label(name)] if name else []
    if not container.get("image"):
        found.append(_required(f"{path}.image"))
    for index, port in enumerate(container.get("ports") or ()):
        if "containerPort" in port:
            found += port_range(port["containerPort"], f"{path}.ports[{index}].containerPort")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            text = f'Not found: "{mount.get("name", "")}"'
            found.append(Cause("FieldValueNotFound", text, f"{path}.volumeMounts[{index}].name"))
    return found


def pod_causes(obj: Object) -> list[Cause]:
    """What is wrong with a Pod."""
    return pod_spec_causes(obj.get("spec") or {})


def workload_causes(obj: Object) -> list[Cause]:
    """What is wrong with a Deployment or ReplicaSet."""
    spec = obj.get("spec")
    if not spec:
        return [_required("spec.selector"), invalid_value("spec.template.metadata.labels", None, _MISMATCH)]
    found = []
    if (spec.get("replicas") or 0) < 0:
        found.append(invalid_value("spec.replicas", spec["replicas"], "must be greater than or equal to 0"))
    selector = spec.get("selector") or {}
    if "selector" in spec and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        text = f"empty selector is invalid for {obj['kind'].lower()}"
        found.append(invalid_value("spec.selector", selector, text))
    template = spec.get("template") or {}
    labels = template.get("metadata", {}).get("labels") or {}
    found += naming.label_causes(labels, "spec.template.metadata.labels")
    if selector and not _selects(selector, template):
        found.append(invalid_value("spec.template.metadata.labels", labels, _MISMATCH))
    pod = template.get("spec") or {}
    if (policy := pod.get("restartPolicy", "Always")) != "Always":
        found.append(unsupported_value("spec.template.spec.restartPolicy", policy, ["Always"]))
    return found + pod_spec_causes(pod, "spec.template.spec")


_MISMATCH = "`selector` does not match template `labels`"


def _selects(selector: Object, template: Object) -> bool:
    try:
        return selectors.labels_match(selectors.requirements(selector), template)
    except selectors.SelectorError:
        return False


def pod_update_causes(new: Object, old: Object) -> list[Cause]:
    """Of a pod's spec only images and a few limits may change; a node may be given once."""

    def frozen(obj: Object) -> Object:
        spec: Object = clone(obj.get("spec") or {})
        for field in ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations"):
            spec.pop(field, None)
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            container.pop("image", None)
        if not (old.get("spec") or {}).get("nodeName"):
            spec.pop("nodeName", None)
        return spec

    if frozen(new) == frozen(old):
        return []
    text = (
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    return [Cause("FieldValueForbidden", text, "spec")]


def workload_update_causes(new: Object, old: Object) -> list[Cause]:
    """The selector of a workload never changes."""
    before, after = (old.get("spec") or {}).get("selector"), (new.get("spec") or {}).get("selector")
    return [] if before == after else [invalid_value("spec.selector", after, "field is immutable")]
