"""What third parties may implement, in a `conftest.py` or in a plugin of their own (entry point group `pytest11`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.hookspec
def pytest_smi_mesh_profiles(config: pytest.Config) -> Mapping[str, Path]:  # type: ignore[empty-body]
    """Mesh profiles to know by name: name -> TOML file. `--smi-mesh=NAME` and `extends = "NAME"` then find them.

    Called once, when a run that judges a mesh begins. A name that is taken already is an error.
    """
