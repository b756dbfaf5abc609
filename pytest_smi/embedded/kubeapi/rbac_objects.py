"""Roles and bindings: defaults, and what is wrong with them."""

from typing import Any

from pytest_smi.embedded.kubeapi import naming, workloads
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, unsupported_value

Object = dict[str, Any]

GROUP = "rbac.authorization.k8s.io"


def _required(path: str, text: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {text}" if text else "Required value", path)


def role_causes(obj: Object) -> list[Cause]:
    """What is wrong with a Role or ClusterRole."""
    namespaced = obj["kind"] == "Role"
    rules = enumerate(obj.get("rules") or ())
    found = [cause for index, rule in rules for cause in _rule_causes(rule, f"rules[{index}]", namespaced=namespaced)]
    if obj.get("aggregationRule") is None:
        return found
    selectors, path = obj["aggregationRule"].get("clusterRoleSelectors") or [], "aggregationRule.clusterRoleSelectors"
    if not selectors:
        found.append(_required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
    for index, selector in enumerate(selectors):
        found += workloads.selector_causes(selector, f"{path}[{index}]")
    return found


def _rule_causes(rule: Object, path: str, *, namespaced: bool) -> list[Cause]:
    found = [] if rule.get("verbs") else [_required(f"{path}.verbs", "verbs must contain at least one value")]
    if urls := rule.get("nonResourceURLs"):
        where = f"{path}.nonResourceURLs"
        if namespaced:
            found.append(invalid_value(where, urls, "namespaced rules cannot apply to non-resource URLs"))
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(invalid_value(where, urls, text))
        return found
    if not rule.get("apiGroups"):
        found.append(_required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        found.append(_required(f"{path}.resources", "resource rules must supply at least one resource"))
    return found


def fill_in_binding(obj: Object) -> None:
    """Users, groups and roles are of the group of RBAC."""
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP


def binding_causes(obj: Object) -> list[Cause]:
    """What is wrong with a RoleBinding or ClusterRoleBinding."""
    role, found = obj["roleRef"], []
    if role.get("apiGroup") != GROUP:
        found.append(unsupported_value("roleRef.apiGroup", role.get("apiGroup", ""), [GROUP]))
    kinds = ["Role", "ClusterRole"] if obj["kind"] == "RoleBinding" else ["ClusterRole"]
    if role.get("kind") not in kinds:
        found.append(unsupported_value("roleRef.kind", role.get("kind", ""), kinds))
    if name := role.get("name"):
        found += [invalid_value("roleRef.name", name, text) for text in naming.path_segment(name)]
    else:
        found.append(_required("roleRef.name"))
    for index, subject in enumerate(obj.get("subjects") or ()):
        found += _subject_causes(subject, f"subjects[{index}]", namespaced=obj["kind"] == "RoleBinding")
    return found


def _subject_causes(subject: Object, path: str, *, namespaced: bool) -> list[Cause]:
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup", "")
    found = [] if name else [_required(f"{path}.name")]
    if kind == "ServiceAccount":
        found += [invalid_value(f"{path}.name", name, text) for text in (naming.dns_subdomain(name) if name else [])]
        if group:
            found.append(unsupported_value(f"{path}.apiGroup", group, [""]))
        if not namespaced and not subject.get("namespace"):
            found.append(_required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if group != GROUP:
            found.append(unsupported_value(f"{path}.apiGroup", group, [GROUP]))
    else:
        found.append(unsupported_value(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"]))
    return found


def binding_update_causes(new: Object, old: Object) -> list[Cause]:
    """The role of a binding stays."""
    if new["roleRef"] == old["roleRef"]:
        return []
    role = new["roleRef"]
    value = {"APIGroup": role.get("apiGroup", ""), "Kind": role.get("kind", ""), "Name": role.get("name", "")}
    return [invalid_value("roleRef", value, "cannot change roleRef")]
