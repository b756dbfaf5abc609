"""One instance on trial, in the process that runs its test: takes pytest's phase reports and makes them agree with us.

pytest knows passed, failed and skipped. A requirement that is not binding must not turn a run red, and a known failure
must turn it red when it passes; so the reports are adjusted here, once, before any reporter (terminal, JUnit, Allure,
xdist) sees them. `report.smi` carries the judgement to the controller.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import NonConformance
from pytest_smi.evidence import Case, Instance, Verdict
from pytest_smi.report.plain import plain, text
from pytest_smi.report.record import Known, Phase, Result, message_of, phase_of, result_of, verdict_of

if TYPE_CHECKING:
    from pytest import TestReport

    from pytest_smi.report.allure import Allure

#: Why reports of a strict and of a lenient `xfail` mark cannot be trusted as they are: pytest lets any exception count.
_XFAIL = "marked xfail"


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
        self, report: TestReport, exception: BaseException | None, user_properties: list[Any] | None = None
    ) -> Result | None:
        """Note how a phase ended, adjust its report, attach `report.smi`; the result once the teardown is known.

        `user_properties` is the item's own list, extended as well, for plugins that read the item.
        """
        if report.when == "setup" and self.phases:
            self.phases = []
        phase = self._phase(report, exception)
        self.phases.append(phase)
        self._adjust(report, phase)
        carried: dict[str, Any] = {"instance": plain(asdict(self.instance)), "phase": plain(asdict(phase))}
        result = None
        if report.when == "teardown" or phase.kind == "nonconformance":
            result = self._judge(report, user_properties if report.when == "teardown" else None)
        if report.when == "teardown" and result is not None:
            carried["result"] = result.as_dict()
        report.smi = carried  # type: ignore[attr-defined]
        return result if report.when == "teardown" else None

    def _judge(self, report: TestReport, user_properties: list[Any] | None) -> Result:
        result = result_of(self.case, report.nodeid, self.phases, self._known)
        from pytest_smi.report.junit import properties

        # A failed call whose teardown fails too becomes two testcases in JUnit: both need the properties.
        report.user_properties.extend(properties(result))
        if user_properties is not None:
            user_properties.extend(properties(result))
            if self._allure:
                self._allure.conclude(result)
        return result

    def _phase(self, report: TestReport, exception: BaseException | None) -> Phase:
        expected = getattr(report, "wasxfail", None)
        if expected is not None and self._known is None and _may_be_known(exception):
            self._known = Known(_XFAIL, text(expected))
        skipped = report.outcome == "skipped" and expected is None
        phase = phase_of(str(report.when), exception, skipped=skipped, seconds=report.duration)
        if expected is not None and type(exception).__name__ == "XFailed":
            return replace(phase, kind="nonconformance")
        if exception is None and report.outcome == "failed":  # a strict xfail that passed; nobody else does this
            self._known = self._known or Known(_XFAIL, text(report.longrepr).removeprefix("[XPASS(strict)] "))
        return phase

    def _adjust(self, report: TestReport, phase: Phase) -> None:
        """Make pytest's outcome of this phase the one that our verdict means."""
        if phase.when == "call" and phase.kind in ("passed", "nonconformance"):
            verdict = verdict_of(self.instance.level, self.phases, self._known is not None)
            self._adjust_call(report, verdict, phase)
        elif hasattr(report, "wasxfail"):
            del report.wasxfail  # an xfail mark must not hide that the harness broke
            report.outcome = "failed" if phase.kind in ("harness", "other") else report.outcome

    def _adjust_call(self, report: TestReport, verdict: Verdict, phase: Phase) -> None:
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        if verdict is Verdict.OBSERVATION:
            report.outcome, report.longrepr = "passed", None
            if phase.message:
                report.sections.append(("SMI observation", phase.message))
        elif verdict is Verdict.KNOWN_FAILURE:
            report.outcome, report.wasxfail = "skipped", f"known failure: {self._known}"
        elif verdict is Verdict.FAIL and phase.kind == "passed":
            report.outcome = "failed"
            report.longrepr = result_of(self.case, report.nodeid, self.phases, self._known).message


def _may_be_known(exception: BaseException | None) -> bool:
    return exception is None or isinstance(exception, NonConformance) or type(exception).__name__ == "XFailed"


__all__ = ["Trial", "message_of"]
