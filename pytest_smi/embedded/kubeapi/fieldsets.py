"""Sets of fields, as managedFields record them: which paths an object has, and in which paths two objects differ.

A path is a tuple of FieldsV1 elements: `f:name` a field, `k:{"name":"web"}` an item of a keyed list, `v:"x"` an item of
a set. How deep paths go is up to the schema: an atomic list or map is one field as a whole.
"""

import json
from collections.abc import Iterable
from typing import Any

from pytest_smi.embedded.kubeapi.schema import PRESERVE, Schema

Path = tuple[str, ...]
FieldSet = set[Path]
Tree = dict[str, Any]
"""FieldsV1: the nested form of a set."""

_EMPTY: Schema = {}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def is_atomic(value: Any, schema: Schema) -> bool:
    """Whether the value is one field as a whole."""
    if isinstance(value, dict):
        return bool(schema.get("x-kubernetes-map-type") == "atomic")
    if isinstance(value, list):
        return bool(schema.get("x-kubernetes-list-type", "atomic") == "atomic")
    return True


def field_schema(schema: Schema, name: str) -> Schema:
    """The schema of a field; empty (everything granular, lists atomic) where none is known."""
    found = (schema.get("properties") or _EMPTY).get(name)
    if found is None:
        extra = schema.get("additionalProperties")
        found = extra if isinstance(extra, dict) else _EMPTY
    return _EMPTY if found.get(PRESERVE) and not found.get("properties") else found


def item_element(item: Any, schema: Schema) -> str:
    """The path element of an item of a keyed list or a set."""
    if schema.get("x-kubernetes-list-type") == "set":
        return f"v:{_compact(item)}"
    properties = (schema.get("items") or _EMPTY).get("properties") or _EMPTY
    identity = {}
    for key in schema.get("x-kubernetes-list-map-keys") or ():
        value = item.get(key, (properties.get(key) or _EMPTY).get("default")) if isinstance(item, dict) else None
        if value is not None:
            identity[key] = value
    return f"k:{_compact(identity)}"


def collect(value: Any, schema: Schema, path: Path, found: FieldSet, *, markers: bool) -> None:
    """Add every field of `value` below `path`. `markers` adds the maps and lists that hold them, as an update does."""
    if is_atomic(value, schema) or not value:
        if path:
            found.add(path)
        return
    if markers and path:
        found.add(path)
    if isinstance(value, dict):
        for name, item in value.items():
            collect(item, field_schema(schema, name), (*path, f"f:{name}"), found, markers=markers)
        return
    items = schema.get("items") or _EMPTY
    for item in value:
        below = (*path, item_element(item, schema))
        found.add(below)
        if isinstance(item, dict):
            collect(item, items, below, found, markers=markers)


def compare(old: Any, new: Any, schema: Schema, path: Path, changed: FieldSet, removed: FieldSet) -> None:
    """Add the paths that are new or different to `changed`, and those that are gone to `removed`."""
    if old is new:
        return
    # null stands for an empty list or map: nobody owns that it is there
    old, new = _empty_for_null(old, new), _empty_for_null(new, old)
    same_shape = type(old) is type(new) and isinstance(new, (dict, list))
    if not same_shape or is_atomic(new, schema):
        if old != new or type(old) is not type(new):
            changed.add(path)
        return
    before, after = _children(old, schema, path), _children(new, schema, path)
    for below, (item, inner) in after.items():
        if below not in before:
            collect(item, inner, below, changed, markers=True)
            changed.add(below)
        else:
            compare(before[below][0], item, inner, below, changed, removed)
    for below, (item, inner) in before.items():
        if below not in after:
            collect(item, inner, below, removed, markers=True)
            removed.add(below)


def _empty_for_null(value: Any, other: Any) -> Any:
    return type(other)() if value is None and isinstance(other, (dict, list)) else value


def _children(value: Any, schema: Schema, path: Path) -> dict[Path, tuple[Any, Schema]]:
    if isinstance(value, dict):
        return {(*path, f"f:{name}"): (item, field_schema(schema, name)) for name, item in value.items()}
    items = schema.get("items") or _EMPTY
    return {(*path, item_element(item, schema)): (item, items) for item in value}


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Paths in the order of the real server: at each level the fields themselves, then what is below them."""
    below: dict[str, list[Path]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    leaves = [(element,) for element in sorted(below) if () in below[element]]
    rest = [
        (element, *path) for element in sorted(below) for path in in_order([item for item in below[element] if item])
    ]
    return leaves + rest


def to_fields_v1(found: FieldSet) -> Tree:
    """The nested form in which managedFields keep a set."""
    tree: Tree = {}
    for path in sorted(found):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    _drop_lone_markers(tree)
    return tree


def _drop_lone_markers(node: dict[str, Any]) -> None:
    for item in node.values():
        if len(item) == 1 and "." in item:
            del item["."]
        elif item:
            _drop_lone_markers(item)


def from_fields_v1(tree: Tree) -> FieldSet:
    """The set that a nested form stands for."""
    found: FieldSet = set()

    def walk(node: dict[str, Any], path: Path) -> None:
        for element, item in node.items():
            if element == ".":
                found.add(path)
            elif not item:
                found.add((*path, element))
            else:
                walk(item, (*path, element))

    walk(tree, ())
    return found


def contains(tree: Tree, path: Path) -> bool:
    """Whether the path is in the set that a nested form stands for."""
    node = tree
    for element in path:
        found = node.get(element)
        if found is None:
            return False
        node = found
    return not node or "." in node


def insert(tree: Tree, path: Path) -> None:
    """Add a path to a nested form, in place. An empty node is a member; one with children needs a `.` to be."""
    node = tree
    for element in path:
        below = node.get(element)
        if below is None:
            below = node[element] = {}
            fresh = True
        else:
            fresh = False
            if not below:
                below["."] = {}
        node = below
    if not fresh:
        node["."] = {}
        if len(node) == 1:
            node.clear()
    # interior nodes on the way were made without a ".", and thus are no members


def delete(tree: Tree, path: Path) -> None:
    """Take a path out of a nested form, in place; nodes that hold nothing any more go with it."""
    below = tree.get(path[0])
    if below is None:
        return
    if len(path) > 1:
        if not below:
            return
        delete(below, path[1:])
        if not below:
            del tree[path[0]]
        elif len(below) == 1 and "." in below:
            below.clear()
    else:
        below.pop(".", None)
        if not below:
            del tree[path[0]]


def shown(path: Path) -> str:
    """A path as conflicts print it: `.spec.containers[name="web"].image`."""
    text = ""
    for element in path:
        kind, value = element[:2], element[2:]
        if kind == "f:":
            text += f".{value}"
        elif kind == "k:":
            keys = json.loads(value)
            text += f"[{','.join(f'{name}={_compact(item)}' for name, item in sorted(keys.items()))}]"
        else:
            text += f"[={value}]" if kind == "v:" else f"[{value}]"
    return text
