"""Discovery documents: which groups, versions and resources there are."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from pytest_smi.embedded.kubeapi.kinds import CUSTOM_VERBS, Resource, version_order

Object = dict[str, Any]

_FIRST_GROUPS = (
    *("apiregistration.k8s.io", "apps", "authentication.k8s.io", "authorization.k8s.io"),
    *("rbac.authorization.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io", "discovery.k8s.io"),
)
"""The order of a real server; other groups follow by name."""


def legacy_versions(address: str) -> Object:
    """`/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_versions(resources: Iterable[Resource], extra: Iterable[tuple[str, str]] = ()) -> dict[str, list[str]]:
    """The versions of each named group, the preferred one first."""
    found: dict[str, set[str]] = {}
    for resource in resources:
        if resource.group:
            found.setdefault(resource.group, set()).add(resource.version)
    for group, version in extra:
        found.setdefault(group, set()).add(version)
    return {group: sorted(found[group], key=version_order) for group in sorted(found, key=_group_order)}


def _group_order(group: str) -> tuple[int, str]:
    return (_FIRST_GROUPS.index(group), "") if group in _FIRST_GROUPS else (len(_FIRST_GROUPS), group)


def _group(name: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def group_list(groups: dict[str, list[str]]) -> Object:
    """`/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*item) for item in groups.items()]}


def group(name: str, versions: list[str]) -> Object:
    """`/apis/GROUP`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


_SUBRESOURCE_KINDS = {
    "scale": ("Scale", "autoscaling", "v1", ["get", "patch", "update"]),
    "binding": ("Binding", "", "", ["create"]),
    "eviction": ("Eviction", "policy", "v1", ["create"]),
    "log": ("Pod", "", "", ["get"]),
    "exec": ("PodExecOptions", "", "", ["create", "get"]),
    "attach": ("PodAttachOptions", "", "", ["create", "get"]),
    "portforward": ("PodPortForwardOptions", "", "", ["create", "get"]),
    "token": ("TokenRequest", "authentication.k8s.io", "v1", ["create"]),
    "finalize": ("Namespace", "", "", ["update"]),
}


def entry(resource: Resource) -> Object:
    """A resource as the list of its version has it."""
    verbs = list(resource.verbs if resource.builtin else CUSTOM_VERBS)
    if resource.kind == "Namespace" and not resource.group:
        verbs.remove("deletecollection")
    found: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs,
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.storage_version:
        found["storageVersionHash"] = _storage_hash(resource)
    return found


def _storage_hash(resource: Resource) -> str:
    """Tells clients that compare it when objects are stored in another version than before."""
    stored = f"{resource.group}/{resource.storage_version}/{resource.kind}"
    return b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def subresource_entry(resource: Resource, name: str) -> Object:
    """A subresource as the list of its version has it."""
    kind, group_name, version, verbs = _SUBRESOURCE_KINDS.get(name, (resource.kind, "", "", ["get", "patch", "update"]))
    found: Object = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": verbs,
    }
    if group_name:
        found |= {"group": group_name, "version": version}
    return found


def subresources(resource: Resource) -> list[str]:
    """The subresources in the order in which they are listed."""
    return sorted(resource.subresources) if resource.builtin else list(resource.subresources)


def resource_list(group_version: str, resources: Iterable[Resource]) -> Object:
    """`/api/v1` or `/apis/GROUP/VERSION`."""
    entries = []
    for resource in sorted(resources, key=lambda one: one.plural):
        entries.append(entry(resource))
        entries += [subresource_entry(resource, name) for name in subresources(resource)]
    document: Object = {"kind": "APIResourceList", "groupVersion": group_version, "resources": entries}
    return document if "/" not in group_version else {"apiVersion": "v1", **document}
