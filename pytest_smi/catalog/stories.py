"""The test of each requirement, found in the suite's source without importing it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pytest_smi.paths import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Story:
    """One test of the suite: its file below the suite's folder, line, name, docstring and source."""

    file: str
    line: int
    name: str
    text: str
    source: str

    @property
    def nodeid(self) -> str:
        """File and name, as pytest names it."""
        return f"conformance_tests/{self.file}::{self.name}"


@cache
def stories() -> Mapping[str, tuple[Story, ...]]:
    """Requirement id -> the tests that judge it. Takes some tenths of a second; read once."""
    folder = shipped("conformance_tests")
    found: dict[str, list[Story]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for identifier, story in _in_module(path.read_text("utf-8"), path.relative_to(folder).as_posix()):
            found.setdefault(identifier, []).append(story)
    return {identifier: tuple(several) for identifier, several in found.items()}


def _in_module(source: str, file: str) -> Iterator[tuple[str, Story]]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            text = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
            story = Story(file, node.lineno, node.name, ast.get_docstring(node) or "", text)
            for decorator in node.decorator_list:
                if (identifier := _requirement(decorator)) is not None:
                    yield identifier, story


def _requirement(decorator: ast.expr) -> str | None:
    match decorator:
        case ast.Call(func=ast.Name(id="requirement"), args=[ast.Constant(value=str(identifier))]):
            return identifier
    return None
