"""`${NAME}` in what a profile hands to programs and charts: filled in from the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def expanded(value: Any, environment: Mapping[str, str], where: str) -> Any:
    """The value with every `${NAME}` and `${NAME:-default}` in its strings filled in, however deep they are.

    Raises MeshError for a name that is not set; `where` says in which profile and key.
    """
    if isinstance(value, dict):
        return {name: expanded(one, environment, where) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [expanded(one, environment, where) for one in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = environment.get(name, default)
        if found is None:
            raise MeshError(f"{where} uses ${{{name}}}, which is not set", f"export {name}=...")
        return found

    return _NAME.sub(fill, value)
