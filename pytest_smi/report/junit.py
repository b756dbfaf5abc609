"""JUnit XML: what pytest's own writer does not know of a verdict.

Properties of a testcase travel in `TestReport.user_properties`, which xdist carries and xunit2 allows. What is left is
said to pytest's writer itself, on the controller; its object is private to pytest, so every access is guarded and a
pytest that has moved it merely loses these extras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.evidence import Verdict
from pytest_smi.report.plain import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_smi.report.record import Result

_BROKEN = ("harness", "other")


def properties(result: Result) -> list[tuple[str, str | float]]:
    """The `<property>` entries of a testcase; those that do not apply are left out."""
    instance = result.instance
    pairs: list[tuple[str, str | float | None]] = [
        ("requirement", instance.requirement),
        ("level", instance.level),
        ("area", instance.area),
        ("api", instance.api),
        ("verdict", result.verdict.value),
        ("convergence_seconds", result.convergence_seconds),
        ("feature", result.feature),
        ("issue", result.issue),
        ("observation", result.message if result.verdict is Verdict.OBSERVATION else None),
    ]
    return [(name, value) for name, value in pairs if value is not None and value != ""]


def amend(config: pytest.Config, report: pytest.TestReport, judged: Result | None) -> None:
    """Correct what the writer made of this report; to be called after it has seen the report.

    A harness error in the call phase becomes `<error>` (pytest writes `<failure>` for any exception there), and a
    test whose worker crashed gets its properties (it has no teardown report to bring them).
    """
    xml = _writer(config)
    carried: dict[str, Any] = getattr(report, "smi", None) or {}
    if xml is None:
        return
    try:
        if report.when == "call" and carried.get("phase", {}).get("kind") in _BROKEN:
            _failure_to_error(xml, xml.node_reporter(report))
        if judged is not None and str(report.when) == "???":
            for name, value in properties(judged):
                xml.node_reporter(report).add_property(name, value)
    except (AttributeError, KeyError, TypeError):
        return


def add_suite_properties(config: pytest.Config, values: Mapping[str, object]) -> None:
    """Properties of the whole `<testsuite>`; `record_testsuite_property` would lose them under xdist.

    To be called on the controller before pytest's writer finishes, e.g. in `pytest_sessionstart`.
    """
    xml = _writer(config)
    if xml is None:
        return
    try:
        for name, value in values.items():
            xml.add_global_property(name, text(value))
    except AttributeError:
        return


def _failure_to_error(xml: Any, testcase: Any) -> None:
    for node in testcase.nodes:
        if node.tag == "failure":
            node.tag = "error"
            xml.stats["failure"] -= 1
            xml.stats["error"] += 1


def _writer(config: pytest.Config) -> Any:
    try:
        from _pytest.junitxml import xml_key
    except ImportError:
        return None
    return config.stash.get(xml_key, None)
