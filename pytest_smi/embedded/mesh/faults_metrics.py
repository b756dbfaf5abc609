"""Faults about the metrics API: what is counted, of whom, and how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.semantics import Semantics

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.metrics_log import Passage

_COUNTS = frozenset({"TM-04", "TM-05", "TM-06", "XG-010"})


@fault(
    "metrics-failures-succeed",
    "Metrics: every call counts as a success",
    kills={"TM-041"},
    may_touch=_COUNTS,
)
class _FailuresSucceed(Semantics):
    def succeeded(self, passage: Passage) -> bool:
        return True
