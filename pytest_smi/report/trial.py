"""One instance on trial, in the process that runs its test: takes pytest's phase reports and makes them agree with us.

pytest knows passed, failed and skipped. A requirement that is not binding must not turn a run red, and a known failure
must turn it red when it passes; so the reports are adjusted here, once, before any reporter (terminal, JUnit, Allure,
xdist) sees them. `report.smi` carries the judgement to the controller.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import NonConformance
from pytest_smi.evidence import Case, Instance, Verdict
from pytest_smi.report.junit import properties
from pytest_smi.report.plain import plain, text
from pytest_smi.report.record import Known, Phase, Result, instance_dict, phase_of, result_of, verdict_of

if TYPE_CHECKING:
    import pytest

    from pytest_smi.report.allure import Allure

_STRICT_XPASS = "[XPASS(strict)] "


class Trial:
    """What is known of one instance while its test runs: its `case` (evidence), and how each phase ended."""

    def __init__(
        self, instance: Instance, *, known: Known | None = None, allure: Allure | None = None, source: str = ""
    ) -> None:
        self.instance = instance
        self.case = Case(instance)
        self.phases: list[Phase] = []
        self._declared = known
        self._known = known
        self._allure = allure
        self._source = source

    def begin(self) -> Case:
        """Start (or start again) with an empty case; its clock begins now. To be called before any fixture."""
        self.phases = []
        self._known = self._declared
        self.case = Case(self.instance, on_step=self._allure.step if self._allure else None)
        if self._allure:
            self._allure.describe(self.instance, self._source)
        return self.case

    def take(
        self, report: pytest.TestReport, exception: BaseException | None, user_properties: list[Any] | None = None
    ) -> Result | None:
        """Note how a phase ended, adjust its report, attach `report.smi`; the result once the teardown is known.

        `user_properties` is the item's own list, extended as well, for plugins that read the item.
        """
        phase = self._phase(report, exception)
        self.phases.append(phase)
        if phase.when == "call" and phase.kind in ("passed", "nonconformance"):
            self._adjust_call(report, phase)
        _make_encodable(report)
        report.smi = {"instance": instance_dict(self.instance), "phase": plain(asdict(phase))}  # type: ignore[attr-defined]
        if report.when == "teardown":
            return self._conclude(report, user_properties)
        if report.when == "call" and report.failed:
            # When the teardown fails too, JUnit makes two testcases of them: the first has the properties from here.
            report.user_properties.extend(properties(self._result(report)))
        return None

    def _conclude(self, report: pytest.TestReport, user_properties: list[Any] | None) -> Result:
        result = self._result(report)
        for target in (report.user_properties, user_properties):
            if target is not None:
                target.extend(properties(result))
        # As text: execnet, which carries reports between xdist's processes, knows no integer below -2**31.
        report.smi["result"] = json.dumps(result.as_dict(), ensure_ascii=False)
        if self._allure:
            self._allure.conclude(result)
        return result

    def _result(self, report: pytest.TestReport) -> Result:
        return result_of(self.case, report.nodeid, self.phases, self._known)

    def _phase(self, report: pytest.TestReport, exception: BaseException | None) -> Phase:
        skip = None
        if report.outcome == "skipped" or hasattr(report, "wasxfail") or _passed_strict_xfail(report):
            skip = self._see_through_xfail(report, exception)
        return phase_of(str(report.when), exception, skip=skip, seconds=report.duration)

    def _see_through_xfail(self, report: pytest.TestReport, exception: BaseException | None) -> str | None:
        """Take an xfail mark for a known failure, and no more: it must not hide that the harness broke.

        Gives the reason of what really is a skip (`pytest.xfail()` in a test counts as one: nothing was judged).
        """
        reason = text(getattr(report, "wasxfail", ""))
        if type(exception).__name__ == "XFailed":
            return reason
        if isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
            return text(report.longrepr[2]).removeprefix("Skipped: ")
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        if exception is None or (isinstance(exception, NonConformance) and report.when == "call"):
            reason = reason or text(report.longrepr or "").removeprefix(_STRICT_XPASS)
            self._known = self._known or Known("xfail", reason)
        report.outcome = "passed" if exception is None else "failed"
        return None

    def _adjust_call(self, report: pytest.TestReport, phase: Phase) -> None:
        """Make pytest's outcome of a call that was judged the one that our verdict means."""
        known, provisional = self._known is not None, self.instance.provisional
        verdict = verdict_of(self.instance.level, self.phases, known, provisional)
        if verdict in (Verdict.PASS, Verdict.OBSERVATION):
            report.outcome, report.longrepr = "passed", None
            if phase.message:
                report.sections.append(("SMI observation", phase.message))
        elif verdict is Verdict.KNOWN_FAILURE:
            report.outcome, report.wasxfail = "skipped", f"known failure: {self._known}"
        elif phase.kind == "passed":
            report.outcome, report.longrepr = "failed", self._result(report).message


def _passed_strict_xfail(report: pytest.TestReport) -> bool:
    return report.failed and isinstance(report.longrepr, str) and report.longrepr.startswith(_STRICT_XPASS)


def _make_encodable(report: pytest.TestReport) -> None:
    """A lone surrogate (from bytes that a mesh sent) in a traceback would stop an xdist worker: escape it."""
    try:
        report.longreprtext.encode("utf-8")
    except UnicodeEncodeError:
        report.longrepr = text(report.longreprtext)
