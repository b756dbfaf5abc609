"""Where things are kept: what was built stays in the cache, what a cluster writes goes with it."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def cache() -> Path:
    """The folder for built programs and images: `$XDG_CACHE_HOME/pytest-smi-e2e`, by default below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pytest-smi-e2e"


def state() -> Path:
    """The folder of the running cluster; gone when it is down."""
    return cache() / "state"
