from __future__ import annotations

import json
import subprocess
import sys

import execnet
import pytest

from pytest_smi.errors import ClusterError, NonConformance
from pytest_smi.evidence import Instance, Verdict
from pytest_smi.report.allure import connect
from pytest_smi.report.ledger import Ledger
from pytest_smi.report.record import Known, Result
from pytest_smi.report.trial import Trial

NODEID = "test_x.py::test_y[access-v1alpha3]"


def instance(level: str = "must", requirement: str = "TA-005") -> Instance:
    return Instance(
        requirement, level, "access", "g", "access-v1alpha3", {"access": "v1alpha3"}, "s", unsupported="x: y"
    )


def report(when: str, outcome: str = "passed", longrepr: object = None, nodeid: str = NODEID) -> pytest.TestReport:
    location = (nodeid.partition("::")[0], 0, "test_y")
    return pytest.TestReport(nodeid, location, {}, outcome, longrepr, when, duration=0.1)  # type: ignore[arg-type]


def call_report(exception: BaseException | None, when: str = "call") -> pytest.TestReport:
    return report(when, "failed" if exception else "passed", str(exception) if exception else None)


def on_trial(trial: Trial, exception: BaseException | None = None) -> list[pytest.TestReport]:
    trial.begin()
    reports = [report("setup"), call_report(exception), report("teardown")]
    for one in reports:
        trial.take(one, exception if one.when == "call" else None)
    return reports


def over_the_wire(one: pytest.TestReport) -> pytest.TestReport:
    """What xdist makes of a report between a worker and the controller."""
    received: pytest.TestReport = pytest.TestReport._from_json(execnet.loads(execnet.dumps(one._to_json())))
    return received


@pytest.mark.parametrize(
    ("level", "known", "exception", "outcome"),
    [
        ("must", None, None, "passed"),
        ("must", None, NonConformance("x"), "failed"),
        ("must", None, ClusterError("x"), "failed"),
        ("open", None, NonConformance("x"), "passed"),
        ("open", None, ClusterError("x"), "failed"),
        ("should", None, NonConformance("x"), "passed"),
        ("must", Known("https://example.org/1"), NonConformance("x"), "skipped"),
        ("must", Known("https://example.org/1"), None, "failed"),
        ("open", Known("https://example.org/1"), None, "passed"),
    ],
)
def test_pytest_is_told_what_the_verdict_means(
    level: str, known: Known | None, exception: Exception | None, outcome: str
) -> None:
    call = on_trial(Trial(instance(level), known=known), exception)[1]
    assert call.outcome == outcome
    assert hasattr(call, "wasxfail") is (outcome == "skipped")
    assert bool(call.longrepr) is (outcome != "passed")


def test_a_softened_failure_can_still_be_read_in_the_report() -> None:
    call = on_trial(Trial(instance("open")), NonConformance("empty list allows everyone"))[1]
    assert ("SMI observation", "empty list allows everyone") in call.sections


def test_the_controller_learns_the_judgement_and_only_once_it_is_final() -> None:
    trial = Trial(instance())
    trial.begin().observations.update({"big": 2**70, "small": -(2**40)})
    ledger = Ledger()
    judged: list[Result | None] = []
    for one in (report("setup"), call_report(None), report("teardown")):
        trial.take(one, None)
        judged.append(ledger.add(over_the_wire(one)))
    assert judged[:2] == [None, None]
    assert judged[2] is not None
    assert ledger.results == [judged[2]]
    assert judged[2].evidence["observations"] == {"big": 2**70, "small": -(2**40)}
    assert ledger.unfinished == []


def test_the_last_report_brings_the_properties_once_and_the_item_has_them_too() -> None:
    trial = Trial(instance("open"))
    trial.begin()
    trial.take(report("setup"), None)
    trial.take(call_report(NonConformance("x")), NonConformance("x"))
    last, own = report("teardown"), [("mine", 1)]
    last.user_properties.extend(own)
    trial.take(last, None, own)
    names = [name for name, _ in last.user_properties]
    assert names == ["mine", "requirement", "level", "area", "api", "verdict", "observation"]
    assert own == last.user_properties


def test_a_second_attempt_forgets_the_first() -> None:
    trial = Trial(instance())
    on_trial(trial, NonConformance("x"))
    trial.case.observations["stale"] = True
    ledger = Ledger()
    for one in on_trial(trial):
        ledger.add(one)
    assert [(one.verdict, one.evidence["observations"]) for one in ledger.results] == [(Verdict.PASS, {})]


def test_text_that_is_not_utf_8_cannot_stop_a_worker() -> None:
    broken = NonConformance("body was \ud800")
    call = on_trial(Trial(instance()), broken)[1]
    assert over_the_wire(call).longrepr == "body was \\ud800"


def test_reports_may_come_interleaved_and_the_results_are_in_order() -> None:
    ledger = Ledger()
    trials = [Trial(instance(requirement=f"TA-{number:03d}")) for number in (3, 1, 2)]
    ids = [f"t.py::t{number}" for number in range(3)]
    for when in ("setup", "call", "teardown"):
        for trial, nodeid in zip(trials, ids, strict=True):
            one = report(when, nodeid=nodeid)
            trial.take(one, None)
            ledger.add(one)
    assert [one.instance.requirement for one in ledger.results] == ["TA-001", "TA-002", "TA-003"]


def test_a_test_that_was_interrupted_is_unfinished_and_not_judged() -> None:
    ledger, trial, one = Ledger(), Trial(instance()), report("setup")
    trial.take(one, None)
    ledger.add(one)
    assert (ledger.unfinished, ledger.results) == ([NODEID], [])


def crash() -> pytest.TestReport:
    return report("???", "failed", f"worker 'gw0' crashed while running {NODEID!r}")


def test_a_crash_is_charged_to_the_instance_that_was_running() -> None:
    ledger, one = Ledger(), report("setup")
    Trial(instance()).take(one, None)
    ledger.add(one)
    judged = ledger.add(crash())
    assert judged is not None
    assert (judged.verdict, judged.instance.key) == (Verdict.ERROR, "TA-005[access-v1alpha3]")
    assert [phase["when"] for phase in judged.phases] == ["setup", "???"]


def test_a_crash_before_the_first_report_is_looked_up_or_else_a_problem() -> None:
    assert Ledger(lambda nodeid: instance() if nodeid == NODEID else None).add(crash()) is not None
    ledger = Ledger()
    assert ledger.add(crash()) is None
    assert "crashed" in ledger.problems[0].message


def test_failures_of_tests_that_are_no_instances_are_counted() -> None:
    ledger = Ledger()
    ledger.add(report("call", "failed", "x"))
    expected = report("call", "skipped", "x")
    expected.wasxfail = "known"
    ledger.add(expected)
    assert (ledger.other_failures, ledger.results) == (1, [])


def test_a_collection_error_is_told_once_however_many_workers_see_it() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.add_collect(pytest.CollectReport("test_x.py", "failed", "E   ImportError: no x\n\nmore", []))
    ledger.add_collect(pytest.CollectReport("test_y.py", "passed", None, []))
    assert [one.message for one in ledger.problems] == ["could not be collected: ImportError: no x"]


def test_without_allure_the_way_to_it_does_nothing(pytestconfig: pytest.Config) -> None:
    allure = connect(pytest.PytestPluginManager())
    case = Trial(instance(), allure=allure).begin()
    with case.step("apply", "x"):
        pass
    assert len(case.steps) == 1


def test_the_report_loads_nothing_heavy() -> None:
    modules = ["allure", "exit", "junit", "ledger", "links", "plain", "record", "redact", "results", "summary", "trial"]
    heavy = ["kubernetes", "requests", "jsonschema", "yaml", "allure_commons"]
    program = "import sys, json\n" + "".join(f"import pytest_smi.report.{name}\n" for name in modules)
    program += f"print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
