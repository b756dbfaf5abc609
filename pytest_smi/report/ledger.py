"""Where results come together, on the controller: fed with pytest's reports, from any number of workers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.evidence import Instance
from pytest_smi.report.plain import text
from pytest_smi.report.record import Phase, Result, crashed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


@dataclass(frozen=True)
class Problem:
    """Something broken that belongs to no instance: a module that did not import, a crash of an unknown test."""

    nodeid: str
    message: str


class Ledger:
    """All results of a run. `lookup` finds the instance of a node id whose worker died before its first report."""

    def __init__(self, lookup: Callable[[str], Instance | None] | None = None) -> None:
        self._lookup = lookup or (lambda nodeid: None)
        self._final: dict[str, Result] = {}
        self._open: dict[str, tuple[Instance, list[Phase]]] = {}
        self.problems: list[Problem] = []
        self.others = self.other_failures = 0

    @property
    def results(self) -> list[Result]:
        """What has been judged so far, by requirement, API version and node id."""
        return sorted(self._final.values(), key=lambda one: (one.instance.requirement, one.instance.api, one.nodeid))

    @property
    def unfinished(self) -> list[str]:
        """Node ids that have begun and were not judged: the run was interrupted in them."""
        return sorted(self._open)

    def add(self, report: pytest.TestReport) -> Result | None:
        """Note a phase report; the result when it makes one final."""
        carried: dict[str, Any] | None = getattr(report, "smi", None)
        if str(report.when) == "???":
            return self._crash(report)
        if carried is None:
            self.others += int(report.when == "call" and not report.skipped)
            self.other_failures += int(report.failed and not hasattr(report, "wasxfail"))
            return None
        _, phases = self._open.setdefault(report.nodeid, (Instance(**carried["instance"]), []))
        if report.when == "setup":
            phases.clear()
        phases.append(Phase(**carried["phase"]))
        return self.add_result(Result.from_dict(json.loads(carried["result"]))) if "result" in carried else None

    def add_result(self, result: Result) -> Result:
        """Note a judgement that no report carries, e.g. `record.disabled(...)`."""
        self._open.pop(result.nodeid, None)
        self._final[result.nodeid] = result
        return result

    def add_collect(self, report: pytest.CollectReport) -> None:
        """Note a collection that failed."""
        if report.failed:
            self._problem(report.nodeid, f"could not be collected: {_last_line(report.longreprtext)}")

    def _crash(self, report: pytest.TestReport) -> Result | None:
        message = text(report.longrepr)
        instance, phases = self._open.get(report.nodeid, (self._lookup(report.nodeid), []))
        if instance is None:
            self._problem(report.nodeid, message)
            return None
        return self.add_result(crashed(instance, report.nodeid, message, phases))

    def _problem(self, nodeid: str, message: str) -> None:
        problem = Problem(nodeid, message)
        if problem not in self.problems:  # every xdist worker collects, and reports, the same
            self.problems.append(problem)


def _last_line(words: str) -> str:
    lines = [line.removeprefix("E ").strip() for line in words.splitlines() if line.strip()]
    errors = [line.removeprefix("E ").strip() for line in words.splitlines() if line.startswith("E ")]
    return (errors or lines or ["no reason given"])[-1]
