"""The Table form: rows of columns, which `kubectl get` prints."""

from collections.abc import Sequence
from typing import Any

from pytest_smi import jsonpath
from pytest_smi.embedded.kubeapi import columns, pod_cells, status
from pytest_smi.embedded.kubeapi.ages import age
from pytest_smi.embedded.kubeapi.kinds import Column, Resource
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_INCLUDED = ("", "None", "Metadata", "Object")


def _cell(column: Column, obj: Object, resource: Resource) -> Any:
    if column.path.startswith("@"):
        return columns.computed(column.path[1:], obj)
    try:
        found = jsonpath.evaluate(column.path, obj)
    except jsonpath.JsonPathError:
        return None
    if not found or found[0] is None:
        return "<unknown>" if column.type == "date" else None
    if column.type == "date":
        return found[0] if column.name == "Created At" and resource.builtin else age(found[0])
    if column.type in ("integer", "number", "boolean"):
        return found[0] if isinstance(found[0], (int, float)) else None
    return columns.text(found[0])


def _definition(column: Column, resource: Resource) -> Object:
    aged = column.type == "date" and resource.builtin and column.name == "Age"
    return {
        "name": column.name,
        "type": "string" if aged else column.type,
        "format": column.format,
        "description": column.description or column.name,
        "priority": column.priority,
    }


def _carried(obj: Object, include: str, version: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}


def render(
    objects: Sequence[Object], resource: Resource, metadata: Object, include: str, version: str, *, headers: bool = True
) -> Object:
    """A Table of the objects. `include` is None, Metadata (or empty) or Object: what each row carries along.

    Raises ApiError (400) for any other.
    """
    if include not in _INCLUDED:
        cause = invalid_value("includeObject", include, "must be 'Metadata', 'Object', 'None', or empty")
        raise status.bad_request(f"Unable to convert to Table as requested: {cause.sentence()}")
    rows = []
    for obj in objects:
        row: Object = {"cells": [_cell(column, obj, resource) for column in resource.columns]}
        if resource.kind == "Pod" and resource.builtin and (conditions := pod_cells.conditions(obj)):
            row["conditions"] = conditions
        rows.append(row | {"object": _carried(obj, include, version)})
    definitions = [_definition(column, resource) for column in resource.columns] if headers else None
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }
