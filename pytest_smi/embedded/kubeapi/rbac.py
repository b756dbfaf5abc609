"""Role-based access control: who may do what, from Roles, ClusterRoles and their bindings.

The rule matching is pure; `Authorizer` reads the stored objects and the built-in roles of rbac_defaults.py. Not done:
the check that nobody grants more than they hold (escalation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import rbac_defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_smi.embedded.kubeapi.http import User
    from pytest_smi.embedded.kubeapi.reader import Reader
    from pytest_smi.embedded.kubeapi.routing import Attributes

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"

Rule = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Grant:
    """Rules that a user holds: in one namespace, or everywhere when `namespace` is None."""

    namespace: str | None
    rules: tuple[Rule, ...]


def rule_allows(rule: Rule, action: Attributes) -> bool:
    """Whether one policy rule covers an action."""
    if not _listed(rule.get("verbs"), action.verb):
        return False
    if not action.is_resource:
        return any(_url_matches(pattern, action.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _listed(rule.get("apiGroups"), action.group)
        and _resource_matches(rule.get("resources") or (), action.resource, action.subresource)
        and (not names or action.name in names)
    )


def subject_is(subject: Mapping[str, Any], user: User, namespace: str | None) -> bool:
    """Whether a binding's subject means this user; `namespace` is that of the RoleBinding."""
    name = subject.get("name", "")
    match subject.get("kind"):
        case "User":
            return bool(name == user.name)
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return bool(home) and user.name == f"system:serviceaccount:{home}:{name}"
    return False


def effective_rules(role: Mapping[str, Any], cluster_roles: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """A role's own rules and, for an aggregated ClusterRole, those of every ClusterRole its selectors choose."""
    rules: list[Rule] = list(role.get("rules") or ())
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    for other in cluster_roles if selectors else ():
        labels = other["metadata"].get("labels") or {}
        if other is not role and any(_selects(selector, labels) for selector in selectors):
            rules += other.get("rules") or ()
    return tuple(rules)


class Authorizer:
    """Decides on actions. Members of system:masters may do everything."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._state: tuple[int, ...] = ()
        self._grants: dict[tuple[str, tuple[str, ...]], tuple[list[Grant], list[str]]] = {}

    def authorize(self, action: Attributes) -> tuple[bool, str]:
        """(allowed, reason). The reason of a refusal names the roles that bindings refer to in vain."""
        if MASTERS in action.user.groups:
            return True, ""
        grants, missing = self._held_by(action.user)
        for grant in grants:
            if grant.namespace is not None and (not action.is_resource or grant.namespace != action.namespace):
                continue
            if any(rule_allows(rule, action) for rule in grant.rules):
                return True, "RBAC: allowed"
        return False, f"RBAC: [{', '.join(missing)}]" if missing else ""

    def rules_of(self, user: User, namespace: str) -> list[Rule]:
        """Every rule a user holds in a namespace, cluster-wide ones included."""
        grants, _ = self._held_by(user)
        return [rule for grant in grants if grant.namespace in (None, namespace) for rule in grant.rules]

    def _held_by(self, user: User) -> tuple[list[Grant], list[str]]:
        resources = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
        state = tuple(self._reader.last_change(GROUP, resource) for resource in resources)
        if state != self._state:
            self._state = state
            self._grants.clear()
        key = (user.name, user.groups)
        if key not in self._grants:
            self._grants[key] = self._collect(user)
        return self._grants[key]

    def _collect(self, user: User) -> tuple[list[Grant], list[str]]:
        cluster_roles = _with_defaults(self._reader.objects(GROUP, "clusterroles"), rbac_defaults.cluster_roles())
        bindings = _with_defaults(
            self._reader.objects(GROUP, "clusterrolebindings"), rbac_defaults.cluster_role_bindings()
        )
        grants: list[Grant] = []
        missing: list[str] = []
        for binding in (*bindings.values(), *self._reader.objects(GROUP, "rolebindings")):
            namespace = binding["metadata"].get("namespace")
            if not any(subject_is(subject, user, namespace) for subject in binding.get("subjects") or ()):
                continue
            role = self._role(binding["roleRef"], namespace, cluster_roles)
            if role is None:
                reference = binding["roleRef"]
                missing.append(f'{reference["kind"].lower()}.{GROUP} "{reference["name"]}" not found')
            else:
                grants.append(Grant(namespace, effective_rules(role, cluster_roles.values())))
        return grants, missing

    def _role(
        self, reference: Mapping[str, str], namespace: str | None, cluster_roles: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        if reference["kind"] == "ClusterRole":
            return cluster_roles.get(reference["name"])
        return self._reader.object(GROUP, "roles", namespace or "", reference["name"])


def _with_defaults(stored: Sequence[dict[str, Any]], defaults: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By name; what is stored wins over the built-in object of the same name."""
    return {item["metadata"]["name"]: item for item in (*defaults, *stored)}


def _listed(values: Sequence[str] | None, value: str) -> bool:
    return bool(values) and ("*" in values or value in values)  # type: ignore[operator]


def _resource_matches(patterns: Sequence[str], resource: str, subresource: str) -> bool:
    if "*" in patterns:
        return True
    combined = f"{resource}/{subresource}" if subresource else resource
    return combined in patterns or (bool(subresource) and f"*/{subresource}" in patterns)


def _url_matches(pattern: str, path: str) -> bool:
    if pattern == "*":
        return True
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector as role aggregation uses it: matchLabels and matchExpressions, all of which must hold."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _expression_holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
