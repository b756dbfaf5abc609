"""Label selectors: read from a query such as `app=x,tier in (a,b),!old` or from a LabelSelector, and matched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import naming
from pytest_smi.embedded.kubeapi.values import invalid_value

_SIGNS = "=!(),><"
_WORDS = ("in", "notin")
_TOKENS = {")", ",", "!", "==", "=", "!=", "(", ">", "<"}
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", ">": ">", "<": "<", "in": "in", "notin": "notin"}
_IDENTIFIER = "identifier"


class SelectorError(ValueError):
    """The selector cannot be read, or asks for a field that cannot be selected by."""


@dataclass(slots=True, frozen=True)
class Requirement:
    """One condition on labels; `operator` is = != in notin exists absent > or <, `values` what it compares with."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet this condition."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "=" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
        try:
            left, right = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return left > right if self.operator == ">" else left < right

    def __str__(self) -> str:
        """The condition as a query would have it."""
        values = ",".join(sorted(self.values))
        match self.operator:
            case "exists":
                return self.key
            case "absent":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({values})"
        return f"{self.key}{self.operator}{values}"


def parse(text: str) -> list[Requirement]:
    """A label selector of a query. Raises SelectorError."""
    return _Parser(_tokens(text)).selector()


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of every token; the kind of a sign or word is its text, that of the end is empty."""
    found, place = [], 0
    while place < len(text):
        if text[place] in " \t\r\n":
            place += 1
            continue
        end = place + 1
        if text[place] in _SIGNS:
            while end < len(text) and text[end] in _SIGNS and text[place : end + 1] in _TOKENS:
                end += 1
            found.append((text[place:end], text[place:end]))
        else:
            while end < len(text) and text[end] not in _SIGNS + " \t\r\n":
                end += 1
            word = text[place:end]
            found.append((word if word in _WORDS else _IDENTIFIER, word))
        place = end
    return [*found, ("", "")]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    def _peek(self) -> tuple[str, str]:
        """The next token where a value is expected: there, `in` is a word like any other."""
        kind, text = self._tokens[self._place]
        return (_IDENTIFIER if kind in _WORDS else kind), text

    def _take(self) -> tuple[str, str]:
        found = self._peek()
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return found

    def selector(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            kind, text = self._peek()
            if not kind:
                return found
            if kind not in (_IDENTIFIER, "!"):
                raise SelectorError(f"found '{text}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            kind, text = self._take()
            if not kind:
                return found
            if kind != ",":
                raise SelectorError(f"found '{text}', expected: ',' or 'end of string'")
            if self._peek()[0] not in (_IDENTIFIER, "!"):
                raise SelectorError(f"found '{self._peek()[1]}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        kind, text = self._take()
        absent = kind == "!"
        if absent:
            kind, text = self._take()
        if kind != _IDENTIFIER:
            raise SelectorError(f"found '{text}', expected: identifier")
        _check("", text, naming.qualified_name(text))
        if absent or self._peek()[0] in ("", ","):
            return Requirement(text, "absent" if absent else "exists")
        sign = self._tokens[self._place]
        self._take()
        if sign[0] not in _OPERATORS:
            raise SelectorError(f"found '{sign[1]}', expected: in, notin, =, ==, !=, gt, lt")
        operator = _OPERATORS[sign[0]]
        values = self._set() if operator in _WORDS else [self._value()]
        _check_values(text, operator, values)
        return Requirement(text, operator, tuple(dict.fromkeys(values)))

    def _value(self) -> str:
        if self._peek()[0] in ("", ","):
            return ""
        kind, text = self._take()
        if kind != _IDENTIFIER:
            raise SelectorError(f"found '{text}', expected: identifier")
        return text

    def _set(self) -> list[str]:
        kind, text = self._take()
        if kind != "(":
            raise SelectorError(f"found '{text}' expected: '('")
        values = [""] if self._peek()[0] in (")", ",") else []
        while True:
            kind, text = self._take()
            if kind == ")":
                return values
            if kind == _IDENTIFIER:
                values.append(text)
                if self._peek()[0] not in (")", ","):
                    raise SelectorError(f"found '{self._peek()[1]}', expected: ',' or ')'")
            elif kind != ",":
                raise SelectorError(f"found '{text}', expected: ',', or identifier")
            elif self._peek()[0] in (")", ","):
                values.append("")


def _check(path: str, value: str, problems: list[str]) -> None:
    if problems:
        raise SelectorError(f"{path or '<nil>'}: {invalid_value('', value, '; '.join(problems)).message}")


def _check_values(key: str, operator: str, values: list[str]) -> None:
    for place, value in enumerate(values):
        path = f"values[{place}]"
        if operator in "<>" and not value.lstrip("+-").isdigit():
            _check(path, value, ["for 'Gt', 'Lt' operators, the value must be an integer"])
        _check(f"{path}[{key}]", value, naming.label_value(value))


_OF_OBJECTS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


def requirements(selector: Mapping[str, Any] | None) -> list[Requirement]:
    """The conditions of a LabelSelector object (matchLabels and matchExpressions)."""
    selector = selector or {}
    found = [Requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for item in selector.get("matchExpressions") or ():
        operator = _OF_OBJECTS.get(item.get("operator", ""))
        if operator is None:
            raise SelectorError(f"{item.get('operator')!r} is not a valid label selector operator")
        found.append(Requirement(item.get("key", ""), operator, tuple(item.get("values") or ())))
    return found


def selector(wanted: list[Requirement]) -> dict[str, Any]:
    """The conditions as a LabelSelector object, equalities in its matchLabels; > and < have no place there."""
    operators = {**{ours: theirs for theirs, ours in _OF_OBJECTS.items()}, "!=": "NotIn"}
    equal = [one for one in wanted if one.operator in ("=", "in") and len(one.values) == 1]
    others = [
        {"key": one.key, "operator": operators.get(one.operator, one.operator), "values": list(one.values)}
        for one in wanted
        if one not in equal
    ]
    found: dict[str, Any] = {"matchLabels": {one.key: one.values[0] for one in equal}}
    return found | ({"matchExpressions": others} if others else {})


def match(wanted: list[Requirement], obj: Mapping[str, Any]) -> bool:
    """Whether an object's labels meet every condition."""
    labels = obj.get("metadata", {}).get("labels") or {}
    return all(requirement.matches(labels) for requirement in wanted)
