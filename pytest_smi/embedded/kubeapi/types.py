"""Reads `builtin.types`, the compact table of built-in shapes, into OpenAPI v3 schemas with x-kubernetes extensions.

The same walker (schema.py), strategic merge and server-side apply then serve built-in kinds and custom resources alike.
What Go's encoding makes of a field is in extensions of our own, POINTER and ALWAYS, which typed.py reads.
"""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

POINTER = "x-pytest-smi-pointer"
"""A pointer in Go: its zero value is as good as any other."""
ALWAYS = "x-pytest-smi-always"
"""Written even when it is missing (no `omitempty`)."""

_SCALARS: dict[str, Schema] = {
    "string": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time-micro"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"x-kubernetes-int-or-string": True, "format": "quantity"},
    "intOrString": {"x-kubernetes-int-or-string": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
}

_FIELD = re.compile(r"^  (?P<name>[A-Za-z0-9]+)(?P<required>!?) (?P<type>\S+)(?P<options>.*)$")


def _expression(text: str, types: "_Types") -> Schema:
    if text.startswith("["):
        return {"type": "array", "items": _expression(text[1:-1], types), "x-kubernetes-list-type": "atomic"}
    if text.startswith("{"):
        return {"type": "object", "additionalProperties": _expression(text[1:-1], types)}
    return dict(_SCALARS[text]) if text in _SCALARS else types.resolve(text)


def _keyed(keys: list[str]) -> Schema:
    if keys == ["set"]:
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    return {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
        "x-kubernetes-patch-merge-key": keys[0],
        "x-kubernetes-patch-strategy": "merge",
    }


def _merged(key: str) -> Schema:
    """A list that strategic merge joins, by a key if there is one, and server-side apply does not."""
    strategy = {"x-kubernetes-patch-strategy": "merge"}
    return {**strategy, "x-kubernetes-patch-merge-key": key} if key else strategy


_MARKS: dict[str, Schema] = {
    "~": {"x-kubernetes-map-type": "atomic"},
    "*": {POINTER: True},
    "+": {ALWAYS: True},
}


def _apply_options(schema: Schema, options: list[str]) -> Schema:
    """A field's own schema: a referred type is copied shallowly before anything is added to it."""
    own = dict(schema) if options else schema
    for option in options:
        if option in _MARKS:
            own |= _MARKS[option]
        elif option.startswith("@"):
            own |= _keyed(option[1:].split(","))
        elif option.startswith("merge="):
            own |= _merged(option[6:])
        elif option.startswith("in("):
            own["enum"] = option[3:-1].split("|")
        elif option.startswith("="):
            own["default"] = option[1:] if own.get("type") == "string" else json.loads(option[1:])
    return own


class _Types:
    """The types of the table, each read when it is first referred to."""

    def __init__(self, text: str) -> None:
        self.found: dict[str, Schema] = {}
        self._bodies: dict[str, list[str]] = {}
        self._marks: dict[str, list[str]] = {}
        current = ""
        for line in text.splitlines():
            if line.startswith(" "):
                self._bodies[current].append(line)
            elif line and not line.startswith("#"):
                current, *marks = line.split()
                self._bodies[current], self._marks[current] = [], marks

    def resolve(self, name: str) -> Schema:
        """The schema of a type. Raises ValueError for a name or line that cannot be read."""
        if name not in self.found:
            if name not in self._bodies:
                raise ValueError(f"builtin.types: there is no type {name}")
            self.found[name] = _apply_options(self._read(self._bodies[name]), self._marks[name])
        return self.found[name]

    def _read(self, lines: list[str]) -> Schema:
        schema: Schema = {"type": "object", "properties": {}}
        for line in lines:
            match = _FIELD.match(line)
            if match is None:
                raise ValueError(f"builtin.types: cannot read the line {line!r}")
            field = _apply_options(_expression(match["type"], self), match["options"].split())
            schema["properties"][match["name"]] = field
            if match["required"]:
                schema.setdefault("required", []).append(match["name"])
        return schema

    def all(self) -> dict[str, Schema]:
        """Every type of the table."""
        return {name: self.resolve(name) for name in self._bodies}


@cache
def definitions() -> dict[str, Schema]:
    """Every named type of `builtin.types`; schemas refer to each other by identity, so treat them as read-only."""
    return _Types((files(__package__) / "builtin.types").read_text(encoding="utf-8")).all()


@cache
def _names() -> dict[int, str]:
    """Names by the identity of their `properties`, which shallow copies of a type share."""
    return {id(schema["properties"]): name for name, schema in definitions().items()}


def name_of(schema: Schema) -> str:
    """The name of the type that a schema is, or is a shallow copy of; empty for others."""
    return _names().get(id(schema.get("properties")), "")


def _with_meta(schema: Schema) -> Schema:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": definitions()["ObjectMeta"],
        **schema["properties"],
    }
    return {**schema, "properties": properties}


@cache
def kind_schema(name: str) -> Schema:
    """The schema of a whole built-in object, with apiVersion, kind and metadata."""
    return _with_meta(definitions()[name])
