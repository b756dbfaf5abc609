"""Scalars of built-in types as Go reads them: what fits, what is refused in which words, what zero is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pytest_smi.embedded.kubeapi.numbers import Fraction

Schema = dict[str, Any]
Refuse = Callable[[Any, str], "Mismatch"]

_GO_TYPES = {"int32": "int32", "int64": "int64", "boolean": "bool", "byte": "[]uint8"}
_BITS = {"int32": 31, "int64": 63}
_SECOND = "2006-01-02T15:04:05Z07:00"
_MICRO = "2006-01-02T15:04:05.000000Z07:00"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_QUANTITY_TEXT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class Mismatch(Exception):
    """A value does not fit its type; the text is that of Go's decoder."""


def go_type(schema: Schema) -> str:
    """What Go calls the type."""
    form, kind = schema.get("format", ""), schema.get("type", "")
    return _GO_TYPES.get(form) or _GO_TYPES.get(kind) or "string"


def described(value: Any, wanted: str) -> str:
    """What Go calls a JSON value that it does not take; for a number that it cannot hold, with the number."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        text = value.text if isinstance(value, Fraction) else str(value)
        return f"number {text}" if wanted in _BITS else "number"
    names: dict[Any, str] = {str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def zero(schema: Schema) -> Any:
    """The zero value: of numbers 0, of truths false, of everything else the empty text."""
    if schema.get("x-kubernetes-int-or-string"):
        return 0
    return {"integer": 0, "boolean": False}.get(schema.get("type", ""), "")


def read(value: Any, schema: Schema, refuse: Refuse) -> Any:
    """The value as it is kept. Raises Mismatch."""
    if schema.get("x-kubernetes-int-or-string"):
        return _quantity(value) if schema.get("format") == "quantity" else _int_or_string(value)
    form = schema.get("format", "")
    if form.startswith("date-time"):
        return _time(value, micro=form.endswith("micro"))
    kind = schema["type"]
    if kind == "integer":
        return _integer(value, schema, refuse)
    if not isinstance(value, {"string": str, "boolean": bool}[kind]):
        raise refuse(value, go_type(schema))
    if form == "byte" and isinstance(value, str) and not _BASE64.fullmatch(value):
        raise Mismatch(f"illegal base64 data at input byte {_first_wrong(value)}")
    return value


def _integer(value: Any, schema: Schema, refuse: Refuse) -> int:
    bits = _BITS[schema["format"]]
    whole = isinstance(value, int) and not isinstance(value, (bool, Fraction))
    if not whole or not -(1 << bits) <= value < 1 << bits:
        raise refuse(value, schema["format"])
    return int(value)


def _int_or_string(value: Any) -> int | str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise Mismatch(f"json: cannot unmarshal {described(value, 'int32')} into Go value of type int32")
    return int(value)


def _quantity(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not _QUANTITY.fullmatch(text):
        raise Mismatch(_QUANTITY_TEXT)
    return text


def _time(value: Any, *, micro: bool) -> str:
    if not isinstance(value, str):
        raise Mismatch(f"json: cannot unmarshal {described(value, 'string')} into Go value of type string")
    layout = _MICRO if micro else _SECOND
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Mismatch(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"') from None
    if micro and not re.search(r"\.\d{6}(Z|[+-])", value):
        raise Mismatch(f'parsing time "{value}" as "{layout}": cannot parse "{value[19:]}" as ".000000"')
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def _first_wrong(text: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/]", text)
    return found.start() if found else len(text)
