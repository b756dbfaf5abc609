"""Label and field selectors of list and watch requests."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_NAME = r"(?:[A-Za-z0-9][-A-Za-z0-9.]*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_SET = re.compile(rf"\s*({_NAME})\s+(in|notin)\s*\(([^()]*)\)\s*")
_BINARY = re.compile(rf"\s*({_NAME})\s*(==|=|!=|<|>)\s*([-A-Za-z0-9_.]*)\s*")
_EXISTS = re.compile(rf"\s*(!?)\s*({_NAME})\s*")


class SelectorError(ValueError):
    """The selector cannot be read, or asks for a field that cannot be selected by."""


@dataclass(slots=True, frozen=True)
class Requirement:
    """One condition on labels; `values` are those of in/notin, or the one compared with."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet this condition."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        try:
            left, right = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return left > right if self.operator == ">" else left < right


def parse_labels(text: str) -> list[Requirement]:
    """A label selector such as `app=x,tier in (a,b),!old`. Raises SelectorError."""
    found: list[Requirement] = []
    position = 0
    while position < len(text):
        requirement, position = _next_requirement(text, position)
        found.append(requirement)
        if position < len(text):
            if text[position] != ",":
                raise SelectorError(f"unable to parse requirement: found '{text[position:]}', expected: ',' or 'end'")
            position += 1
            if not text[position:].strip():
                raise SelectorError("unable to parse requirement: found '', expected: identifier after ','")
    return found


def _next_requirement(text: str, position: int) -> tuple[Requirement, int]:
    if match := _SET.match(text, position):
        values = tuple(value.strip() for value in match[3].split(","))
        return Requirement(match[1], match[2], values), match.end()
    if match := _BINARY.match(text, position):
        operator = {"=": "in", "==": "in", "!=": "notin"}.get(match[2], match[2])
        return Requirement(match[1], operator, (match[3],)), match.end()
    if match := _EXISTS.match(text, position):
        return Requirement(match[2], "absent" if match[1] else "exists"), match.end()
    raise SelectorError(f"unable to parse requirement: found '{text[position:]}', expected: identifier")


def requirements(selector: Mapping[str, Any] | None) -> list[Requirement]:
    """The conditions of a LabelSelector object (matchLabels and matchExpressions)."""
    selector = selector or {}
    found = [Requirement(key, "in", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    for item in selector.get("matchExpressions") or ():
        operator = operators.get(item.get("operator", ""))
        if operator is None:
            raise SelectorError(f"{item.get('operator')!r} is not a valid label selector operator")
        found.append(Requirement(item.get("key", ""), operator, tuple(item.get("values") or ())))
    return found


def labels_match(wanted: list[Requirement], obj: Mapping[str, Any]) -> bool:
    """Whether an object's labels meet every condition."""
    labels = obj.get("metadata", {}).get("labels") or {}
    return all(requirement.matches(labels) for requirement in wanted)


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
            if builtin and selectable:
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
    wanted = parse_labels(label_selector)
    terms = parse_fields(field_selector, selectable, builtin=builtin)

    def matches(obj: Mapping[str, Any]) -> bool:
        return labels_match(wanted, obj) and all(
            (field_value(obj, name) == value) is equal for name, equal, value in terms
        )

    return matches
