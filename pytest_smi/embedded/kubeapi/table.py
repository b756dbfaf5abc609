"""The Table form: rows of columns, which `kubectl get` prints."""

from collections.abc import Sequence
from typing import Any

from pytest_smi import jsonpath
from pytest_smi.embedded.kubeapi import columns
from pytest_smi.embedded.kubeapi.ages import age
from pytest_smi.embedded.kubeapi.kinds import Column, Resource

Object = dict[str, Any]


def _cell(column: Column, obj: Object) -> Any:
    if column.path.startswith("@"):
        return columns.computed(column.path[1:], obj)
    try:
        found = jsonpath.evaluate(column.path, obj)
    except jsonpath.JsonPathError:
        return None
    if not found or found[0] is None:
        return "<unknown>" if column.type == "date" else None
    if column.type == "date":
        return age(found[0])
    if column.type in ("integer", "number", "boolean"):
        return found[0] if isinstance(found[0], (int, float)) else None
    values = found if len(found) > 1 or isinstance(found[0], (dict, list)) else found[:1]
    return columns.text(values[0]) if len(values) == 1 else ",".join(columns.text(value) for value in values)


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": "string" if column.type == "date" else column.type,
        "format": column.format,
        "description": column.description or column.name,
        "priority": column.priority,
    }


def _carried(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def render(
    objects: Sequence[Object], resource: Resource, metadata: Object, include: str = "", *, headers: bool = True
) -> Object:
    """A Table of the objects. `include` is None, Metadata (the default) or Object: what each row carries along."""
    rows = []
    for obj in objects:
        row: Object = {"cells": [_cell(column, obj) for column in resource.columns]}
        if (carried := _carried(obj, include)) is not None:
            row["object"] = carried
        rows.append(row)
    definitions = [_definition(column) for column in resource.columns] if headers else []
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }
