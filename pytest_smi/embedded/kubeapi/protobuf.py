"""Reads the protobuf form of built-in kinds, in which kubectl 1.37 sends what it makes itself (`kubectl create ...`).

Only reading: every official client accepts JSON in return. Field numbers are in protobuf.types. A field that is not in
that table is refused unless it is empty, so that nothing a client asks for is lost in silence.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ITEM = re.compile(r"(?P<skip>-?)(?P<name>[A-Za-z]+|<[A-Za-z]+>)(?P<pointer>\*?)=(?P<number>\d+)(?::(?P<type>\S+))?")

Wire = int | bytes


class Unreadable(Exception):
    """The body cannot be read; the text says what and where, on one line."""


@dataclass(frozen=True)
class Field:
    """One field of a type. `type` is empty for a field that is not read; `inline` when its fields stand in ours."""

    name: str
    type: str
    pointer: bool = False
    inline: bool = False


@dataclass
class Table:
    """The types by name, each with its fields by number; `kinds` may stand at the top, by apiVersion (`*` for any)."""

    kinds: dict[str, set[str]] = field(default_factory=dict)
    types: dict[str, dict[int, Field]] = field(default_factory=dict)


@cache
def table() -> Table:
    """The contents of protobuf.types."""
    text = (files(__package__) / "protobuf.types").read_text(encoding="utf-8")
    found = Table()
    for line in re.sub(r"\n  +", " ", text).splitlines():
        if not line or line.startswith("#"):
            continue
        head, *items = line.split()
        if head.startswith("@"):
            found.kinds[head[1:]] = set(items)
        else:
            found.types[head] = dict(_field(item) for item in items)
    return found


def decode(body: bytes) -> dict[str, Any] | None:
    """The object in a request body; None when its kind is not in the table. Raises Unreadable."""
    if not body.startswith(MAGIC):
        raise Unreadable("the body does not begin as Kubernetes protobuf does")
    envelope = dict(_fields(body[len(MAGIC) :], "envelope"))
    meta = dict(_fields(_as_bytes(envelope.get(1, b""), "typeMeta"), "typeMeta"))
    version, kind = (_text(meta.get(number, b""), "typeMeta") for number in (1, 2))
    known = table().kinds
    if kind not in known.get(version, ()) and kind not in known["*"]:
        return None
    return {"apiVersion": version, "kind": kind} | message(kind, _as_bytes(envelope.get(2, b""), kind), kind)


def message(name: str, data: bytes, path: str) -> dict[str, Any]:
    """One message of a known type. Empty fields that are no pointers are left out, as JSON leaves them out."""
    fields = table().types[name]
    found: dict[str, Any] = {}
    for number, value in _fields(data, path):
        known = fields.get(number)
        if known is None:
            if not _is_empty(value):
                raise Unreadable(f"{path}: field number {number} of {name} is not known here: send JSON")
        elif known.inline:
            found |= message(known.type, _as_bytes(value, path), path)
        elif known.type:
            _store(found, known, value, f"{path}.{known.name}")
    return found


def _field(item: str) -> tuple[int, Field]:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(f"protobuf.types: cannot read {item!r}")
    name, number = match["name"], int(match["number"])
    if name.startswith("<"):
        return number, Field(name, name[1:-1], inline=True)
    return number, Field(name, "" if match["skip"] else match["type"] or "string", bool(match["pointer"]))


def _store(found: dict[str, Any], known: Field, value: Wire, path: str) -> None:
    if known.type.startswith("["):
        found.setdefault(known.name, []).append(_value(known.type[1:-1], value, path))
    elif known.type.startswith("{"):
        entry = dict(_fields(_as_bytes(value, path), path))
        key = _text(entry.get(1, b""), path)
        found.setdefault(known.name, {})[key] = _value(known.type[1:-1], entry.get(2, b""), f"{path}[{key}]")
    else:
        decoded = _value(known.type, value, path)
        if known.pointer or decoded not in (None, "", 0, False, {}):
            found[known.name] = decoded


def _value(kind: str, value: Wire, path: str) -> Any:
    if kind in _SCALARS:
        return _SCALARS[kind](value, path)
    return message(kind, _as_bytes(value, path), path)


def _as_bytes(value: Wire, path: str) -> bytes:
    if not isinstance(value, bytes):
        raise Unreadable(f"{path}: a number stands where text or a message should")
    return value


def _text(value: Wire, path: str) -> str:
    try:
        return _as_bytes(value, path).decode()
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: text is not UTF-8") from None


def _int(value: Wire, path: str) -> int:
    if isinstance(value, bytes):
        raise Unreadable(f"{path}: text or a message stands where a number should")
    return value - (1 << 64) if value >= 1 << 63 else value


def _time(value: Wire, path: str) -> str | None:
    """`Time` and `MicroTime`: seconds and nanoseconds; an empty message is no time."""
    parts = {number: _int(part, path) for number, part in _fields(_as_bytes(value, path), path)}
    if not parts:
        return None
    micros = parts.get(2, 0) // 1000
    moment = datetime.fromtimestamp(parts.get(1, 0), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{micros:06d}Z" if micros else f"{moment}Z"


def _quantity(value: Wire, path: str) -> str:
    parts = dict(_fields(_as_bytes(value, path), path))
    return _text(parts.get(1, b""), path)


def _int_or_string(value: Wire, path: str) -> int | str:
    parts = dict(_fields(_as_bytes(value, path), path))
    return _text(parts.get(3, b""), path) if parts.get(1) else _int(parts.get(2, 0), path)


def _extra(value: Wire, path: str) -> list[str]:
    return [_text(part, path) for _, part in _fields(_as_bytes(value, path), path)]


_SCALARS: dict[str, Callable[[Wire, str], Any]] = {
    "string": _text,
    "int": _int,
    "bool": lambda value, path: bool(_int(value, path)),
    "bytes": lambda value, path: base64.b64encode(_as_bytes(value, path)).decode(),
    "time": _time,
    "quantity": _quantity,
    "intOrString": _int_or_string,
    "ExtraValue": _extra,
}


def _fields(data: bytes, path: str) -> Iterator[tuple[int, Wire]]:
    """The fields of a message in order (protobuf encoding, wire types 0, 1, 2 and 5)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at, path)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at, path)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at, path)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise Unreadable(f"{path}: wire type {kind} is not known")
        if at + size > len(data):
            raise Unreadable(f"{path}: the message is cut off")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int, path: str) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise Unreadable(f"{path}: a number is cut off")


def _is_empty(value: Wire) -> bool:
    """Whether a value says nothing: zero, no bytes, or a message of nothing but such values."""
    if not value:
        return True
    if isinstance(value, int):
        return False
    try:
        return all(_is_empty(part) for _, part in _fields(value, ""))
    except Unreadable:
        return False
