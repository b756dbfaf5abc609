"""The roles every cluster has: a small selection of what a real API server bootstraps, enough for tests of a mesh.

`objects` gives them as manifests to be created at start, so that they can be listed; the authorizer knows them anyway.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_CORE_READ = [
    "bindings",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "namespaces/status",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "pods/log",
    "pods/status",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
    "serviceaccounts",
    "services",
    "services/status",
]
_CORE_WRITE = [
    "configmaps",
    "events",
    "endpoints",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "secrets",
    "serviceaccounts",
    "services",
]
_APPS = [
    "controllerrevisions",
    "daemonsets",
    "deployments",
    "deployments/scale",
    "replicasets",
    "replicasets/scale",
    "statefulsets",
    "statefulsets/scale",
]
_API = "rbac.authorization.k8s.io/v1"
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_DISCOVERY_URLS = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"]
_INFO_URLS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]


@cache
def cluster_roles() -> list[dict[str, Any]]:
    """cluster-admin, admin, edit, view, and what every authenticated user needs. Read-only."""
    view = [
        _rule([""], _CORE_READ, _READ),
        _rule(["apps"], _APPS, _READ),
        _rule(["discovery.k8s.io"], ["endpointslices"], _READ),
        _rule(["batch"], ["cronjobs", "jobs"], _READ),
        _rule(["networking.k8s.io"], ["ingresses", "networkpolicies"], _READ),
    ]
    edit = [
        _rule([""], ["secrets"], _READ),
        _rule([""], _CORE_WRITE, _WRITE),
        _rule(
            [""], ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"], [*_READ, "create"]
        ),
        _rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
        _rule([""], ["serviceaccounts"], ["impersonate"]),
        _rule(["apps"], _APPS, _WRITE),
        _rule(["batch"], ["cronjobs", "jobs"], _WRITE),
        _rule(["networking.k8s.io"], ["ingresses", "networkpolicies"], _WRITE),
    ]
    admin = [
        _rule(["rbac.authorization.k8s.io"], ["roles", "rolebindings"], [*_READ, *_WRITE]),
        _rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
    ]
    everything = [_rule(["*"], ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
    reviews = [
        _rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
        _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ]
    delegation = [
        _rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
        _rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ]
    return [
        _role("cluster-admin", everything),
        _role("admin", [*admin, *edit, *view], aggregates="admin"),
        _role("edit", [*edit, *view], aggregates="edit", part_of="admin"),
        _role("view", view, aggregates="view", part_of="edit"),
        _role("system:aggregate-to-admin", admin, part_of="admin"),
        _role("system:aggregate-to-edit", edit, part_of="edit"),
        _role("system:aggregate-to-view", view, part_of="view"),
        _role("system:basic-user", reviews),
        _role("system:discovery", [{"nonResourceURLs": [*_DISCOVERY_URLS, *_INFO_URLS], "verbs": ["get"]}]),
        _role("system:public-info-viewer", [{"nonResourceURLs": _INFO_URLS, "verbs": ["get"]}]),
        _role("system:auth-delegator", delegation),
    ]


@cache
def cluster_role_bindings() -> list[dict[str, Any]]:
    """Who holds the built-in roles from the start. Read-only."""
    return [
        _binding("cluster-admin", "system:masters"),
        _binding("system:basic-user", "system:authenticated"),
        _binding("system:discovery", "system:authenticated"),
        _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
    ]


@cache
def roles() -> list[dict[str, Any]]:
    """The one namespaced role that servers behind an APIService need (aggregation.py keeps the ConfigMap)."""
    role = _role("extension-apiserver-authentication-reader", [])
    rule = _rule([""], ["configmaps"], _READ) | {"resourceNames": ["extension-apiserver-authentication"]}
    metadata = role["metadata"] | {"namespace": "kube-system"}
    return [role | {"kind": "Role", "metadata": metadata, "rules": [rule]}]


def objects() -> list[tuple[str, dict[str, Any]]]:
    """Every default object with the collection path it is created in."""
    base = f"/apis/{_API}"
    return [
        *((f"{base}/clusterroles", role) for role in cluster_roles()),
        *((f"{base}/clusterrolebindings", binding) for binding in cluster_role_bindings()),
        *((f"{base}/namespaces/kube-system/roles", role) for role in roles()),
    ]


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _role(name: str, rules: list[dict[str, Any]], aggregates: str = "", part_of: str = "") -> dict[str, Any]:
    """A ClusterRole; `part_of` is the role that gains its rules, `aggregates` tells that it gains those of others."""
    role: dict[str, Any] = {"apiVersion": _API, "kind": "ClusterRole", "metadata": _metadata(name), "rules": rules}
    if aggregates:
        selector = {"matchLabels": {_AGGREGATE + aggregates: "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    if part_of:
        role["metadata"]["labels"][_AGGREGATE + part_of] = "true"
    return role


def _binding(role: str, *groups: str) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(role),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group} for group in groups],
    }


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
