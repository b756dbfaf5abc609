"""The form in which objects leave the server: as they are, as metadata only, or as rows of a Table."""

from collections.abc import Sequence
from typing import Any

from pytest_smi.embedded.kubeapi import table
from pytest_smi.embedded.kubeapi.calls import Call

Object = dict[str, Any]


def _metadata_only(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def present(obj: Object, call: Call, *, headers: bool = True) -> Object:
    """One object in the form that the client accepts. `headers` False leaves the column definitions out (watches)."""
    form = call.accepted.form
    if form == "Table":
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return table.render([obj], call.resource, metadata, call.request.param("includeObject"), headers=headers)
    if form == "PartialObjectMetadata":
        return _metadata_only(obj)
    return obj


def present_list(objects: Sequence[Object], metadata: Object, call: Call) -> Object:
    """A list in the form that the client accepts."""
    form = call.accepted.form
    if form == "Table":
        return table.render(objects, call.resource, metadata, call.request.param("includeObject"))
    if form == "PartialObjectMetadataList":
        items = [_metadata_only(obj) for obj in objects]
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": items,
        }
    resource = call.resource
    items = list(objects)
    if resource.builtin:  # as the real server: items of a typed list carry neither kind nor version
        items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in items]
    return {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata, "items": items}
