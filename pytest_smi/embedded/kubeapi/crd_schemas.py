"""Which schemas a CRD may carry: structural ones, of the parts of OpenAPI that this server evaluates.

Anything that would silently not be checked (CEL rules) is refused here, with the field that holds it.
"""

import re
from typing import Any

from pytest_smi.embedded.kubeapi import schema
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, pattern, unsupported_value

Schema = dict[str, Any]

_TYPES = ["array", "boolean", "integer", "number", "object", "string"]
_REFUSED = {
    "$ref": "$ref is not supported",
    "x-kubernetes-validations": "CEL validation rules are not supported by this server",
}
_IGNORED = ("definitions",)
_KNOWN = {
    *_REFUSED,
    *_IGNORED,
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
_HOLD_ONE = ("items", "additionalProperties", "not")
_HOLD_SEVERAL = ("allOf", "anyOf", "oneOf")


def _forbidden(path: str, text: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {text}", path)


def _required(path: str, text: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {text}" if text else "Required value", path)


def _children(node: Schema, path: str) -> list[tuple[Schema, str]]:
    """Every schema right below a schema, with its path."""
    found = [(item, f"{path}.properties[{name}]") for name, item in (node.get("properties") or {}).items()]
    found += [(node[name], f"{path}.{name}") for name in _HOLD_ONE if name in node]
    for name in _HOLD_SEVERAL:
        found += [(item, f"{path}.{name}[{index}]") for index, item in enumerate(node.get(name) or ())]
    return [(item, where) for item, where in found if isinstance(item, dict)]


def prune(node: Any, path: str) -> list[str]:
    """Remove keywords that no schema has, and return their paths."""
    if not isinstance(node, dict):
        return []
    removed = []
    for name in [name for name in node if name not in _KNOWN or name in _IGNORED]:
        del node[name]
        removed += [] if name in _IGNORED else [f"{path}.{name}"]
    for name, item in (node.get("properties") or {}).items():
        removed += prune(item, f"{path}.properties[{name}]")
    named = [(item, where) for item, where in _children({**node, "properties": None}, path)]
    return removed + [lost for item, where in named for lost in prune(item, where)]


def check(value: Any, path: str) -> list[Cause]:
    """What keeps a schema from being the structural schema of a CRD version."""
    found = _check_keywords(value, path)
    if found:
        return found
    found = _check_node(value, path, "root")
    if (kind := value.get("type")) and kind != "object":
        found.append(invalid_value(f"{path}.type", kind, "must be object at the root"))
    return found or _check_defaults(value, path)


def _check_keywords(node: Schema, path: str) -> list[Cause]:
    """Keywords that are refused, wherever they stand, or that make no sense as they are."""
    found = [_forbidden(f"{path}.{name}", why) for name, why in _REFUSED.items() if name in node]
    kind = node.get("type")
    if kind and kind not in _TYPES:
        found.append(unsupported_value(f"{path}.type", kind, _TYPES))
    if node.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.append(_forbidden(f"{path}.uniqueItems", text))
    if node.get("properties") and node.get("additionalProperties") is not None:
        text = "additionalProperties and properties are mutual exclusive"
        found.append(_forbidden(f"{path}.additionalProperties", text))
    if isinstance(node.get("items"), list):
        found.append(_forbidden(f"{path}.items", "items must be a schema object and not an array"))
    try:
        pattern(node.get("pattern", ""))
    except re.error as error:
        text = f"must be a valid regular expression, but isn't: {error}"
        found.append(invalid_value(f"{path}.pattern", node["pattern"], text))
    found += _check_list_type(node, path)
    return found + [cause for item, where in _children(node, path) for cause in _check_keywords(item, where)]


def _check_list_type(node: Schema, path: str) -> list[Cause]:
    kind, items = node.get("x-kubernetes-list-type"), node.get("items") or {}
    where = f"{path}.x-kubernetes-list-type"
    if kind is None:
        return []
    if kind not in ("atomic", "set", "map"):
        return [unsupported_value(where, kind, ["atomic", "set", "map"])]
    if node.get("type") != "array":
        text = "must be array if x-kubernetes-list-type is specified"
        return [invalid_value(f"{path}.type", node.get("type", ""), text)]
    if kind == "set":
        return _check_set_items(items, f"{path}.items")
    return _check_map_keys(node, items, path) if kind == "map" else []


def _check_set_items(items: Schema, path: str) -> list[Cause]:
    name = {"object": "x-kubernetes-map-type", "array": "x-kubernetes-list-type"}.get(items.get("type", ""))
    if name is None or items.get(name) == "atomic":
        return []
    text = "must be atomic as item of a list with x-kubernetes-list-type=set"
    return [invalid_value(f"{path}.{name}", items.get(name), text)]


def _check_map_keys(node: Schema, items: Schema, path: str) -> list[Cause]:
    where, keys = f"{path}.x-kubernetes-list-map-keys", node.get("x-kubernetes-list-map-keys") or []
    properties = items.get("properties") or {}
    if not keys:
        return [_required(where, "must not be empty if x-kubernetes-list-type is map")]
    if any(key not in properties for key in keys):
        return [invalid_value(where, keys, "entries must all be names of item properties")]
    text = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
    optional = [key for key in keys if key not in (items.get("required") or ()) and "default" not in properties[key]]
    return [_required(f"{path}.items.properties[{key}].default", text) for key in optional]


_MISSING_TYPE = {
    "root": "must not be empty at the root",
    "field": "must not be empty for specified object fields",
    "items": "must not be empty for specified array items",
}


def _check_node(node: Schema, path: str, place: str) -> list[Cause]:
    found, kind = [], node.get("type")
    if node.get(schema.EMBEDDED):
        found += _check_embedded(node, path)
    elif not kind and (place == "root" or not (node.get(schema.INT_OR_STRING) or node.get(schema.PRESERVE))):
        found.append(_required(f"{path}.type", _MISSING_TYPE[place]))
    if kind == "array" and "items" not in node:
        found.append(_required(f"{path}.items", "must be specified"))
    whole = place == "root" or bool(node.get(schema.EMBEDDED))
    return found + _check_properties(node, path, root=place == "root", whole=whole) + _check_junctors(node, path)


def _check_embedded(node: Schema, path: str) -> list[Cause]:
    found, kind, text = [], node.get("type"), "must be object if x-kubernetes-embedded-resource is true"
    if not kind:
        found.append(_required(f"{path}.type", text))
    elif kind != "object":
        found.append(invalid_value(f"{path}.type", kind, text))
    if not node.get("properties") and not node.get(schema.PRESERVE):
        text = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        found.append(_required(f"{path}.properties", text))
    return found


def _check_properties(node: Schema, path: str, *, root: bool, whole: bool) -> list[Cause]:
    found: list[Cause] = []
    for name, item in (node.get("properties") or {}).items():
        where = f"{path}.properties[{name}]"
        if whole and name in ("apiVersion", "kind") and item.get("type") != "string":
            found.append(invalid_value(f"{where}.type", item.get("type", ""), "must be string"))
        elif whole and name == "metadata":
            found += _check_metadata(item, where, root=root)
        else:
            found += _check_node(item, where, "field")
    for name, place in (("items", "items"), ("additionalProperties", "field")):
        if isinstance(item := node.get(name), dict):
            found += _check_node(item, f"{path}.{name}", place)
    return found


def _check_metadata(node: Schema, path: str, *, root: bool) -> list[Cause]:
    """Of the metadata a schema may say no more than what names are allowed."""
    if node.get("type") != "object":
        return [invalid_value(f"{path}.type", node.get("type", ""), "must be object")]
    more = set(node) - {"type", "description", "properties", "default"}
    if root and (more or set(node.get("properties") or ()) - {"name", "generateName"}):
        text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        return [_forbidden(path, text)]
    return []


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
