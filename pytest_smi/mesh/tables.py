"""From a TOML table to a dataclass, checked key by key. A mistake is one line: which profile, which key, what to do."""

from __future__ import annotations

import difflib
import types
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Union, dataclass_transform, get_args, get_origin, get_type_hints

from pytest_smi.errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Collection

SEE = "see docs/profiles.md"
_NAMES = {
    str: "a string",
    bool: "true or false",
    float: "a number above 0",
    int: "a whole number above 0",
    dict[str, str]: "a table of strings",
    dict[str, Any]: "a table",
    tuple[str, ...]: "a list of strings",
}


def key(
    doc: str,
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    choices: Collection[str] = (),
    example: str = "",
) -> Any:
    """A key of a profile: what it says (for the docs), and its default; without one it is required.

    `choices` are the values it may have, or that each item of its list may have; `example` shows how to write it.
    """
    metadata = {"doc": doc, "choices": tuple(choices), "example": example}
    if default is MISSING and default_factory is MISSING:
        return field(metadata=metadata)
    if default_factory is MISSING:
        return field(default=default, metadata=metadata)
    return field(default_factory=default_factory, metadata=metadata)


@dataclass_transform(field_specifiers=(key,), frozen_default=True, kw_only_default=True)
def section(cls: type[Any]) -> type[Any]:
    """Make a frozen dataclass of a section of the profile; its keys are declared with `key`."""
    return dataclass(frozen=True, kw_only=True)(cls)


def nearest(word: str, known: Collection[str], otherwise: str = "") -> str:
    """Advice on a word that is not among the known ones."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]}?" if near else otherwise or f"known: {', '.join(known)}"


class Table:
    """One table of a profile on its way to a dataclass. `where` names the profile, `at` the section (empty: top)."""

    def __init__(self, where: str, at: str = "") -> None:
        self.where = where
        self.at = at

    def build(self, cls: type[Any], table: Any) -> Any:
        """An instance of the section `cls`. Raises MeshError for a key it does not have or a value of another type."""
        if not isinstance(table, dict):
            raise MeshError(f"profile {self.where}: {self.at} must be a table", f"write it as [{self.at}]")
        hints = get_type_hints(cls)
        for name in table:
            if name not in hints:
                raise self.wrong(f"unknown key {name}", nearest(name, hints))
        for one in fields(cls):
            required = one.default is MISSING and one.default_factory is MISSING
            if required and one.name not in table:
                raise self.wrong(f"{one.name} is missing", one.metadata.get("example") or SEE)
        choices = {one.name: one.metadata.get("choices", ()) for one in fields(cls)}
        return cls(**{name: self._value(hints[name], value, name, choices[name]) for name, value in table.items()})

    def wrong(self, what: str, advice: str = SEE) -> MeshError:
        """The error for something wrong in this table."""
        return MeshError(f"profile {self.where}: {f'[{self.at}] ' if self.at else ''}{what}", advice)

    def _value(self, hint: Any, value: Any, name: str, choices: Collection[str]) -> Any:
        hint = _without_none(hint)
        inner = Table(self.where, f"{self.at}.{name}" if self.at else name)
        if isinstance(hint, type) and is_dataclass(hint):
            return inner.build(hint, value)
        member = get_args(hint)[0] if get_origin(hint) is tuple else None
        if isinstance(member, type) and is_dataclass(member) and isinstance(value, list):
            return tuple(inner.build(member, one) for one in value)
        if not _fits(hint, value):
            raise self.wrong(f"{name} = {value!r} is not {_NAMES.get(hint, 'a list of tables')}")
        for one in value if isinstance(value, list) else [value]:
            if choices and one not in choices:
                raise self.wrong(f"{name} = {one!r} is not known", nearest(str(one), choices))
        return tuple(value) if isinstance(value, list) else float(value) if hint is float else value


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    return hint


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value read from TOML is of a plain type."""
    if hint is Any:
        return True
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is float:
        return isinstance(value, (int, float)) and value > 0
    if hint is int:
        return isinstance(value, int) and value > 0
    if hint == tuple[str, ...]:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if hint == dict[str, str]:
        return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    return isinstance(value, get_origin(hint) or hint)
