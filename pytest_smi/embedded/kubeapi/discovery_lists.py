"""Aggregated discovery (apidiscovery.k8s.io): every group with its versions and resources in one document."""

from collections.abc import Iterable
from typing import Any

from pytest_smi.embedded.kubeapi import discovery
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.negotiation import JSON

Object = dict[str, Any]

GROUP = "apidiscovery.k8s.io"
KIND = "APIGroupDiscoveryList"
VERSIONS = ("v2", "v2beta1")


def media_type(version: str) -> str:
    """The media type of the document."""
    return f"{JSON};g={GROUP};v={version};as={KIND}"


def document(version: str, groups: dict[str, list[str]], resources: Iterable[Resource]) -> Object:
    """The list of these groups; "" is that of the core."""
    served = list(resources)
    items = [_group(name, versions, [one for one in served if one.group == name]) for name, versions in groups.items()]
    return {"kind": KIND, "apiVersion": f"{GROUP}/{version}", "metadata": {}, "items": items}


def _group(name: str, versions: list[str], resources: list[Resource]) -> Object:
    listed = [_version(version, [one for one in resources if one.version == version]) for version in versions]
    return {"metadata": {"name": name} if name else {}, "versions": listed}


def _version(version: str, resources: list[Resource]) -> Object:
    ordered = sorted(resources, key=lambda one: one.plural)
    return {"version": version, "resources": [_resource(one) for one in ordered], "freshness": "Current"}


def _resource(resource: Resource) -> Object:
    plain = discovery.entry(resource)
    found: Object = {
        "resource": plain["name"],
        "responseKind": _kind(resource, plain),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": plain["singularName"],
        "verbs": plain["verbs"],
    }
    found |= {name: plain[name] for name in ("shortNames", "categories") if name in plain}
    if below := [_subresource(resource, name) for name in discovery.subresources(resource)]:
        found["subresources"] = below
    return found


def _subresource(resource: Resource, name: str) -> Object:
    plain = discovery.subresource_entry(resource, name)
    return {"subresource": name, "responseKind": _kind(resource, plain), "verbs": plain["verbs"]}


def _kind(resource: Resource, plain: Object) -> Object:
    """Group and version are empty where they are those of the list, except for custom resources."""
    own = {"group": resource.group, "version": resource.version} if not resource.builtin else {}
    named = {"group": plain.get("group", own.get("group", "")), "version": plain.get("version", own.get("version", ""))}
    return {**named, "kind": plain["kind"]}
