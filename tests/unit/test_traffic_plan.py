"""Plans and what comes back, and that both sides of the wire mean the same."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.traffic.ids import new_id, new_ids
from pytest_smi.traffic.plan import Histogram, Observation, Outcome, Plan, Request
from tests.unit.sample_app_module import sample_app

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN: dict[str, Any] = {
    "id": "a",
    "status": 200,
    "pod": "teapot-1",
    "error": None,
    "headers": [["Content-Type", "text/plain"], ["x-smi-pod", "teapot-1"]],
    "body": "tea",
    "seconds": 0.01,
    "local": "127.0.0.1:1",
    "remote": "127.0.0.1:2",
}
COUNTED: dict[str, Any] = {
    "histogram": {
        "requests": 10,
        "pods": {"a": 6, "b": 1},
        "status": {"200": 7, "403": 1},
        "errors": {"reset": 2},
        "seconds": {"p50": 0.1, "p90": 0.2, "p99": 0.3, "max": 0.4},
        "elapsed": 2.0,
    },
    "samples": [SEEN],
}


def test_the_agent_reads_a_plan_as_it_was_meant() -> None:
    request = Request("teapot", 8080, "h2c", "POST", "/a/../b?c", (("x-tea", "green"), ("x-tea", "black")), "milk")
    plan = Plan(request, count=7, id_prefix="p", concurrency=3, connection="kept", rate=5.5, timeout=1.5)
    read = sample_app.Plan.from_json(plan.as_json())
    assert (read.host, read.port, read.protocol) == ("teapot", 8080, "h2c")
    assert (read.method, read.path, read.body) == ("POST", "/a/../b?c", b"milk")
    assert read.headers == (("x-tea", "green"), ("x-tea", "black"))
    assert list(read.request_ids()) == [f"p-{number}" for number in range(7)]
    assert (read.concurrency, read.kept, read.rate, read.timeout, read.each) == (3, True, 5.5, 1.5, True)


def test_the_agent_reads_raw_bytes_as_they_were_given() -> None:
    data = bytes(range(256))
    read = sample_app.Plan.from_json(Plan(Request("h", 1, "raw", raw=data), detail="histogram").as_json())
    assert read.raw == data
    assert base64.b64decode(Plan(Request("h", 1, "raw", raw=data)).as_json()["raw"]) == data
    assert not read.each


def test_named_ids_go_out_as_they_are() -> None:
    plan = Plan(Request("h", 1), ids=("x", "y"))
    assert plan.requests == 2
    assert list(sample_app.Plan.from_json(plan.as_json()).request_ids()) == ["x", "y"]


def test_a_plan_without_a_number_sends_one_request_with_an_id_of_its_own() -> None:
    first, second = Plan(Request("h", 1)), Plan(Request("h", 1))
    assert first.requests == 1
    assert first.as_json()["id_prefix"] != second.as_json()["id_prefix"]


@pytest.mark.parametrize(
    ("plan", "seconds"),
    [
        (Plan(Request("h", 1), count=10, timeout=2.0), 20.0),
        (Plan(Request("h", 1), count=10, concurrency=4, timeout=2.0), 6.0),
        (Plan(Request("h", 1), count=10, concurrency=10, timeout=2.0, rate=5), 4.0),
    ],
)
def test_the_longest_time_of_a_plan_is_known_beforehand(plan: Plan, seconds: float) -> None:
    assert plan.longest == seconds


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, "200"),
        ({"status": 403, "pod": None}, "403"),
        ({"status": None, "error": "reset", "pod": None}, "reset"),
        ({"status": 200, "error": "closed"}, "closed"),
        ({"status": None}, "answered"),
        ({"headers": [["grpc-status", "7"]]}, "grpc-7"),
        ({"headers": [["grpc-status", "0"]]}, "200"),
        ({"status": None, "error": "local: Cannot assign requested address"}, "local"),
    ],
)
def test_an_observation_has_one_word_for_what_was_seen(changes: dict[str, Any], shape: str) -> None:
    assert Observation.from_json(SEEN | changes).shape == shape


def test_an_observation_finds_headers_in_any_case() -> None:
    seen = Observation.from_json(SEEN)
    assert (seen.header("content-type"), seen.header("X-SMI-POD"), seen.header("x")) == ("text/plain", "teapot-1", None)
    assert seen.served_by == "teapot-1"


@pytest.mark.parametrize("error", ["unsupported: h2 is not installed", "local: Invalid argument"])
def test_a_request_that_could_not_be_sent_is_marked_as_the_harness_fault(error: str) -> None:
    seen = SEEN | {"error": error, "pod": None, "status": None}
    assert Outcome.from_json({"observations": [SEEN, seen]}).harness_fault == error
    counted = COUNTED | {"histogram": COUNTED["histogram"] | {"errors": {"reset": 1, error: 1}}}
    assert Outcome.from_json(counted).harness_fault == error


def test_what_the_network_did_is_no_harness_fault() -> None:
    denied = SEEN | {"error": "refused", "pod": None, "status": None}
    assert Outcome.from_json({"observations": [SEEN, denied]}).harness_fault is None
    assert Outcome.from_json(COUNTED).harness_fault is None


def test_a_histogram_counts_what_was_not_served() -> None:
    counted = Histogram.from_json(COUNTED)
    assert (counted.served_by, counted.unserved, counted.rate) == ({"a": 6, "b": 1}, 3, 5.0)
    assert counted.shapes == {"200": 7, "403": 1, "reset": 2}
    assert counted.samples == (Observation.from_json(SEEN),)


def test_answers_without_http_are_counted_as_answered() -> None:
    counted = COUNTED["histogram"] | {"status": {}, "errors": {"timeout": 4}}
    assert Histogram.from_json({"histogram": counted, "samples": []}).shapes == {"timeout": 4, "answered": 6}


@pytest.mark.parametrize("answer", [{}, {"observations": [{}]}, {"observations": None}, {"histogram": {}}])
def test_an_answer_of_another_kind_is_not_taken(answer: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Outcome.from_json(answer)


@pytest.mark.parametrize("make", [new_id, lambda: new_ids(1)[0]])
def test_ids_are_short_and_never_the_same(make: Callable[[], str]) -> None:
    ids = {make() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) <= 16 and one.isalnum() for one in ids)
