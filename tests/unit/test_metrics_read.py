"""Answers of a metrics API are read strictly, but only as far as one looks, and complaints say where and what."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smi.spec.metrics import MEASURED, metrics_path
from pytest_smi.spec.metrics_read import BadMetrics, Item, Listing, Share, duration

POD = {"kind": "Pod", "namespace": "tea", "name": "teapot-0", "apiVersion": "v1"}
ITEM: dict[str, Any] = {
    "kind": "TrafficMetrics",
    "apiVersion": "metrics.smi-spec.io/v1alpha1",
    "resource": POD,
    "edge": {"direction": "from", "side": "server", "resource": {**POD, "name": "kettle-0"}},
    "timestamp": "2019-04-08T22:25:55Z",
    "window": "30s",
    "metrics": [
        {"name": "p99_response_latency", "unit": "seconds", "value": "10m"},
        {"name": "p90_response_latency", "unit": "seconds", "value": "9m"},
        {"name": "p50_response_latency", "unit": "seconds", "value": "4m"},
        {"name": "success_count", "value": 100},
        {"name": "failure_count", "value": "3"},
    ],
}
LIST: dict[str, Any] = {
    "kind": "TrafficMetricsList",
    "apiVersion": "metrics.smi-spec.io/v1alpha1",
    "resource": {"kind": "Pod", "namespace": "tea"},
    "selector": {"matchLabels": {"app": "teapot"}},
    "items": [ITEM],
}


def changed(*path: Any, value: Any) -> Item:
    """The item with one field set."""
    raw = copy.deepcopy(ITEM)
    place: Any = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return Item(raw)


def test_the_documents_shape_is_read() -> None:
    item = Item(ITEM)
    item.check_fields()
    item.check_kind()
    assert (item.resource.kind, item.resource.name, item.resource.namespace) == ("Pod", "teapot-0", "tea")
    assert (item.edge.direction, item.side, str(item.edge.resource)) == ("from", "server", "Pod/tea/kettle-0")
    assert (item.success, item.failure, item.total) == (100, 3, 103)
    assert item.latencies == pytest.approx((0.004, 0.009, 0.010))
    assert (item.window, item.timestamp.isoformat()) == (30.0, "2019-04-08T22:25:55+00:00")
    assert item.backend is None


def test_the_older_shape_is_read() -> None:
    item = changed("edge", value={"direction": "from", "resource": None})
    assert (item.side, str(item.edge.resource)) == ("", "everything")
    slow = changed("metrics", 0, value={"name": "p99_response_latency", "unit": "ms", "value": "296875m"})
    assert slow.latencies[2] == pytest.approx(0.296875)


def test_the_backend_of_a_split_is_read() -> None:
    assert changed("backend", value={"apex": "teapots", "name": "china", "weight": 90}).backend == Share(
        "teapots", "china", 90
    )


def test_a_complaint_is_about_what_is_looked_at_only() -> None:
    item = changed("window", value="soon")
    assert item.success == 100
    with pytest.raises(BadMetrics, match=r"^answer.window: 'soon' is no duration such as 30s$"):
        _ = item.window


@pytest.mark.parametrize(
    ("path", "value", "look", "complaint"),
    [
        (("resource",), None, "resource", "None is no object"),
        (("resource", "name"), "", "resource", "lacks a kind or a name"),
        (("resource", "name"), 7, "resource", "name: 7 is no text"),
        (("edge", "direction"), "inbound", "edge", "'inbound' is none of to, from"),
        (("edge", "side"), "proxy", "side", "'proxy' is none of client, server"),
        (("edge", "side"), None, "side", "None is none of client, server"),
        (("edge", "resource"), "kettle", "edge", "'kettle' is no object"),
        (("timestamp",), 1554762355, "timestamp", "is no RFC 3339 time"),
        (("timestamp",), "2019-04-08", "timestamp", "is no RFC 3339 time"),
        (("timestamp",), "2019-13-08T22:25:55Z", "timestamp", "is no RFC 3339 time"),
        (("window",), "30", "window", "is no duration"),
        (("window",), "0s", "window", "is not above 0"),
        (("window",), "9" * 400 + "h", "window", "is longer than a year"),
        (("metrics",), None, "metrics", "None is no list"),
        (("metrics", 0), "p99", "metrics", "'p99' is no object"),
        (("metrics", 0, "name"), "p95_response_latency", "metrics", "is no metric of the document"),
        (("metrics", 0, "name"), "p90_response_latency", "metrics", "p90_response_latency is there twice"),
        (("metrics", 0, "unit"), "", "latencies", "has the unit '', not seconds or ms"),
        (("metrics", 0, "unit"), 7, "latencies", "the unit of p99_response_latency is 7"),
        (("metrics", 0, "value"), "10ms", "latencies", "has the value '10ms', which is no quantity"),
        (("metrics", 0, "value"), "-1m", "latencies", "is below 0"),
        (("metrics", 0, "value"), "1e999", "latencies", "is longer than a year"),
        (("metrics", 0, "value"), "9" * 5000, "latencies", "which is no quantity"),
        (("metrics", 3, "value"), "-1", "success", "success_count is '-1', not a whole number from 0"),
        (("metrics", 3, "value"), "500m", "success", "not a whole number from 0"),
        (("metrics", 3, "value"), True, "success", "which is no quantity"),
        (("metrics", 3, "value"), float("nan"), "success", "which is no quantity"),
        (("backend",), {"name": "china", "weight": 1}, "backend", "lacks an apex or a name"),
        (("backend",), {"apex": "a", "name": "b", "weight": "1"}, "backend", "weight: '1' is no whole number"),
    ],
)
def test_nonsense_is_named(path: tuple[Any, ...], value: Any, look: str, complaint: str) -> None:
    with pytest.raises(BadMetrics) as wrong:
        getattr(changed(*path, value=value), look)
    assert complaint in str(wrong.value)
    assert len(str(wrong.value)) < 250
    assert "\n" not in str(wrong.value)


def test_a_missing_metric_and_a_missing_field_are_named() -> None:
    item = changed("metrics", value=ITEM["metrics"][1:])
    with pytest.raises(BadMetrics, match="p99_response_latency is missing"):
        _ = item.metrics
    raw = {key: value for key, value in ITEM.items() if key != "window"}
    with pytest.raises(BadMetrics, match=r"answer\.window: None is no text"):
        Item(raw).check_fields()


def test_a_list_tells_what_it_lists() -> None:
    listing = Listing(LIST)
    listing.check_kind()
    assert (listing.resource.kind, listing.resource.name, listing.match_labels) == ("Pod", "", {"app": "teapot"})
    assert [item.where for item in listing.items] == ["answer.items[0]"]
    assert len(listing.of("teapot-0")) == len(listing.of("teapot-0", "tea")) == 1
    assert listing.of("teapot-0", "tea2") == listing.of("kettle-0") == []


def test_lists_that_are_none_are_named() -> None:
    for raw, complaint in (
        ([], r"\[\] is no object"),
        ({**LIST, "kind": "PodList"}, "kind 'PodList' is not TrafficMetricsList"),
        ({**LIST, "items": {"a": 1}}, "is no list"),
        ({**LIST, "items": [ITEM, 7]}, r"items\[1\]: 7 is no object"),
        ({**LIST, "items": [ITEM, copy.deepcopy(ITEM)]}, r"items\[1\] is about the same resource and edge as .*\[0\]"),
    ):
        with pytest.raises(BadMetrics, match=complaint):
            _ = Listing(raw).items


def test_an_empty_list_may_be_null() -> None:
    assert Listing({**LIST, "items": None}).items == []


def test_durations_are_those_of_go() -> None:
    assert [duration(text) for text in ("30s", "1m30s", "500ms", "1.5h", ".5s", "0s")] == [30, 90, 0.5, 5400, 0.5, 0]
    for text in ("", "30", "s", "-1s", "30 s", "1d", 30, None):
        with pytest.raises(BadMetrics):
            duration(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*ITEM, *(f"metrics.{number}" for number in range(5))]), JSON)
def test_whatever_stands_in_a_field_is_read_or_complained_about(name: str, value: Any) -> None:
    first, _, number = name.partition(".")
    item = changed(first, *([int(number)] if number else []), value=value)
    for look in ("resource", "edge", "side", "timestamp", "window", "metrics", "latencies", "total", "backend"):
        with contextlib.suppress(BadMetrics):
            getattr(item, look)


def test_paths_are_the_documents() -> None:
    assert metrics_path("pods", "tea") == "/apis/metrics.smi-spec.io/v1alpha1/namespaces/tea/pods"
    assert metrics_path("pods", "tea", "pot", edges=True).endswith("/namespaces/tea/pods/pot/edges")
    assert metrics_path("namespaces", name="tea").endswith("/v1alpha1/namespaces/tea")
    assert len(MEASURED) == 11
    assert MEASURED["jobs"].collection("tea") == "/apis/batch/v1/namespaces/tea/jobs"
    assert MEASURED["nodes"].collection("tea") == "/api/v1/nodes"
