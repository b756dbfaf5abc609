"""Discovery documents: which groups, versions and resources there are."""

import re
from collections.abc import Iterable
from typing import Any

from pytest_smi.embedded.kubeapi.kinds import Resource

Object = dict[str, Any]

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES = {"alpha": 0, "beta": 1, None: 2}


def version_order(version: str) -> tuple[int, int, int, str]:
    """A sort key: general availability before beta before alpha, newer before older, the rest by name."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (1, 0, 0, version)
    return (0, -(_STAGES[match[2]] * 1000 + int(match[1])), -int(match[3] or 0), "")


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
    return {group: sorted(versions, key=version_order) for group, versions in found.items()}


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
    "log": ("Pod", "", "", ["get"]),
    "exec": ("PodExecOptions", "", "", ["create", "get"]),
    "attach": ("PodAttachOptions", "", "", ["create", "get"]),
    "portforward": ("PodPortForwardOptions", "", "", ["create", "get"]),
    "token": ("TokenRequest", "authentication.k8s.io", "v1", ["create"]),
    "finalize": ("Namespace", "", "", ["update"]),
}


def _entry(resource: Resource) -> Object:
    verbs = list(resource.verbs)
    if resource.kind == "Namespace" and not resource.group:
        verbs.remove("deletecollection")
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs,
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subresource_entry(resource: Resource, name: str) -> Object:
    kind, group_name, version, verbs = _SUBRESOURCE_KINDS.get(name, (resource.kind, "", "", ["get", "patch", "update"]))
    entry: Object = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": verbs,
    }
    if group_name:
        entry |= {"group": group_name, "version": version}
    return entry


def resource_list(group_version: str, resources: Iterable[Resource]) -> Object:
    """`/api/v1` or `/apis/GROUP/VERSION`."""
    entries = []
    for resource in resources:
        entries.append(_entry(resource))
        entries += [_subresource_entry(resource, name) for name in resource.subresources]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}
