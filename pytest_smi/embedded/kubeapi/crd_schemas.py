"""Which schemas a CRD may carry: structural ones, of the parts of OpenAPI that this server evaluates.

Anything that would silently not be checked (CEL rules, references) is refused here, with the field that holds it.
"""

import re
from typing import Any

from pytest_smi.embedded.kubeapi import schema
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, pattern, unsupported_value

Schema = dict[str, Any]

_TYPES = ["array", "boolean", "integer", "number", "object", "string"]
_KNOWN = {
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "id",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
}
_NOT_IN_JUNCTORS = {"default", "description", "nullable", "title", "type", "additionalProperties"}


def _forbidden(path: str, text: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {text}", path)


def _required(path: str, text: str) -> Cause:
    return Cause("FieldValueRequired", f"Required value: {text}", path)


def check(value: Any, path: str) -> list[Cause]:
    """What keeps a schema from being the structural schema of a CRD version."""
    if not isinstance(value, dict):
        return [_required(path, "schemas are required")]
    found = _check_node(value, path, "root")
    if (kind := value.get("type")) and kind != "object":
        found.append(invalid_value(f"{path}.type", kind, "must be object at the root"))
    if not found:
        found += _check_defaults(value, path)
    return found


_MISSING_TYPE = {
    "root": "must not be empty at the root",
    "field": "must not be empty for specified object fields",
    "items": "must not be empty for specified array items",
}


def _check_node(node: Schema, path: str, place: str) -> list[Cause]:
    found = [_forbidden(f"{path}.{name}", _why_not(name)) for name in node if name not in _KNOWN]
    kind = node.get("type")
    free = node.get(schema.INT_OR_STRING) or node.get(schema.PRESERVE)
    if not kind and (place == "root" or not free):
        found.append(_required(f"{path}.type", _MISSING_TYPE[place]))
    elif kind and kind not in _TYPES:
        found.append(unsupported_value(f"{path}.type", kind, _TYPES))
    if kind == "array" and "items" not in node:
        found.append(_required(f"{path}.items", "must be specified"))
    if node.get("uniqueItems"):
        found.append(_forbidden(f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity "
                                "becomes quadratic"))  # fmt: skip
    if "pattern" in node:
        try:
            pattern(node["pattern"])
        except re.error as error:
            found.append(
                invalid_value(f"{path}.pattern", node["pattern"], f"must be a valid regular expression: {error}")
            )
    return found + _check_list_type(node, path) + _check_children(node, path) + _check_junctors(node, path)


def _why_not(name: str) -> str:
    if name == "x-kubernetes-validations":
        return "CEL validation rules are not supported by this server"
    if name == "$ref":
        return "$ref is not supported"
    return f"{name} is not supported"


def _check_list_type(node: Schema, path: str) -> list[Cause]:
    kind = node.get("x-kubernetes-list-type")
    if kind is None:
        return []
    where = f"{path}.x-kubernetes-list-type"
    if kind not in ("atomic", "set", "map"):
        return [unsupported_value(where, kind, ["atomic", "set", "map"])]
    if node.get("type") != "array":
        return [
            invalid_value(f"{path}.type", node.get("type", ""), "must be array if x-kubernetes-list-type is specified")
        ]
    keys = node.get("x-kubernetes-list-map-keys") or []
    if kind == "map" and not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        return [_required(f"{path}.x-kubernetes-list-map-keys", text)]
    properties = (node.get("items") or {}).get("properties") or {}
    missing = [key for key in keys if key not in properties]
    text = "entries must all be names of item properties"
    return [invalid_value(f"{path}.x-kubernetes-list-map-keys", keys, text)] if missing else []


def _check_children(node: Schema, path: str) -> list[Cause]:
    found: list[Cause] = []
    properties, extra = node.get("properties"), node.get("additionalProperties")
    if properties and extra is not None:
        text = "additionalProperties and properties are mutual exclusive"
        found.append(_forbidden(f"{path}.additionalProperties", text))
    for name, item in (properties or {}).items():
        # metadata is checked by the server itself; a schema may only restrict its name here
        if path.endswith("openAPIV3Schema") and name in ("metadata", "apiVersion", "kind"):
            continue
        found += _check_node(item, f"{path}.properties[{name}]", "field")
    if isinstance(extra, dict):
        found += _check_node(extra, f"{path}.additionalProperties", "field")
    if isinstance(items := node.get("items"), dict):
        found += _check_node(items, f"{path}.items", "items")
    elif items is not None:
        found.append(_forbidden(f"{path}.items", "items must be a schema object and not an array"))
    return found


def _check_junctors(node: Schema, path: str) -> list[Cause]:
    found: list[Cause] = []
    int_or_string = bool(node.get(schema.INT_OR_STRING))
    for name in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(node.get(name) or ()):
            found += _check_part(part, f"{path}.{name}[{index}]", int_or_string)
    if isinstance(part := node.get("not"), dict):
        found += _check_part(part, f"{path}.not", False)
    return found


def _check_part(part: Schema, path: str, int_or_string: bool) -> list[Cause]:
    """Below a junctor only value validations may stand, for everything else must be known without it."""
    names = [name for name in part if name in _NOT_IN_JUNCTORS or name.startswith("x-kubernetes-")]
    if int_or_string:
        names = [name for name in names if name != "type"]  # anyOf: [{type: integer}, {type: string}] is customary
    found = [_forbidden(f"{path}.{name}", "must be empty to be structural") for name in names]
    for name, item in (part.get("properties") or {}).items():
        found += _check_part(item, f"{path}.properties[{name}]", False)
    if isinstance(items := part.get("items"), dict):
        found += _check_part(items, f"{path}.items", False)
    return found + _check_junctors(part, path)


def _check_defaults(node: Schema, path: str) -> list[Cause]:
    found: list[Cause] = []
    if "default" in node:
        where, value = f"{path}.default", schema.clone(node["default"])
        if schema.prune(value, node):
            found.append(invalid_value(where, node["default"], "must not have unknown fields"))
        found += [Cause(cause.reason, cause.message, where) for cause in schema.validate(value, node)]
    for name, item in (node.get("properties") or {}).items():
        found += _check_defaults(item, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(item := node.get(name), dict):
            found += _check_defaults(item, f"{path}.{name}")
    return found
