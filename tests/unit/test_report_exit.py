from __future__ import annotations

import pytest

from pytest_smi.evidence import Instance, Verdict
from pytest_smi.report.exit import decide
from pytest_smi.report.record import Result


def results(*verdicts: str) -> list[Result]:
    instance = Instance("TA-005", "must", "access", "g", "access-v1alpha3", {}, "s")
    return [Result(instance, f"t{number}", Verdict(verdict)) for number, verdict in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        (["pass", "observation"], 0),
        (["pass", "known-failure", "unsupported", "disabled"], 0),
        (["observation"], 0),
        (["known-failure"], 0),
        (["pass", "fail"], 1),
        (["fail", "error"], 1),
        (["pass", "error"], 3),
        (["error"], 3),
        ([], 5),
        (["unsupported", "unsupported", "disabled"], 5),
    ],
)
def test_the_status_follows_from_the_verdicts(verdicts: list[str], status: int) -> None:
    assert decide(results(*verdicts)).status == status


def test_pytest_failed_status_of_our_own_errors_is_not_a_failure_of_the_mesh() -> None:
    assert decide(results("pass", "error"), pytest_status=1).status == 3


def test_tests_beside_the_instances_count() -> None:
    assert decide(results("pass"), pytest_status=1, other_failures=2).status == 1
    assert decide(results("pass"), problems=1).status == 3


@pytest.mark.parametrize(("given", "status"), [(2, 2), (4, 4), (3, 3), (1, 1), (6, 6)])
def test_a_status_of_pytest_that_no_verdict_explains_is_kept(given: int, status: int) -> None:
    assert decide(results("pass"), pytest_status=given).status == status


def test_a_run_of_other_tests_alone_has_their_outcome() -> None:
    told = decide([], others=2, planned=0)
    assert (told.status, told.reason) == (0, "2 tests passed, no requirement instance among them")
    assert decide([], pytest_status=1, others=2, other_failures=1, planned=0).status == 1


def test_other_tests_do_not_make_up_for_instances_that_were_not_executed() -> None:
    assert decide(results("unsupported"), others=2, planned=1).status == 5
    assert decide([], others=2, planned=1).status == 5


def test_an_interrupted_run_says_how_far_it_came() -> None:
    told = decide(results("pass", "fail"), pytest_status=2, planned=400)
    assert (told.status, told.reason) == (2, "interrupted: 2 of 400 instances judged")


def test_a_harness_that_cannot_go_on_says_why_with_and_without_workers() -> None:
    for status in (1, 2):
        told = decide(results("pass", "error"), pytest_status=status, planned=9, stopped="the cluster has ended")
        assert (told.status, told.reason) == (3, "2 of 9 instances judged, then the cluster has ended")
    assert decide(results("fail", "error"), pytest_status=1, planned=9, stopped="the cluster has ended").status == 1


def test_nothing_executed_says_why() -> None:
    assert decide(results("unsupported", "unsupported")).reason == "nothing was executed: 2 unsupported"
    assert decide([], pytest_status=5).reason == "nothing was executed: no requirement instance was collected"


def test_the_reason_counts_what_failed() -> None:
    assert decide(results("pass", "fail", "error")).reason == "1 of 2 instances failed, and 1 harness error"
    assert decide(results("pass", "pass", "unsupported")).reason == "2 instances executed, none fails (1 unsupported)"
