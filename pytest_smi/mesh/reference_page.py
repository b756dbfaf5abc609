"""The reference of the profile format, written from the dataclasses that check it.

`python -m pytest_smi.mesh.reference_page docs/profiles.md` brings the page up to date.
"""

from __future__ import annotations

import sys
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from pytest_smi.mesh.profile import Profile

MARK = "<!-- From here on written by: python -m pytest_smi.mesh.reference_page docs/profiles.md -->"

_NAMES: dict[Any, str] = {
    str: "string",
    bool: "true or false",
    float: "number",
    int: "whole number",
    dict[str, str]: "table of strings",
    dict[str, Any]: "table",
    tuple[str, ...]: "list of strings",
    Any: "any value",
}


def reference() -> str:
    """The whole reference as Markdown: the keys at the top, then every section in the order of the profile."""
    parts = ["### Top level\n\n" + _table(Profile)]
    parts += [_section(name, _member(hint), _is_list(hint)) for name, hint in _sections(Profile)]
    return "\n".join(parts)


def _section(path: str, cls: type[Any], repeated: bool) -> str:
    """A section and, after it, those inside it."""
    words = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
    more = " ".join(" ".join((cls.__doc__ or "").split("\n\n")[1:]).split())
    title = f"### `[[{path}]]`" if repeated else f"### `[{path}]`"
    text = f"{title}\n\n{words}{f' {more}' if more else ''}\n\n{_table(cls)}"
    inner = [_section(f"{path}.{name}", _member(hint), _is_list(hint)) for name, hint in _sections(cls)]
    return "\n".join([text, *inner])


def _table(cls: type[Any]) -> str:
    hints = get_type_hints(cls)
    lines = ["| key | value | what it says |", "|---|---|---|"]
    for one in fields(cls):
        doc = one.metadata["doc"]
        example = one.metadata["example"]
        if example and "=" not in example:
            doc += f", e.g. `{example}`"
        choices = one.metadata["choices"]
        if choices:
            doc += f"; known: {', '.join(f'`{choice}`' for choice in choices)}"
        cells = (f"`{one.name}`", _value(hints[one.name], one), doc)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _value(hint: Any, one: Any) -> str:
    """The type of a key, and its default."""
    hint = _plain(hint)
    member = _member(hint)
    if is_dataclass(member):
        name = "list of tables, see below" if _is_list(hint) else "table, see below"
    else:
        name = _NAMES[hint]
    if one.default is MISSING and one.default_factory is MISSING:
        return f"{name}; required"
    default = one.default
    if default in (MISSING, None, "", ()):
        return name
    shown = (
        str(default).lower() if isinstance(default, bool) else f'"{default}"' if isinstance(default, str) else default
    )
    return f"{name}; `{shown}`"


def _sections(cls: type[Any]) -> list[tuple[str, Any]]:
    return [(name, _plain(hint)) for name, hint in get_type_hints(cls).items() if is_dataclass(_member(_plain(hint)))]


def _plain(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    return hint


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _member(hint: Any) -> Any:
    return get_args(hint)[0] if _is_list(hint) else hint


def updated(page: str) -> str:
    """The page with the reference as it should be, in place of all that follows the mark."""
    before, _, _ = page.partition(MARK)
    return f"{before}{MARK}\n\n{reference()}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text("utf-8")), "utf-8")
