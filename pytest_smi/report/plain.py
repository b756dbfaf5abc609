"""Any value as plain JSON types, so that it survives xdist's wire, a strict JSON reader and UTF-8."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """`value` in exact JSON types: enums by value, dataclasses as objects, tuples and sets as lists.

    What JSON cannot say is made readable rather than refused, because evidence must never break a verdict: NaN and
    infinities become None, undecodable bytes and lone surrogates are escaped, anything else is its `str`.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (str, bytes, bytearray)):
        return text(value)
    return _container(value)


def _container(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {text(key): plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return text(value)


def text(value: Any) -> str:
    """`value` as a string that UTF-8 can encode; enums by value."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
