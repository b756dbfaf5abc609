"""The subset of JSONPath that printer columns and selectable fields use: fields, indexes, wildcards, simple filters."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)            # .field, with escaped dots
      | \[(?P<index>-?\d+)\]
      | \[(?P<all>\*)\]
      | \[['"](?P<quoted>[^'"]*)['"]\]
      | \[\?\(@\.(?P<field>[\w.]+)\s*(?P<op>==|!=)\s*['"]?(?P<value>[^'")]*)['"]?\)\]
    """,
    re.VERBOSE,
)


class JsonPathError(ValueError):
    """The expression is outside the subset."""


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[re.Match[str], ...]:
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if text.startswith("$"):
        text = text[1:]
    found, position = [], 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise JsonPathError(f"unsupported JSONPath {path!r} at {text[position:]!r}")
        found.append(match)
        position = match.end()
    return tuple(found)


def check(path: str) -> None:
    """Raise JsonPathError for an expression that cannot be evaluated."""
    _steps(path)


def _select(values: Iterable[Any], step: re.Match[str]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if (name := step["name"] or step["quoted"]) is not None:
            name = name.replace("\\.", ".")
            if name == "*":
                found += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            elif isinstance(value, dict) and name in value:
                found.append(value[name])
        elif not isinstance(value, list):
            continue
        elif step["all"]:
            found += value
        elif step["index"]:
            index = int(step["index"])
            if -len(value) <= index < len(value):
                found.append(value[index])
        else:
            found += [item for item in value if _passes(item, step)]
    return found


def _passes(item: Any, step: re.Match[str]) -> bool:
    for name in step["field"].split("."):
        item = item.get(name) if isinstance(item, dict) else None
    same = (str(item).lower() if isinstance(item, bool) else str(item)) == step["value"]
    return same if step["op"] == "==" else not same


def evaluate(path: str, obj: Any) -> list[Any]:
    """Every value that the expression finds. Raises JsonPathError."""
    values = [obj]
    for step in _steps(path):
        values = _select(values, step)
    return values
