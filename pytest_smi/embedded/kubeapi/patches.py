"""Merge patch (RFC 7396), JSON patch (RFC 6902) and strategic merge patch."""

import re
from collections.abc import Callable
from typing import Any

from pytest_smi.embedded.kubeapi.fieldsets import field_schema
from pytest_smi.embedded.kubeapi.go_texts import printed
from pytest_smi.embedded.kubeapi.schema import Schema, clone


class PatchError(ValueError):
    """The patch is malformed or cannot be applied to this object; `conflict` tells a failed test from nonsense."""

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


def merge_patch(value: Any, patch: Any) -> Any:
    """The value with the patch merged in; null removes."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), item)
    return result


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


_INDEX = re.compile(r"0|[1-9][0-9]*")


def _index(part: str, items: list[Any], *, insert: bool) -> int:
    if insert and part == "-":
        return len(items)
    if not _INDEX.fullmatch(part) or int(part) > len(items) - (0 if insert else 1):
        raise PatchError(f"array index {part} is out of bounds")
    return int(part)


def _lookup(document: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(part, document, insert=False)]
        else:
            raise PatchError(f"missing path /{'/'.join(parts)}")
    return document


def _add(document: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    parent, last = _lookup(document, parts[:-1]), parts[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(_index(last, parent, insert=True), value)
    else:
        raise PatchError(f"missing path /{'/'.join(parts)}")
    return document


def _remove(document: Any, parts: list[str]) -> Any:
    value = _lookup(document, parts)
    if not parts:
        raise PatchError("the whole document cannot be removed")
    parent, last = _lookup(document, parts[:-1]), parts[-1]
    if isinstance(parent, dict):
        del parent[last]
    else:
        del parent[_index(last, parent, insert=False)]
    return value


def json_patch(value: Any, operations: Any) -> Any:
    """The value after all operations. Raises PatchError; a failed `test` is a conflict."""
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is a list of operations")
    document = clone(value)
    for operation in operations:
        if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
            raise PatchError("every operation needs an op and a path")
        document = _one_operation(document, operation)
    return document


def _one_operation(document: Any, operation: dict[str, Any]) -> Any:
    name, parts = operation["op"], _pointer(operation["path"])
    if name in ("add", "replace", "test") and "value" not in operation:
        raise PatchError(f"operation {name} needs a value")
    if name == "test":
        try:
            found = _lookup(document, parts)
        except PatchError:
            found = None
        if found != operation["value"]:
            raise PatchError(f"testing path {operation['path']} failed", conflict=True)
        return document
    if name == "add":
        return _add(document, parts, clone(operation["value"]))
    if name == "replace":
        if parts and not isinstance(_lookup(document, parts[:-1]), dict):  # what is not in a map may be replaced
            _remove(document, parts)
        return _add(document, parts, clone(operation["value"]))
    if name == "remove":
        _remove(document, parts)
        return document
    if name in ("move", "copy"):
        source = _pointer(operation.get("from"))
        moved = _remove(document, source) if name == "move" else clone(_lookup(document, source))
        return _add(document, parts, moved)
    raise PatchError(f"unknown operation {name!r}")


_DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def strategic_merge(value: Any, patch: Any, schema: Schema) -> Any:
    """The value with a strategic merge patch: like a merge patch, but keyed lists are merged item by item."""
    if not isinstance(patch, dict):
        return clone(patch)
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    if directive == "replace":
        return {name: clone(item) for name, item in patch.items() if name != "$patch"}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown patch type: {directive} in map: {printed(patch)}")
    result = dict(value) if isinstance(value, dict) else {}
    if isinstance(kept := patch.get("$retainKeys"), list):
        result = {name: item for name, item in result.items() if name in kept}
    for name, item in patch.items():
        if name.startswith(_DIRECTIVES):
            continue
        if item is None:
            result.pop(name, None)
        else:
            result[name] = _strategic_field(result.get(name), item, field_schema(schema, name))
    return _list_directives(result, patch, schema)


def _strategic_field(value: Any, patch: Any, schema: Schema) -> Any:
    if isinstance(patch, list):
        return _strategic_list(value if isinstance(value, list) else [], patch, schema)
    return strategic_merge(value, patch, schema)


def _strategic_list(value: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if schema.get("x-kubernetes-patch-strategy") != "merge":
        return [clone(item) for item in patch]
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return _in_order([*value, *(item for item in patch if item not in value)], patch, value, lambda item: item)
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [clone(item) for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    result, items = list(value), schema.get("items") or {}
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise PatchError(f"map: {printed(item)} does not contain declared merge key: {key}")
        place = next((index for index, found in enumerate(result) if found.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [found for found in result if found.get(key) != item[key]]
        elif place is None:
            result.append(strategic_merge({}, item, items))
        else:
            result[place] = strategic_merge(result[place], item, items)
    return _in_order(result, patch, value, lambda item: item.get(key))


def _in_order(merged: list[Any], patch: list[Any], before: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """Items of the patch come in its order, others keep theirs; between the two, what was first stays first."""
    by_name = {identity(item): item for item in merged}
    wanted, old = [identity(item) for item in patch], [identity(item) for item in before]
    mine = [name for name in dict.fromkeys(wanted) if name in by_name]
    theirs = [name for name in by_name if name not in mine]
    names = []
    while mine and theirs:
        known = mine[0] in old and theirs[0] in old
        first = theirs if known and old.index(theirs[0]) < old.index(mine[0]) else mine
        names.append(first.pop(0))
    return [by_name[name] for name in names + mine + theirs]


def _list_directives(result: dict[str, Any], patch: dict[str, Any], schema: Schema) -> dict[str, Any]:
    for name, wanted in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            result[field] = [item for item in result.get(field) or [] if item not in wanted]
        elif name.startswith("$setElementOrder/"):
            field = name.partition("/")[2]
            if isinstance(result.get(field), list):
                key = field_schema(schema, field).get("x-kubernetes-patch-merge-key")
                result[field] = _ordered(result[field], wanted, key)
    return result


def _ordered(items: list[Any], wanted: list[Any], key: str | None) -> list[Any]:
    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    places = [identity(item) for item in wanted]
    known = sorted((item for item in items if identity(item) in places), key=lambda item: places.index(identity(item)))
    return known + [item for item in items if identity(item) not in places]
