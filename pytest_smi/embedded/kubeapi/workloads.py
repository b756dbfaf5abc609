"""Deployments and ReplicaSets: dependent defaults, required parts, what may not change."""

import re
from typing import Any

from pytest_smi.embedded.kubeapi import labels, naming, pod_checks, pods
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, shown, unsupported_value

Object = dict[str, Any]

_MISMATCH = "`selector` does not match template `labels`"
_NOT_NEGATIVE = "must be greater than or equal to 0"
_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)


def _required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", path)


def fill_in(obj: Object) -> None:
    """Defaults of a Deployment or ReplicaSet."""
    spec = obj["spec"]
    pods.fill_in_spec(spec["template"]["spec"])
    strategy = spec.get("strategy") or {}
    if obj["kind"] == "Deployment" and strategy.get("type") == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%", **rolling}


def causes(obj: Object) -> list[Cause]:
    """What is wrong with a Deployment or ReplicaSet."""
    spec = obj["spec"]
    counted = ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    found = [invalid_value(f"spec.{name}", spec[name], _NOT_NEGATIVE) for name in counted if spec.get(name, 0) < 0]
    found += _selector_causes(spec.get("selector"))
    found += _template_causes(spec.get("selector"), spec["template"])
    if obj["kind"] == "Deployment":
        found += _strategy_causes(spec.get("strategy") or {})
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
            found.append(
                invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
            )
    return found


def _selector_causes(selector: Object | None) -> list[Cause]:
    if selector is None:
        return [_required("spec.selector")]
    found = selector_causes(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(invalid_value("spec.selector", selector, "empty selector is invalid for deployment"))
    if _is_broken(selector):
        found.append(invalid_value("spec.selector", selector, "invalid label selector"))
    return found


def _is_broken(selector: Object) -> bool:
    """Whether no labels at all can be compared with it."""
    return any(
        item.get("operator") not in _OPERATORS or bool(item.get("values")) is not _OPERATORS[item["operator"]]
        for item in selector.get("matchExpressions") or ()
    )


_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
"""Operators of expressions, and whether they compare with values."""


def selector_causes(selector: Object, path: str) -> list[Cause]:
    """What is wrong with a label selector."""
    found = naming.label_causes(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, item in enumerate(selector.get("matchExpressions") or ()):
        where, operator, values = f"{path}.matchExpressions[{index}]", item.get("operator", ""), item.get("values")
        if operator not in _OPERATORS:
            found.append(invalid_value(f"{where}.operator", operator, "not a valid selector operator"))
        elif _OPERATORS[operator] and not values:
            found.append(_required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif not _OPERATORS[operator] and values:
            text = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(Cause("FieldValueForbidden", text, f"{where}.values"))
        key = item.get("key", "")
        found += [invalid_value(f"{where}.key", key, text) for text in naming.qualified_name(key)]
        for place, value in enumerate(values or ()):
            found += [invalid_value(f"{where}.values[{place}]", value, text) for text in naming.label_value(value)]
    return found


def _template_causes(selector: Object | None, template: Object) -> list[Cause]:
    if selector is not None and _is_broken(selector):
        return []
    metadata, spec = template["metadata"], template["spec"]
    worn = metadata.get("labels")
    found = naming.label_causes(worn or {}, "spec.template.labels")
    found += naming.annotation_causes(metadata.get("annotations") or {}, "spec.template.annotations")
    if selector is None or (any(selector.values()) and not labels.match(labels.requirements(selector), template)):
        found.append(invalid_value("spec.template.metadata.labels", worn, _MISMATCH))
    if (policy := spec.get("restartPolicy", "Always")) != "Always":
        found.append(unsupported_value("spec.template.spec.restartPolicy", policy, ["Always"]))
    if spec.get("activeDeadlineSeconds") is not None:
        text = "Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"
        found.append(Cause("FieldValueForbidden", text, "spec.template.spec.activeDeadlineSeconds"))
    return found + pod_checks.spec_causes(spec, "spec.template.spec")


def _strategy_causes(strategy: Object) -> list[Cause]:
    path, kind, rolling = "spec.strategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        text = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        return [Cause("FieldValueForbidden", text, f"{path}.rollingUpdate")] if rolling is not None else []
    if kind != "RollingUpdate":
        value = {"Type": kind, "RollingUpdate": rolling}
        text = f'Unsupported value: {shown(value)}: supported values: "Recreate", "RollingUpdate"'
        return [Cause("FieldValueNotSupported", text, path)]
    rolling, where = rolling or {}, f"{path}.rollingUpdate"
    found = [
        cause
        for name in ("maxUnavailable", "maxSurge")
        for cause in _share_causes(rolling.get(name), f"{where}.{name}")
    ]
    if not any(_share(rolling.get(name)) for name in ("maxUnavailable", "maxSurge")):
        text = "may not be 0 when `maxSurge` is 0"
        found.append(invalid_value(f"{where}.maxUnavailable", rolling.get("maxUnavailable"), text))
    if isinstance(most := rolling.get("maxUnavailable"), str) and _share(most) > 100:
        found.append(invalid_value(f"{where}.maxUnavailable", most, "must not be greater than 100%"))
    return found


def _share(value: Any) -> int:
    """A number, or the number before a percent sign."""
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else 1
    return int(value or 0)


def _share_causes(value: Any, path: str) -> list[Cause]:
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid_value(path, value, _PERCENT_TEXT)]
    return [invalid_value(path, value, _NOT_NEGATIVE)] if (value or 0) < 0 else []


def update_causes(new: Object, old: Object) -> list[Cause]:
    """The selector of a workload never changes."""
    before, after = (old.get("spec") or {}).get("selector"), new["spec"].get("selector")
    return [] if before == after else [invalid_value("spec.selector", after, "field is immutable")]


_PARTS = ("updatedReplicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def status_causes(obj: Object) -> list[Cause]:
    """What is wrong with the counts of a status."""
    status = obj.get("status") or {}
    counts = ("replicas", *_PARTS, "observedGeneration", "terminatingReplicas")
    found = [
        invalid_value(f"status.{name}", status[name], _NOT_NEGATIVE) for name in counts if (status.get(name) or 0) < 0
    ]
    kinds_own = _PARTS[1:] if obj["kind"] == "ReplicaSet" else (_PARTS[0], *_PARTS[2:])
    found += [
        invalid_value(f"status.{name}", status.get(name, 0), "cannot be greater than status.replicas")
        for name in kinds_own
        if status.get(name, 0) > status.get("replicas", 0)
    ]
    if (count := status.get("availableReplicas", 0)) > status.get("readyReplicas", 0):
        found.append(invalid_value("status.availableReplicas", count, "cannot be greater than readyReplicas"))
    return found
