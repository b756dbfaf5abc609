"""What server-side apply has against an intent before it merges anything: it must fit the schema, field by field."""

from __future__ import annotations

import json
from typing import Any

from pytest_smi.embedded.kubeapi.fieldsets import field_schema
from pytest_smi.embedded.kubeapi.schema import EMBEDDED, INT_OR_STRING, PRESERVE, Schema
from pytest_smi.embedded.kubeapi.types import ALWAYS

_SCALARS = {
    "string": ((str,), "string"),
    "boolean": ((bool,), "boolean"),
    "integer": ((int,), "numeric (int or float)"),
    "number": ((int, float), "numeric (int or float)"),
}


def problems(intent: Any, schema: Schema, path: str = "") -> list[str]:
    """Everything that does not fit, in the words of structured-merge-diff; empty when the intent can be merged."""
    if intent is None or _is_untyped(schema):
        return []
    if schema.get("type") == "object" or "properties" in schema:
        return _of_object(intent, schema, path)
    if schema.get("type") == "array":
        return _of_list(intent, schema, path)
    return _of_scalar(intent, schema, path)


def _is_untyped(schema: Schema) -> bool:
    """Whether anything goes below, or a value that is checked later."""
    bare = schema.get(PRESERVE) and "properties" not in schema
    return bool(bare or schema.get(INT_OR_STRING) or ("type" not in schema and "properties" not in schema))


def _of_object(value: Any, schema: Schema, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected map, got {_shown(value)}"]
    found: list[str] = []
    properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    open_ended = bool(schema.get(PRESERVE) or extra or schema.get(EMBEDDED))
    for name, item in value.items():
        if name in properties or open_ended:
            found += problems(item, field_schema(schema, name), f"{path}.{name}")
        else:
            found.append(f"{path}.{name}: field not declared in schema")
    return found


def _of_list(value: Any, schema: Schema, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: expected list, got {_shown(value)}"]
    items, kind = schema.get("items") or {}, schema.get("x-kubernetes-list-type", "atomic")
    found: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        place, label = f"[{index}]", ""
        if kind == "map":
            if missing := _missing_key(item, schema):
                found.append(
                    f"{path}: element {index}: associative list with keys has an element that omits key field "
                    f"{json.dumps(missing)} (and doesn't have default value)"
                )
                continue
            place = label = _keys_of(item, schema)
        elif kind == "set":
            label = f"[={json.dumps(item)}]"
        if label and label in seen:
            found.append(f"{path}: duplicate entries for key {label}")
        seen.add(label)
        found += problems(item, items, f"{path}{place}")
    return found


def _key_value(item: Any, key: str, schema: Schema) -> Any:
    known = ((schema.get("items") or {}).get("properties") or {}).get(key, {})
    default = known.get("default", "" if known.get(ALWAYS) and known.get("type") == "string" else None)
    return item.get(key, default) if isinstance(item, dict) else None


def _missing_key(item: Any, schema: Schema) -> str:
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    return next((key for key in keys if _key_value(item, key, schema) is None), "")


def _keys_of(item: Any, schema: Schema) -> str:
    keys = sorted(schema.get("x-kubernetes-list-map-keys") or ())
    return f"[{','.join(f'{key}={json.dumps(_key_value(item, key, schema))}' for key in keys)}]"


def _of_scalar(value: Any, schema: Schema, path: str) -> list[str]:
    allowed, wanted = _SCALARS[schema["type"]]
    if isinstance(value, allowed) and (not isinstance(value, bool) or bool in allowed):
        return []
    if wanted.startswith("numeric"):
        return [f"{path}: expected {wanted}, got {_kind(value)}"]
    return [f"{path}: expected {wanted}, got {_shown(value)}"]


def _kind(value: Any) -> str:
    return {str: "string", bool: "boolean", dict: "map", list: "list"}.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
    return f"&value.valueUnstructured{{Value:{json.dumps(text) if isinstance(text, str) else text}}}"
