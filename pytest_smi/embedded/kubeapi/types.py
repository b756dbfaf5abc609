"""Reads `builtin.types`, the compact table of built-in shapes, into OpenAPI v3 schemas with x-kubernetes extensions.

The same walker (schema.py), strategic merge and server-side apply then serve built-in kinds and custom resources alike.
"""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

_SCALARS: dict[str, Schema] = {
    "string": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "number": {"type": "number"},
    "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"x-kubernetes-int-or-string": True},
    "intOrString": {"x-kubernetes-int-or-string": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "object": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}

_FIELD = re.compile(r"^  (?P<name>[A-Za-z0-9]+)(?P<required>!?) (?P<type>\S+)(?P<options>.*)$")


def _expression(text: str, types: "_Types") -> Schema:
    if text.startswith("["):
        return {"type": "array", "items": _expression(text[1:-1], types), "x-kubernetes-list-type": "atomic"}
    if text.startswith("{"):
        return {"type": "object", "additionalProperties": _expression(text[1:-1], types)}
    return dict(_SCALARS[text]) if text in _SCALARS else types.resolve(text)


def _keyed(schema: Schema, keys: list[str], merge: str) -> None:
    if keys == ["set"]:
        schema["x-kubernetes-list-type"] = "set"
    else:
        schema["x-kubernetes-list-type"] = "map"
        schema["x-kubernetes-list-map-keys"] = keys
        schema["x-kubernetes-patch-merge-key"] = merge or keys[0]
    schema["x-kubernetes-patch-strategy"] = "merge"


def _apply_options(schema: Schema, options: list[str]) -> Schema:
    """A field's own schema: a referred type is copied shallowly before anything is added to it."""
    if not options:
        return schema
    own = dict(schema)
    merge = next((option[6:] for option in options if option.startswith("merge=")), "")
    for option in options:
        if option.startswith("@"):
            _keyed(own, option[1:].split(","), merge)
        elif option == "~" and own.get("type") == "object":
            own["x-kubernetes-map-type"] = "atomic"
        elif option.startswith("in("):
            own["enum"] = option[3:-1].split("|")
        elif option.startswith("="):
            raw = option[1:]
            own["default"] = raw if own.get("type") == "string" else json.loads(raw)
    return own


class _Types:
    """The types of the table, each read when it is first referred to."""

    def __init__(self, text: str) -> None:
        self.found: dict[str, Schema] = {}
        self._bodies: dict[str, list[str]] = {}
        current = ""
        for line in text.splitlines():
            if line.startswith(" "):
                self._bodies[current].append(line)
            elif line and not line.startswith("#"):
                current = line.strip()
                self._bodies[current] = []

    def resolve(self, name: str) -> Schema:
        """The schema of a type. Raises ValueError for a name or line that cannot be read."""
        if name not in self.found:
            if name not in self._bodies:
                raise ValueError(f"builtin.types: there is no type {name}")
            self.found[name] = self._read(self._bodies[name])
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
