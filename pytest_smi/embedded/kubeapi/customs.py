"""Custom resources with a scale: the fields that it reads must be what it takes them for."""

from typing import Any

from pytest_smi.embedded.kubeapi.go_texts import printed
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_GO_NAMES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
_GO_NAMES |= {dict: "map[string]interface {}"}
_MOST = (1 << 31) - 1


def scale_causes(obj: Object, resource: Resource) -> list[Cause]:
    """What is wrong with the fields of the scale subresource."""
    paths = resource.scale or {}
    found = [cause for part in ("spec", "status") if part in paths for cause in _count_causes(obj, paths[part])]
    if path := paths.get("selector"):
        _, problem = _nested(obj, path, str)
        if problem:
            found.append(invalid_value(path, "", problem))
    return found


def _count_causes(obj: Object, path: str) -> list[Cause]:
    value, problem = _nested(obj, path, int)
    if problem:
        return [invalid_value(path, 0, problem)]
    if (value or 0) < 0:
        return [invalid_value(path, value, "should be a non-negative integer")]
    if (value or 0) > _MOST:
        return [invalid_value(path, value, f"should be less than or equal to {_MOST}")]
    return []


def _nested(obj: Object, path: str, wanted: type) -> tuple[Any, str]:
    """The value at a path and what keeps it from being of the wanted type; None when there is none."""
    value: Any = obj
    for part in path.strip(".").split("."):
        if not isinstance(value, dict):
            return None, _mismatch(path, value, "map[string]interface{}")
        if part not in value:
            return None, ""
        value = value[part]
    if type(value) is wanted:
        return value, ""
    return None, _mismatch(path, value, _GO_NAMES[wanted])


def _mismatch(path: str, value: Any, wanted: str) -> str:
    found = _GO_NAMES.get(type(value), "<nil>")
    return f"{path} accessor error: {printed(value)} is of the type {found}, expected {wanted}"
