"""Traffic that flows beside a block: a single lost request, or a single one that got through, decides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from pytest_smi.assertions.flows import Flow, assert_never_allowed, assert_uninterrupted
from pytest_smi.errors import NonConformance, WorkloadError
from pytest_smi.traffic.plan import Histogram
from pytest_smi.workload.call import Call
from tests.unit.fakes import FakeCall, scene


class FakePod(NamedTuple):
    """A pod of the client, as far as a flow needs one."""

    name: str
    agent: Any
    uid: str = "kettle-0"


class FlowingCall(FakeCall):
    """Each batch is answered as `batch(number)` says: pod -> answers; `sent_twice` is set after the second batch."""

    def __init__(self, batch: Callable[[int], dict[str, int]]) -> None:
        super().__init__(lambda _: "teapot-0")
        self._batch = batch
        self.batches: list[dict[str, Any]] = []
        self.sent_twice = threading.Event()
        self.closed = False
        agent = SimpleNamespace(healthy=lambda: True, close=self._close)
        self.client = SimpleNamespace(name="kettle", channel=lambda _: agent, scene=scene())
        self.pod: Any = FakePod("kettle-0", None)
        self.target = SimpleNamespace(expects=lambda pod: pod == "teapot-0")

    def _close(self) -> None:
        self.closed = True

    def from_pod(self, pod: FakePod) -> Any:
        self.pod = pod
        return self

    def sample(self, count: int, **how: Any) -> Histogram:
        found = self._batch(len(self.batches))
        self.batches.append({"count": count, **how})
        if len(self.batches) > 1:
            self.sent_twice.set()
        return Histogram(count, found, {"200": sum(found.values())}, {}, {}, 0.1)

    def as_call(self) -> Call:
        return cast("Call", self)


def test_a_flow_without_a_gap_passes_and_leaves_counts() -> None:
    call = FlowingCall(lambda _: {"teapot-0": 5})
    with assert_uninterrupted(call.as_call()):
        assert call.sent_twice.wait(5)
    assert call.smi.case.steps[0].details["served"] == 5 * len(call.batches)
    assert call.closed


def test_a_single_lost_request_is_a_gap() -> None:
    call = FlowingCall(lambda number: {"teapot-0": 4 if number == 1 else 5})
    with (
        pytest.raises(NonConformance, match=r"1 of \d+ requests were"),
        assert_uninterrupted(call.as_call()),
    ):
        assert call.sent_twice.wait(5)


def test_an_answer_of_another_workload_is_a_gap() -> None:
    call = FlowingCall(lambda _: {"cosy-0": 5})
    with pytest.raises(NonConformance, match="not served"), assert_uninterrupted(call.as_call()):
        assert call.sent_twice.wait(5)


def test_what_happens_at_the_end_of_the_block_is_still_seen() -> None:
    ended = threading.Event()
    call = FlowingCall(lambda _: {} if ended.is_set() else {"teapot-0": 5})
    with pytest.raises(NonConformance), assert_uninterrupted(call.as_call()):
        ended.set()


def test_never_allowed_fails_for_one_request_that_any_pod_answered() -> None:
    with assert_never_allowed(FlowingCall(lambda _: {}).as_call()):
        pass
    call = FlowingCall(lambda number: {"teapot-new": 1} if number == 1 else {})
    with pytest.raises(NonConformance, match="1 of"), assert_never_allowed(call.as_call()):
        assert call.sent_twice.wait(5)


def test_a_client_that_reaches_nothing_at_all_does_not_count_as_never_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_smi.assertions.access.introduce", lambda _: False)
    with pytest.raises(NonConformance, match="never served"), assert_never_allowed(FlowingCall(lambda _: {}).as_call()):
        pass


def test_a_fault_of_the_harness_in_the_thread_comes_out_of_the_block() -> None:
    def broken(_: int) -> dict[str, int]:
        raise WorkloadError("the agent is gone")

    call = FlowingCall(broken)
    with pytest.raises(WorkloadError, match="the agent is gone"), assert_uninterrupted(call.as_call()):
        pass
    assert call.closed


def test_a_failure_in_the_block_is_not_replaced_by_a_verdict() -> None:
    call = FlowingCall(lambda _: {})
    with pytest.raises(ZeroDivisionError), assert_uninterrupted(call.as_call()):
        raise ZeroDivisionError


def test_a_held_flow_is_one_plan_on_one_connection() -> None:
    call = FlowingCall(lambda _: {"teapot-0": 100})
    with Flow(call.as_call(), held=True) as flow:
        pass
    assert (flow.requests, flow.served) == (100, 100)
    (batch,) = call.batches
    assert batch.pop("id_prefix")
    assert batch == {"count": 100, "concurrency": 1, "kept": True, "rate": 250.0}
