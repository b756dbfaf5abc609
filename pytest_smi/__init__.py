"""pytest-smi: fixtures, assertions and the conformance suite for the Service Mesh Interface.

What a test author imports stands here, and nothing else is public. Names load on first use, because pytest imports the
plugin (and with it this module) in every run of an environment.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_smi.errors import HarnessError as HarnessError
    from pytest_smi.errors import NonConformance as NonConformance

__version__ = "0.1.0"

_HOME = {
    "NonConformance": "pytest_smi.errors",
    "HarnessError": "pytest_smi.errors",
}

__all__ = ["HarnessError", "NonConformance"]


def __getattr__(name: str) -> Any:
    try:
        return getattr(import_module(_HOME[name]), name)
    except KeyError:
        raise AttributeError(f"module 'pytest_smi' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
