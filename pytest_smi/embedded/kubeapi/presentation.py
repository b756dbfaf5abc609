"""The form in which objects leave the server: as they are, as metadata only, or as rows of a Table."""

from collections.abc import Sequence
from typing import Any

from pytest_smi.embedded.kubeapi import status, table
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.kinds import Resource

Object = dict[str, Any]


def _metadata_only(obj: Object, version: str) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}


def present(obj: Object, call: Call, *, headers: bool = True) -> Object:
    """One object in the form that the client accepts. `headers` False leaves the column definitions out (watches)."""
    form = call.accepted.form
    if form == "Table":
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        include, version = call.request.param("includeObject"), call.accepted.version
        return table.render([obj], call.resource, metadata, include, version, headers=headers)
    if form == "PartialObjectMetadata":
        return _metadata_only(obj, call.accepted.version)
    if form == "PartialObjectMetadataList":
        why = f"you requested {form}, but the requested object is not a list ({_go_type(call.resource)})"
        raise status.status(406, "NotAcceptable", why)
    return obj


def _go_type(resource: Resource, suffix: str = "") -> str:
    """What the real server calls its type."""
    if not resource.builtin:
        return f"*unstructured.Unstructured{suffix}"
    return f"*{resource.group.split('.')[0] or 'core'}.{resource.kind}{suffix}"


def present_list(objects: Sequence[Object], metadata: Object, call: Call) -> Object:
    """A list in the form that the client accepts."""
    form = call.accepted.form
    if form == "Table":
        include, version = call.request.param("includeObject"), call.accepted.version
        return table.render(objects, call.resource, metadata, include, version)
    if form == "PartialObjectMetadataList":
        items = [_metadata_only(obj, call.accepted.version) for obj in objects]
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{call.accepted.version}",
            "metadata": metadata,
            "items": items,
        }
    resource = call.resource
    if form:
        why = f"you requested {form}, but the requested object is a list ({_go_type(resource, 'List')})"
        raise status.status(406, "NotAcceptable", why)
    items = list(objects)
    if resource.builtin:  # as the real server: items of a typed list carry neither kind nor version
        items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in items]
    return {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata, "items": items}
