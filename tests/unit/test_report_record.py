from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_smi.errors import ClusterError, DeadlineExceeded, HarnessError, NonConformance
from pytest_smi.evidence import Case, Instance, Step, Verdict, unsupported
from pytest_smi.report import record
from pytest_smi.report.record import Known, Phase, Result, phase_of, result_of, verdict_of

BINDING = ["must", "implied", "api"]
ALL_LEVELS = [*BINDING, "should", "may", "open", "note"]
SET_UP = Phase("setup", "passed")
TORN_DOWN = Phase("teardown", "passed")
VIOLATED = phase_of("call", NonConformance("denied, but served"))
BROKEN = phase_of("call", ClusterError("API server gone", "start it"))


def instance(level: str = "must") -> Instance:
    versions = {"access": "v1alpha3", "specs": "v1alpha4"}
    return Instance("TA-005", level, "access", "Default denial", "access-v1alpha3", versions, "Others are denied")


def around(call: Phase) -> list[Phase]:
    return [SET_UP, call, TORN_DOWN]


def passed() -> list[Phase]:
    return around(Phase("call", "passed", seconds=0.2))


@pytest.mark.parametrize("level", BINDING)
def test_what_binds_passes_or_fails(level: str) -> None:
    assert verdict_of(level, passed()) is Verdict.PASS
    assert verdict_of(level, around(VIOLATED)) is Verdict.FAIL


@pytest.mark.parametrize("level", ["should", "may"])
def test_a_recommendation_that_is_not_met_is_an_observation_with_a_warning(level: str) -> None:
    assert verdict_of(level, passed()) is Verdict.PASS
    result = result_of(Case(instance(level)), "t", around(VIOLATED))
    assert result.verdict is Verdict.OBSERVATION
    assert result.message == f"warning: not done, and not required (level {level}): denied, but served"
    assert result.exception == "NonConformance"


@pytest.mark.parametrize("level", BINDING)
def test_a_provisional_test_passes_or_warns(level: str) -> None:
    assert verdict_of(level, passed(), provisional=True) is Verdict.PASS
    assert verdict_of(level, around(BROKEN), provisional=True) is Verdict.ERROR
    case = Case(dataclasses.replace(instance(level), provisional=True))
    result = result_of(case, "t", around(VIOLATED))
    assert result.verdict is Verdict.OBSERVATION
    assert result.message.startswith("warning: not done; does not count yet, because the test is provisional: denied")
    assert Result.from_dict(result.as_dict()).instance.provisional


@pytest.mark.parametrize("level", ["open", "note", "anything else"])
def test_an_open_requirement_is_always_an_observation(level: str) -> None:
    assert verdict_of(level, passed()) is Verdict.OBSERVATION
    assert verdict_of(level, around(VIOLATED)) is Verdict.OBSERVATION


def test_no_level_but_a_binding_one_can_ever_fail() -> None:
    kinds = ["passed", "nonconformance", "harness", "other", "unsupported", "skipped", "crash"]
    for level, call, end, known in itertools.product(ALL_LEVELS, kinds, kinds, [False, True]):
        phases = [SET_UP, Phase("call", call), Phase("teardown", end)]  # type: ignore[arg-type]
        if verdict_of(level, phases, known) is Verdict.FAIL:
            assert level in BINDING


@pytest.mark.parametrize("level", ALL_LEVELS)
@pytest.mark.parametrize("exception", [HarnessError("x"), DeadlineExceeded("x"), ValueError("x"), AssertionError("x")])
def test_any_exception_but_nonconformance_is_an_error(level: str, exception: Exception) -> None:
    assert verdict_of(level, around(phase_of("call", exception))) is Verdict.ERROR


@pytest.mark.parametrize("level", ALL_LEVELS)
@pytest.mark.parametrize("exception", [HarnessError("x"), ValueError("x"), NonConformance("x")])
def test_any_exception_in_setup_or_after_a_pass_in_teardown_is_an_error(level: str, exception: Exception) -> None:
    assert verdict_of(level, [phase_of("setup", exception), TORN_DOWN]) is Verdict.ERROR
    assert verdict_of(level, [SET_UP, Phase("call", "passed"), phase_of("teardown", exception)]) is Verdict.ERROR


def test_a_failure_stands_when_the_clean_up_fails_too_and_both_are_told() -> None:
    late = phase_of("teardown", DeadlineExceeded("still served after 5 s", "delete it"))
    result = result_of(Case(instance()), "t", [SET_UP, VIOLATED, late])
    assert result.verdict is Verdict.FAIL
    assert result.message == "denied, but served\nThen in teardown: still served after 5 s (delete it)"
    assert result.exception == "NonConformance"


def test_an_observation_does_not_hide_that_the_clean_up_failed() -> None:
    late = phase_of("teardown", HarnessError("agent gone"))
    result = result_of(Case(instance("open")), "t", [SET_UP, VIOLATED, late])
    assert (result.verdict, result.exception) == (Verdict.ERROR, "HarnessError")
    assert result.message == "in teardown: agent gone\nBefore that, seen: denied, but served"


def test_a_skip_that_names_a_feature_is_unsupported() -> None:
    reason = unsupported("split-v1alpha1", "the cluster does not serve it: only v1alpha4")
    result = result_of(Case(instance()), "t", [phase_of("setup", None, skip=reason), TORN_DOWN])
    assert (result.verdict, result.feature) == (Verdict.UNSUPPORTED, "split-v1alpha1")
    assert result.message == reason


@pytest.mark.parametrize("reason", ["not today", "", "unsupported: udp", "unsupported: : no name"])
def test_any_other_skip_is_disabled_with_its_reason(reason: str) -> None:
    result = result_of(Case(instance()), "t", [phase_of("setup", None, skip=reason), TORN_DOWN])
    assert (result.verdict, result.feature, result.message) == (Verdict.DISABLED, None, reason)


def test_a_clean_up_that_fails_after_a_skip_is_an_error() -> None:
    skip = phase_of("call", None, skip=unsupported("udp", "declared absent"))
    assert verdict_of("must", [SET_UP, skip, phase_of("teardown", HarnessError("x"))]) is Verdict.ERROR


def test_a_known_failure_names_its_issue_and_fails_when_it_passes() -> None:
    known = Known("https://example.org/issues/7", "empty sources")
    failing = result_of(Case(instance()), "t", around(VIOLATED), known)
    assert (failing.verdict, failing.issue) == (Verdict.KNOWN_FAILURE, known.issue)
    assert failing.message == "known failure, https://example.org/issues/7 (empty sources): denied, but served"
    passing = result_of(Case(instance()), "t", passed(), known)
    assert passing.verdict is Verdict.FAIL
    assert "passes, but is declared a known failure" in passing.message


def test_a_known_failure_does_not_excuse_a_harness_error() -> None:
    assert verdict_of("must", around(BROKEN), known=True) is Verdict.ERROR


@pytest.mark.parametrize("phases", [[], [SET_UP], [SET_UP, TORN_DOWN]])
def test_a_test_without_a_call_is_an_error_that_says_so(phases: list[Phase]) -> None:
    result = result_of(Case(instance()), "t", phases)
    assert result.verdict is Verdict.ERROR
    assert "never reached" in result.message


def test_a_crash_is_an_error_whatever_came_before() -> None:
    result = record.crashed(instance(), "t", "worker 'gw0' crashed while running 't'", [SET_UP])
    assert (result.verdict, result.exception) == (Verdict.ERROR, "WorkerCrash")
    assert result.message == "worker 'gw0' crashed while running 't'"


@pytest.mark.parametrize(
    ("exception", "message", "kind"),
    [
        (ClusterError("gone", "start it"), "gone (start it)", "ClusterError"),
        (KeyError("port"), "KeyError: 'port'", "KeyError"),
        (ValueError(), "ValueError", "ValueError"),
        (NonConformance(""), "NonConformance", "NonConformance"),
        (ExceptionGroup("two", [HarnessError("a"), OSError("b")]), "- a\n- OSError: b", "ExceptionGroup"),
    ],
)
def test_an_exception_is_told_readably_and_its_type_is_kept(exception: Exception, message: str, kind: str) -> None:
    phase = phase_of("call", exception)
    assert phase.message.endswith(message)
    assert phase.exception == kind


def test_an_endless_message_is_cut() -> None:
    assert len(phase_of("call", NonConformance("x" * 10**6)).message) < 25_000


def test_an_error_in_setup_says_where() -> None:
    result = result_of(Case(instance()), "t", [phase_of("setup", ClusterError("gone", "start it")), TORN_DOWN])
    assert result.message == "in setup: gone (start it)"


def test_what_an_open_requirement_answered_is_in_the_message() -> None:
    case = Case(instance("open"))
    case.observations["an empty source list"] = "denies everyone"
    assert result_of(case, "t", passed()).message == "seen: an empty source list: denies everyone"


def test_evidence_times_and_convergence_are_kept_and_survive_json() -> None:
    case = Case(instance())
    with case.step("apply", "a target", shapes={"403": 2}):
        case.manifests.append({"kind": "TrafficTarget"})
    case.converged(0.5)
    result = result_of(case, "test_x.py::test_y[access-v1alpha3]", passed())
    assert result.convergence_seconds == 0.5
    assert result.seconds == 0.2
    assert result.evidence["steps"][0]["details"] == {"shapes": {"403": 2}}
    assert Result.from_dict(json.loads(json.dumps(result.as_dict()))) == result


def test_values_of_secrets_do_not_reach_the_evidence() -> None:
    case = Case(instance())
    case.manifests.append({"kind": "Secret", "stringData": {"token": "hunter2"}, "data": {"a": "aHVudGVyMg=="}})
    told = json.dumps(result_of(case, "t", passed()).as_dict())
    assert "hunter2" not in told
    assert "aHVudGVyMg" not in told
    assert '"token"' in told


def test_a_step_is_complete_when_its_live_observer_is_left() -> None:
    left: list[tuple[bool, bool, dict[str, object]]] = []

    @contextmanager
    def observe(step: Step) -> Iterator[None]:
        try:
            yield
        finally:
            left.append((step.ok, step.seconds > 0, dict(step.details)))

    case = Case(instance(), on_step=observe)

    def settle() -> None:
        with case.step("settle", "denied") as step:
            step.details["sent"] = 3
            raise NonConformance("served")

    with pytest.raises(NonConformance, match="served"):
        settle()
    assert left == [(False, True, {"sent": 3})]
