"""Allowed and denied: two witnesses must agree, several times in a row, within the budget."""

import pytest

from pytest_smi.assertions.access import assert_allowed, assert_denied, assert_none_gets_through, is_allowed
from pytest_smi.errors import NonConformance
from tests.unit.fakes import FakeCall


def test_steady_answers_are_allowed() -> None:
    call = FakeCall(lambda _: "teapot-0")
    assert_allowed(call.as_call())
    assert call.sent == 3


def test_steady_refusals_are_denied() -> None:
    call = FakeCall(lambda _: None)
    assert_denied(call.as_call())
    assert call.sent == 3


def test_a_mesh_that_needs_a_while_is_waited_for() -> None:
    assert_allowed(FakeCall(lambda n: "teapot-0" if n > 4 else None, budget=5).as_call())


def test_a_refusal_in_between_begins_the_count_anew() -> None:
    call = FakeCall(lambda n: None if n == 2 else "teapot-0", budget=5)
    assert_allowed(call.as_call())
    assert call.sent == 6


def test_allowed_fails_for_a_mesh_that_refuses() -> None:
    with pytest.raises(NonConformance, match=r"is allowed\n  observed: \d+ x 403"):
        assert_allowed(FakeCall(lambda _: None).as_call())


def test_denied_fails_for_a_mesh_that_lets_through() -> None:
    with pytest.raises(NonConformance, match=r"is denied\n  observed: \d+ x 200"):
        assert_denied(FakeCall(lambda _: "teapot-0").as_call())


def test_allowed_fails_when_the_application_never_saw_the_request() -> None:
    call = FakeCall(lambda _: "teapot-0", lambda _: False)
    with pytest.raises(NonConformance, match="its log lacks the requests"):
        assert_allowed(call.as_call())


def test_denied_fails_when_the_application_saw_the_request_all_the_same() -> None:
    with pytest.raises(NonConformance, match="the requests reached the application"):
        assert_denied(FakeCall(lambda _: None, lambda _: True).as_call())


def test_an_answer_of_another_workload_is_not_the_targets() -> None:
    with pytest.raises(NonConformance, match="answered by cosy-0"):
        assert_allowed(FakeCall(lambda _: "cosy-0").as_call())


def test_a_refusal_of_a_client_that_reaches_nothing_at_all_is_no_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_smi.assertions.access.introduce", lambda _: False)
    for judge in (assert_denied, is_allowed):
        call = FakeCall(lambda _: None)
        with pytest.raises(NonConformance, match="kettle, whose refusal is to be judged, reaches another application"):
            judge(call.as_call())
        assert call.sent == 0


def test_the_time_to_converge_is_recorded() -> None:
    call = FakeCall(lambda _: "teapot-0")
    call.smi.changed_at = 0.0
    assert_allowed(call.as_call())
    assert call.smi.case.convergence > 0
    assert call.smi.case.steps[0].details["shapes"] == {"200": 3}


def test_one_of_many_requests_that_gets_through_is_enough() -> None:
    assert_none_gets_through(FakeCall(lambda _: None, samples=lambda _, n: {}).as_call())
    leaky = FakeCall(lambda _: None, samples=lambda _, n: {"teapot-0": 1})
    with pytest.raises(NonConformance, match="1 of 100 were served"):
        assert_none_gets_through(leaky.as_call())
