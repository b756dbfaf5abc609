"""Built-in objects as Go's types read and write them.

`read` refuses what does not fit the type in the words of Go's decoder, drops unknown fields and takes null for absent;
`tidy` writes an object as Go's encoder does: structs are always there, empty fields are not, unless the table says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import scalars
from pytest_smi.embedded.kubeapi.scalars import Mismatch
from pytest_smi.embedded.kubeapi.schema import PRESERVE, Schema, child, clone
from pytest_smi.embedded.kubeapi.types import ALWAYS, POINTER, name_of

Object = dict[str, Any]

_NOTHING = object()


@dataclass(slots=True, frozen=True)
class _Place:
    """Where a value stands: the Go struct that has the field, its path for Go, and its path with places in lists."""

    struct: str
    field: str = ""
    path: str = ""

    def error(self, value: Any, go_type: str) -> Mismatch:
        """The refusal of a value that does not fit."""
        where = f"Go struct field {self.struct}.{self.field}" if self.field else "Go value"
        return Mismatch(f"json: cannot unmarshal {scalars.described(value, go_type)} into {where} of type {go_type}")


def read(value: Any, schema: Schema, kind: str) -> tuple[Object, list[str]]:
    """An object of this type, and the paths of the fields that it does not know. Raises Mismatch."""
    reader = _Reader()
    return reader.struct(value, schema, _Place(kind)), reader.unknown


class _Reader:
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def struct(self, value: Any, schema: Schema, place: _Place) -> Object:
        if not isinstance(value, dict):
            raise place.error(value, _go_type(schema))
        known, struct, found = schema["properties"], name_of(schema) or place.struct, {}
        for name, item in value.items():
            if name not in known:
                self.unknown.append(child(place.path, name))
            elif item is not None:
                below = _Place(struct, child(place.field, name), child(place.path, name))
                found[name] = self.value(item, known[name], below)
        return found

    def value(self, value: Any, schema: Schema, place: _Place) -> Any:
        if schema.get(PRESERVE):
            return clone(value)
        if "properties" in schema:
            return self.struct(value, schema, place)
        if (items := schema.get("items")) is not None:
            if not isinstance(value, list):
                raise place.error(value, _go_type(schema))
            below = [_Place(place.struct, place.field, f"{place.path}[{index}]") for index in range(len(value))]
            return [self._element(item, items, at) for item, at in zip(value, below, strict=True)]
        if (extra := schema.get("additionalProperties")) is not None:
            if not isinstance(value, dict):
                raise place.error(value, _go_type(schema))
            return {name: self._element(item, extra, place) for name, item in value.items()}
        return scalars.read(value, schema, place.error)

    def _element(self, value: Any, schema: Schema, place: _Place) -> Any:
        """An item of a list or map, where null stands for the zero value."""
        return _zero(schema) if value is None else self.value(value, schema, place)


def _zero(schema: Schema) -> Any:
    if "properties" in schema:
        return {}
    return [] if schema.get("type") == "array" else scalars.zero(schema)


def _go_type(schema: Schema) -> str:
    if name := name_of(schema):
        return f"v1.{name}"
    if "items" in schema:
        return f"[]{_go_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map[string]{_go_type(schema['additionalProperties'])}"
    return scalars.go_type(schema)


def tidy(value: Object, schema: Schema) -> Object:
    """The object as it is written; the parts are those of `value`, which must not be changed afterwards."""
    result: Object = {}
    for name, known in schema["properties"].items():
        written = _written(value.get(name), known)
        if written is not _NOTHING:
            result[name] = written
    return result


def _written(value: Any, schema: Schema) -> Any:
    if schema.get(PRESERVE):
        return _NOTHING if value is None else value
    if "properties" in schema:
        if value is None and schema.get(POINTER):
            return None if schema.get(ALWAYS) else _NOTHING
        return tidy(value or {}, schema)
    if schema.get("type") in ("array", "object"):
        if not value:
            return None if schema.get(ALWAYS) else _NOTHING
        return _collection(value, schema)
    if value is None:
        return _missing(schema)
    return value if value or schema.get(POINTER) or schema.get(ALWAYS) else _NOTHING


def _collection(value: Any, schema: Schema) -> Any:
    inner = schema.get("items") or schema.get("additionalProperties") or {}
    if "properties" not in inner:
        return value
    if isinstance(value, dict):
        return {name: tidy(item, inner) for name, item in value.items()}
    return [tidy(item, inner) for item in value]


def _missing(schema: Schema) -> Any:
    if not schema.get(ALWAYS):
        return _NOTHING
    is_null = schema.get(POINTER) or schema.get("format", "").startswith("date-time")
    return None if is_null else scalars.zero(schema)
