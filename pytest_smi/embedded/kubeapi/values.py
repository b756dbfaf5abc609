"""Checks of one value against one schema node: type, enum, bounds, lengths, pattern, format."""

import base64
import binascii
import ipaddress
import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pytest_smi.embedded.kubeapi.status import Cause

_INVALID = "FieldValueInvalid"


def json_type(value: Any) -> str:
    """The JSON Schema name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def shown(value: Any) -> str:
    """A value as field errors print it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(value)


def invalid_value(path: str, value: Any, message: str) -> Cause:
    """`path: Invalid value: ...: message`."""
    return Cause(_INVALID, f"Invalid value: {shown(value)}: {message}", path)


def unsupported_value(path: str, value: Any, allowed: list[Any]) -> Cause:
    """`path: Unsupported value: ...: supported values: ...`."""
    listed = ", ".join(json.dumps(item if isinstance(item, str) else json.dumps(item)) for item in allowed)
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}", path)


@lru_cache(maxsize=512)
def pattern(text: str) -> re.Pattern[str]:
    """A compiled pattern. Raises re.error for one that cannot be read."""
    return re.compile(text)


def check_value(value: Any, schema: dict[str, Any], path: str) -> list[Cause]:
    """What is wrong with the value itself; a wrong type hides everything else."""
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if json_type(value) not in ("integer", "string"):
            return [_wrong_type(path, "integer,string", value)]
    elif wanted:
        actual = json_type(value)
        if actual != wanted and not (wanted == "number" and actual == "integer"):
            return [_wrong_type(path, wanted, value)]
    causes: list[Cause] = []
    if "enum" in schema and value not in schema["enum"]:
        causes.append(unsupported_value(path, value, schema["enum"]))
    if isinstance(value, str):
        causes += _check_string(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        causes += _check_number(value, schema, path)
    elif isinstance(value, list):
        causes += _check_count(value, schema, path, "items", "minItems", "maxItems")
    elif isinstance(value, dict):
        causes += _check_count(value, schema, path, "properties", "minProperties", "maxProperties")
    return causes


def _wrong_type(path: str, wanted: str, value: Any) -> Cause:
    actual = json_type(value)
    text = f'Invalid value: "{actual}": {path} in body must be of type {wanted}: "{actual}"'
    return Cause("FieldValueTypeInvalid", text, path)


def _check_string(value: str, schema: dict[str, Any], path: str) -> list[Cause]:
    causes = []
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        text = f"Too long: may not be more than {schema['maxLength']} bytes"
        causes.append(Cause("FieldValueTooLong", text, path))
    if "minLength" in schema and len(value) < schema["minLength"]:
        text = f"{path} in body should be at least {schema['minLength']} chars long"
        causes.append(invalid_value(path, value, text))
    if "pattern" in schema and not pattern(schema["pattern"]).search(value):
        causes.append(invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'"))
    if (name := schema.get("format")) and (check := _FORMATS.get(name)) and not check(value):
        text = f"Invalid value: {shown(value)}: {path} in body must be of type {name}: {shown(value)}"
        causes.append(Cause("FieldValueTypeInvalid", text, path))
    return causes


def _check_number(value: float, schema: dict[str, Any], path: str) -> list[Cause]:
    causes = []
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        causes.append(invalid_value(path, value, f"{path} in body should be {words} {low}"))
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        causes.append(invalid_value(path, value, f"{path} in body should be {words} {high}"))
    if (step := schema.get("multipleOf")) and abs(value / step - round(value / step)) > 1e-9:
        causes.append(invalid_value(path, value, f"{path} in body should be a multiple of {step}"))
    return causes


def _check_count(
    value: list[Any] | dict[str, Any], schema: dict[str, Any], path: str, noun: str, low: str, high: str
) -> list[Cause]:
    causes = []
    if low in schema and len(value) < schema[low]:
        causes.append(invalid_value(path, len(value), f"{path} in body should have at least {schema[low]} {noun}"))
    if high in schema and len(value) > schema[high]:
        text = f"Too many: {len(value)}: must have at most {schema[high]} items"
        causes.append(Cause("FieldValueTooMany", text, path))
    return causes


def _succeeds(parse: Any, *failures: type[Exception]) -> Any:
    def check(value: str) -> bool:
        try:
            parse(value)
        except failures:
            return False
        return True

    return check


def _is_uri(value: str) -> bool:
    try:
        return bool(urlsplit(value).scheme)
    except ValueError:
        return False


_FORMATS = {
    "date-time": _succeeds(datetime.fromisoformat, ValueError),
    "date": _succeeds(lambda value: datetime.strptime(value, "%Y-%m-%d"), ValueError),
    "byte": _succeeds(lambda value: base64.b64decode(value, validate=True), binascii.Error, ValueError),
    "ipv4": _succeeds(ipaddress.IPv4Address, ValueError),
    "ipv6": _succeeds(ipaddress.IPv6Address, ValueError),
    "cidr": _succeeds(ipaddress.ip_network, ValueError),
    "uuid": _succeeds(UUID, ValueError),
    "email": re.compile(r"[^@\s]+@[^@\s]+").fullmatch,
    "uri": _is_uri,
    "hostname": re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?").fullmatch,
}
"""The formats that are checked; any other format is only a remark, as in the real server."""
