"""What Go makes of values and of bytes that are no JSON, where refusals quote it."""

import json
import re
from typing import Any

_LONGEST_GIST = 30
_ENDS = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Expecting value": "looking for beginning of value",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
}


def printed(value: Any) -> str:
    """A value as `%v` prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{printed(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(printed, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


def json_problem(error: json.JSONDecodeError) -> str:
    """What Go's decoder says about text that Python's refuses."""
    rest = error.doc[error.pos :]
    if not rest.strip() or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    if error.msg.startswith("Illegal trailing comma"):
        rest = rest[1:].lstrip()
    end = _ENDS.get(error.msg, "looking for beginning of value")
    if error.msg == "Expecting ',' delimiter" and _in_array(error.doc[: error.pos]):
        end = "after array element"
    return f"invalid character {_quoted(rest.lstrip()[0])} {end}"


def _in_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of a text is a square one."""
    opened = []
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        if sign in "[{":
            opened.append(sign)
        elif sign in "]}":
            opened.pop()
    return opened[-1:] == ["["]


def _quoted(sign: str) -> str:
    return {"'": r"'\''", '"': "'\"'"}.get(sign, f"'{sign}'")


def unmarshal_problem(value: Any) -> str:
    """What is said of a body that is JSON, but no object."""
    names = {list: "array", str: "string", bool: "bool"}
    target = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
    return f"json: cannot unmarshal {names.get(type(value), 'number')} into Go value of type {target}"


def gist(body: bytes) -> str:
    """As much of a body as is quoted: its beginning, in hexadecimal unless it is an object."""
    if not body:
        return "<empty>"
    more = " ..." if len(body) > _LONGEST_GIST else ""
    start = body[:_LONGEST_GIST]
    return (start.decode("utf-8", "replace") if start[:1] == b"{" else start.hex()) + more
