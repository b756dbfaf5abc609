"""Structural schemas: prune, default and validate objects the way the API server does.

Three passes over plain dictionaries, driven by an OpenAPI v3 schema with the x-kubernetes extensions. Paths in messages
look like `spec.backends[0].weight`. `prune` and `default` change the object in place, `validate` only looks.
"""

import json
from typing import Any

from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.types import ALWAYS
from pytest_smi.embedded.kubeapi.values import check_value

Schema = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
_TYPE_META = ("apiVersion", "kind", "metadata")


def clone(value: Any) -> Any:
    """A deep copy of JSON data (copy.deepcopy is ten times slower)."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def child(path: str, name: str) -> str:
    """The path of a field below `path`."""
    return f"{path}.{name}" if path else name


def prune(value: Any, schema: Schema, path: str = "", *, root: bool = False) -> list[str]:
    """Remove what the schema does not know, and return the paths of what was removed.

    `root` marks a whole object, whose apiVersion, kind and metadata are none of the schema's business.
    """
    removed: list[str] = []
    if isinstance(value, dict):
        _prune_object(value, schema, path, root or bool(schema.get(EMBEDDED)), removed)
    elif isinstance(value, list) and (items := schema.get("items")):
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                removed += prune(item, items, f"{path}[{index}]")
    return removed


def _prune_object(value: dict[str, Any], schema: Schema, path: str, whole: bool, removed: list[str]) -> None:
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    keep = bool(schema.get(PRESERVE)) or extra is True
    for name in list(value):
        if whole and name in _TYPE_META:
            continue
        known = properties.get(name)
        if known is None and isinstance(extra, dict):
            known = extra
        if known is None:
            if not keep:
                del value[name]
                removed.append(child(path, name))
        elif isinstance(value[name], (dict, list)):
            removed += prune(value[name], known, child(path, name))


def drop_nulls(value: Any, schema: Schema) -> None:
    """Remove null from fields that are not nullable, so that defaults can take their place."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list)):
                drop_nulls(item, schema.get("items") or {})
        return
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name in list(value):
        known = properties.get(name, extra if isinstance(extra, dict) else None)
        if known is None:
            continue
        if value[name] is None:
            if not known.get("nullable") and not known.get(PRESERVE):
                del value[name]
        elif isinstance(value[name], (dict, list)):
            drop_nulls(value[name], known)


def default(value: Any, schema: Schema) -> None:
    """Fill in the defaults of absent fields, at every depth that exists in the object."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        for name, known in properties.items():
            if name not in value:
                if "default" not in known:
                    continue
                value[name] = clone(known["default"])
            if isinstance(value[name], (dict, list)):
                default(value[name], known)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for name, item in value.items():
                if name not in properties and isinstance(item, (dict, list)):
                    default(item, extra)
    elif isinstance(value, list) and (items := schema.get("items")):
        for item in value:
            if isinstance(item, (dict, list)):
                default(item, items)


_SCALARS = {str: "string", int: "integer", bool: "boolean"}
_REMARKS = {"type", "description", "default", "nullable", "x-kubernetes-patch-merge-key", "title", "example"}


def _is_plain(value: Any, schema: Schema) -> bool:
    """Whether the value is a scalar of which the schema asks no more than its type: most values are."""
    return _SCALARS.get(type(value)) == schema.get("type", 0) and schema.keys() <= _REMARKS


def validate(value: Any, schema: Schema, path: str = "", *, root: bool = False) -> list[Cause]:
    """Everything in which the value breaks the schema, in the API server's words."""
    if _is_plain(value, schema):
        return []
    if (value is None and (schema.get("nullable") or not _typed(schema))) or _is_blank(value, schema):
        return []
    causes = check_value(value, schema, path)
    if any(cause.reason == "FieldValueTypeInvalid" for cause in causes):
        return causes
    if isinstance(value, dict):
        causes += _validate_object(value, schema, path, root)
    elif isinstance(value, list) and (items := schema.get("items")):
        for index, item in enumerate(value):
            causes += validate(item, items, f"{path}[{index}]")
    if not _JUNCTORS.isdisjoint(schema):
        causes += _validate_junctors(value, schema, path)
    return causes + _validate_list_type(value, schema, path) if isinstance(value, list) else causes


def _is_blank(value: Any, schema: Schema) -> bool:
    """Whether a field of a built-in kind is only there because it is always written."""
    return value in (None, "") and bool(schema.get(ALWAYS))


_JUNCTORS = frozenset({"allOf", "anyOf", "oneOf", "not"})


def _typed(schema: Schema) -> bool:
    return "type" in schema or bool(schema.get(INT_OR_STRING))


def _validate_object(value: dict[str, Any], schema: Schema, path: str, root: bool) -> list[Cause]:
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or ()
    missing = [name for name in wanted if name not in value or _is_blank(value[name], properties.get(name) or {})]
    causes = [Cause("FieldValueRequired", "Required value", child(path, name)) for name in missing]
    extra = schema.get("additionalProperties")
    for name, item in value.items():
        known = properties.get(name)
        if known is None and isinstance(extra, dict):
            known = extra
        if known is not None and not (root and name == "metadata") and not _is_plain(item, known):
            causes += validate(item, known, child(path, name))
    if schema.get(EMBEDDED):
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                causes.append(Cause("FieldValueRequired", "Required value", child(path, name)))
    return causes


def _junctor(path: str, message: str) -> Cause:
    # The real server loses the field here and prints its nil path; clients match on these words.
    return Cause("FieldValueInvalid", f'Invalid value: "": "{path}" {message}', "<nil>")


def _validate_junctors(value: Any, schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for part in schema.get("allOf") or ():
        if broken := validate(value, part, path):
            causes += [*broken, _junctor(path, "must validate all the schemas (allOf)")]
    if anyof := schema.get("anyOf"):
        tried = [validate(value, part, path) for part in anyof]
        if all(tried):
            causes += [*tried[0], _junctor(path, "must validate at least one schema (anyOf)")]
    if oneof := schema.get("oneOf"):
        tried = [validate(value, part, path) for part in oneof]
        matching = sum(not broken for broken in tried)
        if matching != 1:
            found = "Found none valid" if matching == 0 else f"Found {matching} valid alternatives"
            causes.append(_junctor(path, f"must validate one and only one schema (oneOf). {found}"))
            causes += tried[0] if matching == 0 else []
    if (negated := schema.get("not")) and not validate(value, negated, path):
        causes.append(_junctor(path, "must not validate the schema (not)"))
    return causes


def list_item_key(item: Any, keys: list[str], schema: Schema) -> tuple[Any, ...]:
    """The identity of an item of a `map` list; absent keys count with their default."""
    properties = (schema.get("items") or {}).get("properties") or {}
    if not isinstance(item, dict):
        return (item,)
    return tuple(item.get(key, (properties.get(key) or {}).get("default")) for key in keys)


def _validate_list_type(value: Any, schema: Schema, path: str) -> list[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if not isinstance(value, list) or kind not in ("set", "map"):
        return []
    keys = schema.get("x-kubernetes-list-map-keys") or []
    seen: list[Any] = []
    causes = []
    for index, item in enumerate(value):
        identity = list_item_key(item, keys, schema) if kind == "map" else item
        if identity in seen:
            twice = dict(zip(keys, identity, strict=True)) if kind == "map" else item
            text = f"Duplicate value: {json.dumps(twice, sort_keys=True, separators=(',', ':'))}"
            causes.append(Cause("FieldValueDuplicate", text, f"{path}[{index}]"))
        seen.append(identity)
    return causes
