"""Many verdicts at once: a wrong cell, a silent replica and a shared verdict of one connection are each found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_smi.assertions.matrix import assert_every_pod_answers, assert_matrix, assert_on_one_connection
from pytest_smi.errors import NonConformance, WorkloadError
from pytest_smi.traffic.plan import Histogram
from tests.unit.fakes import FakeCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.workload.call import Call


class Target:
    """A target of its own for each call: fakes keep a log each."""

    title = host = "teapot"


def cell(*answers: Any, **more: Any) -> FakeCall:
    call = FakeCall(*answers, **more)
    call.target = cast("Any", Target())
    return call


def served() -> FakeCall:
    return cell(lambda _: "teapot-0")


def refused() -> FakeCall:
    return cell(lambda _: None)


def test_a_matrix_that_is_right_twice_passes() -> None:
    first, second = served(), refused()
    assert_matrix(allowed=[first.as_call()], denied=[second.as_call()])
    assert (first.sent, second.sent) == (2, 2)
    assert first.smi.granted


def test_only_clients_that_are_to_be_denied_need_an_introduction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_smi.assertions.access.introduce", lambda _: False)
    assert_matrix(allowed=[served().as_call()], denied=[])
    with pytest.raises(NonConformance, match="it was never served within"):
        assert_matrix(allowed=[served().as_call()], denied=[refused().as_call()])


@pytest.mark.parametrize("wrong", ["allowed", "denied"])
def test_one_wrong_cell_fails_the_matrix(wrong: str) -> None:
    cells = {"allowed": [served(), refused()], "denied": [refused(), served()]}
    calls = {side: [one.as_call() for one in (both if side == wrong else both[:1])] for side, both in cells.items()}
    with pytest.raises(NonConformance, match="1 cells differ"):
        assert_matrix(allowed=calls["allowed"], denied=calls["denied"])


def test_a_cell_that_only_looks_denied_fails_the_matrix() -> None:
    sly = cell(lambda _: None, lambda _: True)
    with pytest.raises(NonConformance, match="1 cells differ"):
        assert_matrix(allowed=[served().as_call()], denied=[sly.as_call()])


def test_a_matrix_waits_for_the_mesh() -> None:
    late = cell(lambda n: "teapot-0" if n > 2 else None, budget=5)
    assert_matrix(allowed=[late.as_call()], denied=[])
    assert late.sent == 5


def pods(*counts: dict[str, int], sent: int = 48) -> Call:
    """A call to two pods whose samples are these, the last one for ever."""
    call = FakeCall(lambda _: "teapot-0", budget=0.05)
    call.target = SimpleNamespace(
        title="teapot",
        host="teapot",
        workloads=[SimpleNamespace(pods=[SimpleNamespace(name="teapot-0"), SimpleNamespace(name="teapot-1")])],
    )
    left = list(counts)

    def sample(_: int) -> Histogram:
        found = left.pop(0) if len(left) > 1 else left[0]
        return Histogram(sent, found, {"200": sum(found.values())}, {}, {}, 0.1)

    call.sample = sample  # type: ignore[assignment,method-assign]
    return call.as_call()


def test_every_pod_has_to_answer() -> None:
    assert_every_pod_answers(pods({"teapot-0": 48}, {"teapot-0": 24, "teapot-1": 24}))
    with pytest.raises(NonConformance, match="no answer from teapot-1"):
        assert_every_pod_answers(pods({"teapot-0": 48}))


def test_no_request_may_be_lost_on_the_way_to_the_pods() -> None:
    with pytest.raises(NonConformance, match="8 of 48 requests not served"):
        assert_every_pod_answers(pods({"teapot-0": 20, "teapot-1": 20}))


def on_connection(arrives: Callable[[int], bool]) -> tuple[list[Call], list[bytes]]:
    """Three calls on one connection, of which request number n reaches the log when `arrives(n)`; the bytes sent."""
    calls = [served() for _ in range(3)]
    sent: list[bytes] = []

    def raw(_: Any, data: bytes, *, port: int) -> Any:
        sent.append(data)
        assert port == 8080
        return SimpleNamespace(
            send=lambda _: [SimpleNamespace(id="x")],
            arrived=lambda ids: {one: {} for one in ids if arrives(int(one.rpartition("-")[2]))},
        )

    for call, path in zip(calls, ("/pour", "/admin", "/pour"), strict=True):
        call.client = SimpleNamespace(name="kettle", raw=raw)
        call.request = SimpleNamespace(
            protocol="http1", body="", method="GET", path=path, host="teapot", port=8080, headers=(("x-milk", "oat"),)
        )
    return [call.as_call() for call in calls], sent


def test_requests_of_one_connection_are_sent_together_and_told_apart() -> None:
    calls, sent = on_connection(lambda number: number != 1)
    assert_on_one_connection(*zip(calls, (True, False, True), strict=True))
    assert sent[0].count(b"\r\n\r\n") == 3
    assert b"GET /admin HTTP/1.1\r\nhost: teapot:8080\r\nx-smi-id: {id}-1\r\nx-milk: oat\r\n\r\n" in sent[0]
    assert sent[0].endswith(b"x-milk: oat\r\nconnection: close\r\n\r\n")


def test_a_verdict_that_is_taken_once_for_a_connection_fails() -> None:
    calls, _ = on_connection(lambda _: True)
    with pytest.raises(NonConformance, match=r"/admin does not[\s\S]*arrived: \[True, True, True\]"):
        assert_on_one_connection(*zip(calls, (True, False, True), strict=True))


def test_only_plain_requests_can_share_a_connection() -> None:
    calls, _ = on_connection(lambda _: True)
    cast("Any", calls[0]).request.body = "sugar"
    with pytest.raises(WorkloadError, match="cannot share a connection"):
        assert_on_one_connection((calls[0], True))
