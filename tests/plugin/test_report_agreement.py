"""results.json, JUnit and Allure say the same of every instance: with and without xdist, and without Allure.

A tiny plugin stands in for ours: it makes instances of tests and wires the report as `pytest_smi.plugin` does.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_smi.report.allure import STATUSES
from pytest_smi.report.results import schema

PLUGIN = """
import json, os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pytest_smi.evidence import Instance
from pytest_smi.report import junit, results
from pytest_smi.report.allure import connect
from pytest_smi.report.exit import decide
from pytest_smi.report.ledger import Ledger
from pytest_smi.report.record import Known
from pytest_smi.report.summary import summary_lines
from pytest_smi.report.trial import Trial

TRIAL = pytest.StashKey()
LEDGER = Ledger()
STATE = {}


def instance(level, requirement, api):
    return Instance(requirement, level, "access", "Default denial", api, {"access": api.split("-")[1]}, "It & <does>")


def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(id, level, known)")
    STATE["config"] = config


def pytest_generate_tests(metafunc):
    if metafunc.definition.get_closest_marker("requirement"):
        metafunc.fixturenames.append("api")
        metafunc.parametrize("api", ["access-v1alpha2", "access-v1alpha3"])


def pytest_sessionstart(session):
    STATE["allure"] = connect(session.config.pluginmanager, {"mesh": "tiny"})
    if not hasattr(session.config, "workerinput"):
        junit.add_suite_properties(session.config, {"mesh": "tiny", "release": "0.6.0", "suite": 1})


def pytest_itemcollected(item):
    mark = item.get_closest_marker("requirement")
    if mark:
        one = instance(mark.kwargs.get("level", "must"), mark.args[0], item.callspec.params["api"])
        known = Known(mark.kwargs["known"], "as told") if "known" in mark.kwargs else None
        item.stash[TRIAL] = Trial(one, known=known, allure=STATE["allure"], source="somewhere")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if TRIAL in item.stash:
        item.stash[TRIAL].begin()


@pytest.fixture
def case(request):
    return request.node.stash[TRIAL].case


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if TRIAL in item.stash:
        item.stash[TRIAL].take(report, call.excinfo.value if call.excinfo else None, item.user_properties)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_logreport(report):
    outcome = yield
    if not hasattr(STATE["config"], "workerinput"):
        judged = LEDGER.add(report)
        junit.amend(STATE["config"], report, judged)
        if judged is not None and str(report.when) == "???":
            STATE["allure"].crashed(judged)
    return outcome


def pytest_collectreport(report):
    LEDGER.add_collect(report)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    if hasattr(session.config, "workerinput"):
        return
    end = decide(LEDGER.results, pytest_status=int(exitstatus), problems=len(LEDGER.problems),
                 other_failures=LEDGER.other_failures)
    session.exitstatus = STATE["exit"] = end
    session.exitstatus = end.status
    now = datetime.now(timezone.utc)
    run = results.Run("0.1.0", "0.6.0", now, now, {"name": "tiny"}, {"provider": "none"}, {})
    results.write(Path("results.json"), results.document(run, LEDGER.results, end, LEDGER.problems))
    folder = session.config.getoption("allure_report_dir", None)
    if folder:
        STATE["allure"].write_facts(Path(folder), {"mesh version": "1"})


def pytest_terminal_summary(terminalreporter):
    if "exit" in STATE:
        for line in summary_lines(LEDGER.results, STATE["exit"], problems=LEDGER.problems):
            for text, markup in line:
                terminalreporter.write(text, **markup)
            terminalreporter.write_line("")
"""

TESTS = """
import os
import pytest
from pytest_smi.errors import ClusterError, DeadlineExceeded, NonConformance
from pytest_smi.evidence import unsupported


@pytest.fixture
def broken():
    raise ClusterError("API server gone", "start it")


@pytest.fixture
def untidy():
    yield
    raise DeadlineExceeded("not settled back after 5 s")


@pytest.mark.requirement("TA-001")
def test_pass(case):
    with case.step("apply", "a target"):
        case.manifests.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}})
    with case.step("settle", "denied", shapes={"403": 3}, huge=2**70, low=-2**40, odd="\\ud800"):
        case.converged(0.25)
    case.observations["seen"] = [1, 2]


@pytest.mark.requirement("TA-002")
def test_fail(case):
    with case.step("judge", "denied", bytes=b"\\xff"):
        raise NonConformance("expected: denied\\nobserved: served \\x00 é \\ud800")


@pytest.mark.requirement("TA-003")
def test_harness_error_in_call(case):
    raise ClusterError("agent gone", "look at it")


@pytest.mark.requirement("TA-004")
def test_bare_assert(case):
    assert 1 == 2


@pytest.mark.requirement("TA-005")
def test_error_in_setup(broken):
    pass


@pytest.mark.requirement("TA-006")
def test_error_in_teardown(untidy):
    pass


@pytest.mark.requirement("TA-007")
def test_fail_and_error_in_teardown(untidy):
    raise NonConformance("served")


@pytest.mark.requirement("TA-008")
def test_unsupported(case):
    pytest.skip(unsupported("udp", "the profile declares it absent"))


@pytest.mark.requirement("TA-009")
def test_plain_skip(case):
    pytest.skip("not today")


@pytest.mark.requirement("TA-010", level="open")
def test_open(case):
    case.observations["empty"] = "denies"
    raise NonConformance("seen otherwise")


@pytest.mark.requirement("TA-011", level="should")
def test_should(case):
    raise NonConformance("not done")


@pytest.mark.requirement("TA-012", known="https://example.org/issues/1")
def test_known(case):
    raise NonConformance("served")


@pytest.mark.requirement("TA-013", known="https://example.org/issues/1")
def test_known_passes(case):
    pass


@pytest.mark.requirement("TA-014", known="https://example.org/issues/1")
def test_known_breaks(case):
    raise OSError("disk full")


@pytest.mark.requirement("TA-015")
@pytest.mark.xfail(reason="issue 9", strict=True)
def test_xfail(case):
    raise NonConformance("served")


@pytest.mark.requirement("TA-016")
@pytest.mark.xfail(reason="issue 9", strict=True)
def test_xfail_passes(case):
    pass


@pytest.mark.requirement("TA-017")
@pytest.mark.xfail(reason="issue 9", strict=False)
def test_lenient_xfail_passes(case):
    pass


@pytest.mark.requirement("TA-018")
@pytest.mark.xfail(reason="issue 9")
def test_xfail_hides_nothing(case):
    raise ClusterError("gone", "start it")


@pytest.mark.requirement("TA-019")
@pytest.mark.xfail(reason="issue 9")
def test_xfail_hides_nothing_in_setup(broken):
    pass


@pytest.mark.requirement("TA-020")
@pytest.mark.skip(reason="left out")
def test_skip_mark(case):
    pass


@pytest.mark.requirement("TA-021", level="may")
def test_not_binding_and_error_in_teardown(untidy):
    raise NonConformance("not done")


@pytest.mark.requirement("TA-022")
def test_imperative_xfail(case):
    pytest.xfail("why judge")


def test_no_instance():
    pass
"""

EXPECTED = {
    "TA-001": "pass",
    "TA-002": "fail",
    "TA-003": "error",
    "TA-004": "error",
    "TA-005": "error",
    "TA-006": "error",
    "TA-007": "fail",
    "TA-008": "unsupported",
    "TA-009": "disabled",
    "TA-010": "observation",
    "TA-011": "observation",
    "TA-012": "known-failure",
    "TA-013": "fail",
    "TA-014": "error",
    "TA-015": "known-failure",
    "TA-016": "fail",
    "TA-017": "fail",
    "TA-018": "error",
    "TA-019": "error",
    "TA-020": "disabled",
    "TA-021": "error",
    "TA-022": "disabled",
}

#: The elements of a JUnit testcase that a CI system counts, for each verdict.
JUNIT = {
    "pass": set(),
    "observation": set(),
    "fail": {"failure"},
    "error": {"error"},
    "unsupported": {"skipped"},
    "disabled": {"skipped"},
    "known-failure": {"skipped"},
}

WITHOUT_XDIST = ["-p", "no:xdist"]
WITHOUT_ALLURE = ["-p", "no:allure_pytest", "-p", "no:allure_pytest_bdd"]


def run(pytester: pytest.Pytester, *args: str, tests: str = TESTS) -> pytest.RunResult:
    pytester.makepyfile(tiny_plugin=PLUGIN)
    pytester.makepyfile(test_tiny=tests)
    pytester.syspathinsert()
    flags = ["-p", "tiny_plugin", "--junitxml=junit.xml", "-p", "no:cacheprovider", "-W", "error", *args]
    # Only a run of one process that leaves Allure's global state alone can share ours; it is four times as fast.
    alone = set(WITHOUT_XDIST + WITHOUT_ALLURE) <= set(args)
    return pytester.runpytest_inprocess(*flags) if alone else pytester.runpytest_subprocess(*flags)


def results_of(pytester: pytest.Pytester) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((pytester.path / "results.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(content)
    return content


def junit_of(pytester: pytest.Pytester) -> dict[str, list[tuple[dict[str, str], set[str]]]]:
    """Name -> for each testcase of that name its properties, and what it contains."""
    cases: dict[str, list[tuple[dict[str, str], set[str]]]] = {}
    for case in ET.parse(pytester.path / "junit.xml").iter("testcase"):
        found = [(one.attrib["name"], one.attrib["value"]) for one in case.iter("property")]
        assert len(found) == len(dict(found)), f"a property twice in {case.attrib}"
        tags = {child.tag for child in case} & {"failure", "error", "skipped"}
        cases.setdefault(case.attrib["name"], []).append((dict(found), tags))
    return cases


def allure_of(pytester: pytest.Pytester) -> dict[str, dict[str, Any]]:
    files = [json.loads(path.read_text("utf-8")) for path in (pytester.path / "allure").glob("*-result.json")]
    named = {one["name"]: one for one in files}
    assert len(named) == len(files)
    return named


def labels_of(entry: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in entry["labels"]}


@pytest.fixture(params=[["-n2"], WITHOUT_XDIST], ids=["n2", "no-xdist"])
def processes(request: pytest.FixtureRequest) -> list[str]:
    flags: list[str] = request.param
    return flags


@pytest.mark.parametrize("processes", [["-n0"], ["-n2"], WITHOUT_XDIST], ids=["n0", "n2", "no-xdist"])
def test_all_reports_agree_item_by_item(pytester: pytest.Pytester, processes: list[str]) -> None:
    ran = run(pytester, *processes, "--alluredir=allure")
    assert ran.ret == 1
    content = results_of(pytester)
    assert {one["key"]: one["verdict"] for one in content["instances"]} == {
        f"{requirement}[access-{version}]": verdict
        for requirement, verdict in EXPECTED.items()
        for version in ("v1alpha2", "v1alpha3")
    }
    junit, allure = junit_of(pytester), allure_of(pytester)
    for one in content["instances"]:
        name = one["nodeid"].rpartition("::")[2]
        for properties, tags in junit[name]:
            assert properties["verdict"] == one["verdict"], name
            assert properties["requirement"] == one["requirement"]
            assert (properties["level"], properties["api"]) == (one["level"], one["api"])
            assert tags == JUNIT[one["verdict"]] or len(junit[name]) == 2, name
        entry = allure[name]
        assert labels_of(entry)["verdict"] == one["verdict"], name
        assert entry["status"] == {str(verdict): status for verdict, status in STATUSES.items()}[one["verdict"]], name
        if one["verdict"] not in ("pass", "disabled"):
            assert entry["statusDetails"]["message"], name
    assert (
        set(junit)
        == set(allure)
        == {one["nodeid"].rpartition("::")[2] for one in content["instances"]} | {"test_no_instance"}
    )


def test_the_counts_of_junit_are_those_of_its_testcases(pytester: pytest.Pytester, processes: list[str]) -> None:
    run(pytester, *processes, *WITHOUT_ALLURE)
    suite = next(ET.parse(pytester.path / "junit.xml").iter("testsuite"))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len(list(suite.iter(tag)))
    assert {one.attrib["name"]: one.attrib["value"] for one in suite.findall("properties/property")} == {
        "mesh": "tiny",
        "release": "0.6.0",
        "suite": "1",
    }


def test_a_failure_whose_clean_up_fails_is_two_testcases_and_one_verdict(pytester: pytest.Pytester) -> None:
    run(pytester, "-n2", "-k", "fail_and_error")
    both = junit_of(pytester)["test_fail_and_error_in_teardown[access-v1alpha2]"]
    assert [tags for _, tags in both] == [{"failure"}, {"error"}]
    assert {properties["verdict"] for properties, _ in both} == {"fail"}


def test_details_reach_each_report(pytester: pytest.Pytester, processes: list[str]) -> None:
    run(pytester, *processes, "--alluredir=allure", "-k", "test_pass or test_unsupported or test_open")
    content = {one["key"]: one for one in results_of(pytester)["instances"]}
    passed = content["TA-001[access-v1alpha2]"]
    assert passed["convergence_seconds"] == 0.25
    assert passed["evidence"]["steps"][1]["details"] == {
        "shapes": {"403": 3},
        "huge": 2**70,
        "low": -(2**40),
        "odd": "\\ud800",
    }
    junit = junit_of(pytester)
    assert junit["test_pass[access-v1alpha2]"][0][0]["convergence_seconds"] == "0.25"
    assert junit["test_unsupported[access-v1alpha2]"][0][0]["feature"] == "udp"
    assert junit["test_open[access-v1alpha2]"][0][0]["observation"].endswith("seen: seen otherwise")
    assert content["TA-010[access-v1alpha2]"]["evidence"]["observations"] == {"empty": "denies"}


def test_allure_shows_what_was_done_and_where_it_is_written(pytester: pytest.Pytester, processes: list[str]) -> None:
    run(pytester, *processes, "--alluredir=allure", "-k", "test_pass")
    entry = allure_of(pytester)["test_pass[access-v1alpha3]"]
    labels = labels_of(entry)
    assert (
        labels
        | {
            "epic": "SMI",
            "feature": "Default denial access-v1alpha3",
            "story": "It & <does>",
            "as_id": "TA-001",
            "severity": "critical",
        }
        == labels
    )
    assert [step["name"] for step in entry["steps"]] == ["apply: a target", "settle: denied"]
    assert all(step["status"] == "passed" and step["stop"] >= step["start"] for step in entry["steps"])
    assert entry["links"][0]["url"].endswith("apis/traffic-access/v1alpha3/traffic-access.md")
    assert {"name": "mesh", "value": "'tiny'", "excluded": True} in entry["parameters"]
    attached = {one["name"]: (pytester.path / "allure" / one["source"]) for one in entry["attachments"]}
    assert "kind: ConfigMap" in attached["manifests"].read_text("utf-8")
    assert json.loads(attached["observations"].read_text("utf-8")) == {"seen": [1, 2]}
    details = pytester.path / "allure" / entry["steps"][1]["attachments"][0]["source"]
    assert json.loads(details.read_text("utf-8"))["shapes"] == {"403": 3}
    facts = (pytester.path / "allure" / "environment.properties").read_text("utf-8")
    assert facts == "mesh=tiny\nmesh.version=1\n"


def test_the_history_of_an_instance_in_allure_is_the_same_with_and_without_xdist(pytester: pytest.Pytester) -> None:
    ids = []
    for processes in ("-n0", "-n2"):
        run(pytester, processes, "--alluredir=allure", "--clean-alluredir", "-k", "test_pass")
        ids.append({name: one["historyId"] for name, one in allure_of(pytester).items()})
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == 2


def test_without_allure_everything_else_is_the_same(pytester: pytest.Pytester, processes: list[str]) -> None:
    assert run(pytester, *processes, *WITHOUT_ALLURE).ret == 1
    verdicts = {one["requirement"]: one["verdict"] for one in results_of(pytester)["instances"]}
    assert verdicts == EXPECTED
    assert not (pytester.path / "allure").exists()


def test_a_crashed_worker_is_an_error_in_every_report(pytester: pytest.Pytester) -> None:
    tests = (
        TESTS
        + """

@pytest.mark.requirement("TA-099")
def test_crash(case):
    os._exit(7)
"""
    )
    ran = run(pytester, "-n2", "--alluredir=allure", "-k", "test_crash or test_pass", tests=tests)
    assert ran.ret == 3
    content = {one["key"]: one for one in results_of(pytester)["instances"]}
    assert content["TA-001[access-v1alpha3]"]["verdict"] == "pass"
    for version in ("v1alpha2", "v1alpha3"):
        one = content[f"TA-099[access-{version}]"]
        assert one["verdict"] == "error"
        assert "crashed while running" in one["message"]
        properties, tags = junit_of(pytester)[f"test_crash[access-{version}]"][0]
        assert (properties["verdict"], tags) == ("error", {"error"})
        assert allure_of(pytester)[f"test_crash[access-{version}]"]["status"] == "broken"


def test_an_interrupted_run_leaves_what_was_judged(pytester: pytest.Pytester) -> None:
    tests = TESTS.replace("def test_fail(case):", "def test_fail(case):\n    raise KeyboardInterrupt\n")
    ran = run(pytester, *WITHOUT_XDIST, tests=tests)  # a process of its own: the interrupt would be ours too
    assert ran.ret == 2
    content = results_of(pytester)
    assert content["complete"] is False
    assert [one["key"] for one in content["instances"]] == ["TA-001[access-v1alpha2]", "TA-001[access-v1alpha3]"]
    assert content["exit"] == {"status": 2, "reason": "interrupted: 2 instances judged"}


def test_a_module_that_does_not_import_is_a_problem_of_the_run(pytester: pytest.Pytester, processes: list[str]) -> None:
    ran = run(pytester, *processes, *WITHOUT_ALLURE, tests="import no_such_thing")
    assert ran.ret == 2 or processes == ["-n2"]
    content = results_of(pytester)
    assert [one["message"] for one in content["problems"]] == [
        "could not be collected: ModuleNotFoundError: No module named 'no_such_thing'"
    ]
    assert content["exit"]["status"] != 0


EXITS = [
    ("test_pass", 0),
    ("test_open or test_should", 0),
    ("test_known and not passes and not breaks", 0),
    ("test_bare_assert or test_pass", 3),
    ("test_unsupported", 5),
    ("test_xfail_passes", 1),
    ("nothing_at_all", 5),
]


@pytest.mark.parametrize(("chosen", "status"), EXITS)
def test_the_exit_status_is_that_of_the_verdicts(pytester: pytest.Pytester, chosen: str, status: int) -> None:
    ran = run(pytester, *WITHOUT_XDIST, *WITHOUT_ALLURE, "-k", chosen)
    assert ran.ret == status
    assert results_of(pytester)["exit"]["status"] == status
    ran.stdout.fnmatch_lines([f"exit {status}: *"])


def test_the_exit_status_of_our_own_errors_is_the_same_with_workers(pytester: pytest.Pytester) -> None:
    assert run(pytester, "-n2", "-k", "test_bare_assert").ret == 3


def test_reports_are_written_nowhere_else(pytester: pytest.Pytester) -> None:
    run(pytester, *WITHOUT_XDIST, *WITHOUT_ALLURE)
    left = {path.name for path in pytester.path.iterdir() if path.suffix not in (".py",)} - {"__pycache__"}
    assert {Path(name).suffix for name in left} <= {".json", ".xml", ""}
