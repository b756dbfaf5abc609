"""Which instance a worker was busy with when it died before its first report: the controller has only the node id.

A controller collects nothing, so the requirement is read from the test's source, as its author wrote it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_smi.evidence import Instance


def instance_of(
    nodeid: str, folders: Iterable[Path], instances_of: Callable[[str], Iterable[Instance]]
) -> Instance | None:
    """The instance that a node id stands for, or None when it is no test of a requirement.

    The file of the node id is looked for in `folders`; `instances_of` gives the instances of a requirement.
    """
    place, _, parameters = nodeid.partition("[")
    file, *_, name = place.split("::")
    path = next((folder / file for folder in folders if (folder / file).is_file()), None)
    requirement = _requirement_of(path, name) if path else None
    if requirement is None:
        return None
    words = f"-{parameters.removesuffix(']')}-"  # pytest joins the ids of several parameters by hyphens
    return next((one for one in instances_of(requirement) if f"-{one.api}-" in words), None)


def _requirement_of(path: Path, name: str) -> str | None:
    """The id in the decorator `@requirement("TA-005")` or `@pytest.mark.requirement("TA-005")` of a test."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(
                        func=ast.Name(id="requirement") | ast.Attribute(attr="requirement"),
                        args=[ast.Constant(value=str(identifier))],
                    ):
                        return identifier
    return None
