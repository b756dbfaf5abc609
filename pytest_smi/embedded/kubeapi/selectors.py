"""Label and field selectors of list and watch requests, as one test."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_smi.embedded.kubeapi import labels
from pytest_smi.embedded.kubeapi.labels import SelectorError


def field_value(obj: Mapping[str, Any], path: str) -> str:
    """A scalar field as field selectors compare it; an absent one is the empty string."""
    value: Any = obj
    for part in path.lstrip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if path == "source" and isinstance(value, dict):
        value = value.get("component")  # events: the selectable "source" is the component's name
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_TERM = re.compile(r"^([^=!]+)(==|=|!=)(.*)$")


def parse_fields(text: str, selectable: tuple[str, ...], *, builtin: bool) -> list[tuple[str, bool, str]]:
    """Terms (field, must be equal, value). Raises SelectorError for a field that cannot be selected by."""
    terms = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _TERM.match(part)
        if match is None:
            raise SelectorError(f"invalid selector: '{part}'; can't understand '{part}'")
        name = match[1].strip()
        known = ("metadata.name", "metadata.namespace", *(path.lstrip(".") for path in selectable))
        if name not in known:
            if not builtin or selectable:
                raise SelectorError(f"field label not supported: {name}")
            listed = ", ".join(f'"{field}"' for field in known)
            raise SelectorError(f'"{name}" is not a known field selector: only {listed}')
        terms.append((name, match[2] != "!=", match[3].strip()))
    return terms


Predicate = Callable[[Mapping[str, Any]], bool]


def everything(_obj: Mapping[str, Any]) -> bool:
    """The predicate of a request without selectors."""
    return True


def predicate(label_selector: str, field_selector: str, selectable: tuple[str, ...], *, builtin: bool) -> Predicate:
    """One test for both selectors. Raises SelectorError."""
    if not label_selector and not field_selector:
        return everything
    wanted = labels.parse(label_selector)
    terms = parse_fields(field_selector, selectable, builtin=builtin)

    def matches(obj: Mapping[str, Any]) -> bool:
        return labels.match(wanted, obj) and all(
            (field_value(obj, name) == value) is equal for name, equal, value in terms
        )

    return matches
