"""Role-based access control: who may do what, from Roles, ClusterRoles and their bindings.

The rule matching is pure; `Authorizer` reads the stored objects and the built-in roles of rbac_defaults.py. Aggregated
ClusterRoles have their rules from a controller, as in a real cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import rbac_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_smi.embedded.kubeapi.http import User
    from pytest_smi.embedded.kubeapi.reader import Reader
    from pytest_smi.embedded.kubeapi.routing import Attributes

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"

Rule = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Grant:
    """Rules that a user holds: in one namespace, or everywhere when `namespace` is None; `source` is the binding."""

    namespace: str | None
    rules: tuple[Rule, ...]
    source: str = ""
    missing: str = ""
    """The role to which the binding refers in vain."""

    def counts_for(self, action: Attributes) -> bool:
        """Whether the grant has a say in an action."""
        return self.namespace is None or (action.is_resource and self.namespace == action.namespace)


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


class Authorizer:
    """Decides on actions. Members of system:masters may do everything."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._state: tuple[int, ...] = ()
        self._grants: dict[tuple[str, tuple[str, ...]], list[Grant]] = {}

    def authorize(self, action: Attributes) -> tuple[bool, str]:
        """(allowed, reason). The reason of a refusal names the roles that bindings refer to in vain."""
        if MASTERS in action.user.groups:
            return True, ""
        grants = [grant for grant in self._held_by(action.user) if grant.counts_for(action)]
        for grant in grants:
            if any(rule_allows(rule, action) for rule in grant.rules):
                return True, f"RBAC: allowed by {grant.source}"
        missing = [grant.missing for grant in grants if grant.missing]
        if not missing:
            return False, ""
        return False, f"RBAC: {missing[0]}" if len(missing) == 1 else f"RBAC: [{', '.join(missing)}]"

    def rules_of(self, user: User, namespace: str) -> list[Rule]:
        """Every rule a user holds in a namespace, cluster-wide ones included."""
        return [rule for grant in self._held_by(user) if grant.namespace in (None, namespace) for rule in grant.rules]

    def rules_of_role(self, reference: Mapping[str, str], namespace: str | None) -> list[Rule] | None:
        """The rules of the role that a binding refers to; None when there is no such role."""
        role = self._role(reference, namespace, self._cluster_roles())
        return None if role is None else list(role.get("rules") or ())

    def _held_by(self, user: User) -> list[Grant]:
        resources = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
        state = tuple(self._reader.last_change(GROUP, resource) for resource in resources)
        if state != self._state:
            self._state = state
            self._grants.clear()
        key = (user.name, user.groups)
        if key not in self._grants:
            self._grants[key] = self._collect(user)
        return self._grants[key]

    def _cluster_roles(self) -> dict[str, dict[str, Any]]:
        return _with_defaults(self._reader.objects(GROUP, "clusterroles"), rbac_defaults.cluster_roles())

    def _collect(self, user: User) -> list[Grant]:
        cluster_roles = self._cluster_roles()
        bindings = _with_defaults(
            self._reader.objects(GROUP, "clusterrolebindings"), rbac_defaults.cluster_role_bindings()
        )
        grants: list[Grant] = []
        for binding in (*bindings.values(), *self._reader.objects(GROUP, "rolebindings")):
            namespace, reference = binding["metadata"].get("namespace"), binding["roleRef"]
            subjects = [one for one in binding.get("subjects") or () if subject_is(one, user, namespace)]
            if not subjects:
                continue
            role = self._role(reference, namespace, cluster_roles)
            if role is None:
                why = f'{reference["kind"].lower()}.{GROUP} "{reference["name"]}" not found'
                grants.append(Grant(namespace, (), missing=why))
            else:
                source = _described(binding, subjects[0])
                grants.append(Grant(namespace, tuple(role.get("rules") or ()), source))
        return grants

    def _role(
        self, reference: Mapping[str, str], namespace: str | None, cluster_roles: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        if reference["kind"] == "ClusterRole":
            return cluster_roles.get(reference["name"])
        return self._reader.object(GROUP, "roles", namespace or "", reference["name"])


def _described(binding: Mapping[str, Any], subject: Mapping[str, Any]) -> str:
    """`RoleBinding "readers/tea" of Role "reader" to User "otto"`."""
    metadata, role = binding["metadata"], binding["roleRef"]
    namespace, whom = metadata.get("namespace"), subject["name"]
    if subject["kind"] == "ServiceAccount":
        whom = f"{whom}/{subject.get('namespace') or namespace}"
    kind, name = (
        ("RoleBinding", f"{metadata['name']}/{namespace}") if namespace else ("ClusterRoleBinding", metadata["name"])
    )
    return f'{kind} "{name}" of {role["kind"]} "{role["name"]}" to {subject["kind"]} "{whom}"'


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
