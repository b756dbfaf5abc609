"""The differences that are known, as docs/api-differences.md lists them.

A line ``* `story/step` `path` `` under a heading lists some; both may have `*` in them, which stands for anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.embedded.differential.difference import Difference

PAGE = Path(__file__).parents[3] / "docs" / "api-differences.md"
_LINE = re.compile(r"\* `([^`]+)` `([^`]*)`")


@dataclass(frozen=True)
class Listed:
    """One line: patterns for a step and for a path in its answer."""

    step: str
    path: str

    def covers(self, one: Difference) -> bool:
        """Whether the line speaks of a difference."""
        return _fits(self.step, one.step) and _fits(self.path, one.path)

    def __str__(self) -> str:
        return f"* `{self.step}` `{self.path}`"


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def read(page: str) -> list[Listed]:
    """Every line of a page that lists differences. Raises ValueError for a list item that cannot be read."""
    found = []
    for line in page.splitlines():
        if line.startswith("* `"):
            match = _LINE.fullmatch(line.rstrip())
            if match is None:
                raise ValueError(f"{PAGE.name}: cannot read the line {line!r}")
            found.append(Listed(match[1], match[2]))
    return found


def unlisted(differences: Iterable[Difference], listed: list[Listed]) -> list[Difference]:
    """Differences that no line speaks of."""
    return [one for one in differences if not any(line.covers(one) for line in listed)]


def outdated(differences: Iterable[Difference], listed: list[Listed]) -> list[Listed]:
    """Lines that speak of no difference (any more)."""
    every = list(differences)
    return [line for line in listed if not any(line.covers(one) for one in every)]
