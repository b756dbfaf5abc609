"""The labels of everything that a run creates."""

from __future__ import annotations

RUN_LABEL = "pytest-smi.dev/run"
MANAGED_BY = {"app.kubernetes.io/managed-by": "pytest-smi"}


def labels(run: str) -> dict[str, str]:
    """The labels of what the run of that id creates."""
    return {**MANAGED_BY, RUN_LABEL: run}
