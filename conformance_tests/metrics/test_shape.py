"""Metrics, shape: each field is there and means what the document says. Both shapes of v1alpha1 are read."""

import datetime as dt
from collections.abc import Callable

from pytest_smi import METRIC_NAMES, PERCENTILES, Item, Listing, Load, Metrics, Smi, Workload, assert_told, requirement

from .conftest import Told

SLOW_CALLS = 10  # more than half of what the window has, with the quick ones from before
CLOCKS_SECONDS = 2.0
"""Times are told to the second, and so is the API server's clock."""


def each(read: Callable[[Item], object]) -> Callable[[list[Item]], bool]:
    """Whether something can be read from each item, and there are items at all; reading complains by itself."""

    def holds(items: list[Item]) -> bool:
        return len([read(item) for item in items]) > 0

    return holds


@requirement("TM-020")
def test_every_field_is_there(metrics: Metrics, told: Told) -> None:
    """`resource` and `edge` are objects, `timestamp` and `window` texts, `metrics` is a list."""
    assert_told(metrics, "each item has the five fields, of the right type", told, each(Item.check_fields))


@requirement("TM-021")
def test_the_resource_is_the_object_asked_for(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """Kind, name and namespace are those of the path."""

    def is_the_pod(found: tuple[Item, Listing, Listing]) -> bool:
        wanted = ("Pod", metrics.smi.namespace, teapot.pod.name)
        item, listing, edges = found
        items = [item, *listing.of(teapot.pod.name), *edges.items]
        references = {(one.resource.kind, one.resource.namespace, one.resource.name) for one in items}
        spaces = {one.resource.namespace for one in listing.items}
        return bool(edges.items) and references == {wanted} and spaces == {metrics.smi.namespace}

    pod = teapot.pod.name
    assert_told(
        metrics,
        f"every item about pod {pod} names it as its resource, and the list has pods of its namespace only",
        lambda: (metrics.get("pods", pod), metrics.listing("pods"), metrics.edges("pods", pod)),
        is_the_pod,
    )


@requirement("TM-022")
def test_the_five_metrics_are_there_once_each(metrics: Metrics, told: Told) -> None:
    """Three latencies and two counts, no more and none twice."""
    assert_told(metrics, f"each item has {', '.join(METRIC_NAMES)} once", told, each(lambda item: item.metrics))


@requirement("TM-023")
def test_latencies_have_a_unit_and_counts_have_none(metrics: Metrics, told: Told) -> None:
    """The document's unit is seconds; ms are common."""

    def units(items: list[Item]) -> bool:
        latencies = {item.unit(name) for item in items for name in PERCENTILES}
        counts = {item.unit(name) for item in items for name in METRIC_NAMES if name not in PERCENTILES}
        metrics.smi.observe("unit", sorted(latencies))
        return latencies <= {"seconds", "ms"} and counts == {""}

    assert_told(metrics, "latencies are in seconds or ms, counts have no unit", told, units)


@requirement("TM-024")
def test_value_times_unit_is_the_duration(metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """Every value is a quantity; an answer that takes a tenth of a second is told as that, not as a tenth of a ms."""
    with served.behaving(delay_ms=100), Load(kettle.get(served)) as load:
        assert_told(
            metrics,
            "values are quantities, and p50 is 100 ms or somewhat more",
            lambda: metrics.get("deployments", served.name),
            lambda item: (
                load.requests >= SLOW_CALLS
                and all(item.value(name) >= 0 for name in item.metrics)
                and 0.09 <= item.latencies[0] < 1.0
            ),
            cause="the value is of another unit than it says",
        )


@requirement("TM-025")
def test_counts_are_whole_and_not_negative(metrics: Metrics, told: Told) -> None:
    """There is no half a call."""
    assert_told(metrics, "counts are whole numbers from 0", told, each(lambda item: item.total))


@requirement("TM-026")
def test_the_timestamp_is_of_now(smi: Smi, metrics: Metrics, told: Told) -> None:
    """RFC 3339, and not further than two windows from the API server's clock."""

    def are_recent(items: list[Item]) -> bool:
        now = smi.api.transport.now()
        away = dt.timedelta(seconds=2 * metrics.window + CLOCKS_SECONDS)
        return bool(items) and all(abs(item.timestamp - now) < away for item in items)

    assert_told(metrics, "each timestamp is a time within two windows of now", told, are_recent)


@requirement("TM-027")
def test_the_window_is_a_duration(metrics: Metrics, told: Told) -> None:
    """Such as 30s; not `soon`, not a bare number, not nothing."""
    assert_told(metrics, "each window is a duration above 0", told, each(lambda item: item.window))


@requirement("TM-028")
def test_the_direction_is_to_or_from(metrics: Metrics, told: Told) -> None:
    """There are no other directions, and both occur."""

    def both(items: list[Item]) -> bool:
        return {item.edge.direction for item in items} == {"to", "from"}

    assert_told(metrics, "each direction is to or from, and both occur", told, both)


@requirement("TM-029")
def test_the_side_is_client_or_server(smi: Smi, metrics: Metrics, told: Told) -> None:
    """The older shape of v1alpha1 has no side anywhere, which is noted; but what has one has it everywhere."""

    def sides(items: list[Item]) -> bool:
        found = {item.side for item in items}
        smi.observe("side", "told" if found - {""} else "the older shape, without it")
        return found in ({"client", "server"}, {""})

    assert_told(metrics, "each side is client or server, and both occur", told, sides)


@requirement("TM-030")
def test_a_plain_item_is_about_all_traffic_received(metrics: Metrics, served: Workload, pouring: Load) -> None:
    """Direction from, and an empty resource at the other end; some write `null` for it."""
    assert_told(
        metrics,
        f"the item of {served.name} is about traffic from everything, and counts some",
        lambda: metrics.get("deployments", served.name),
        lambda item: (item.edge.direction, str(item.edge.resource)) == ("from", "everything") and item.total > 0,
    )


@requirement("TM-031")
def test_the_other_end_may_be_told_in_part(smi: Smi, metrics: Metrics, told: Told) -> None:
    """A namespace or a kind alone would do: what is there is noted."""

    def noted(items: list[Item]) -> bool:
        ends = [item.raw.get("edge", {}).get("resource") or {} for item in items]
        smi.observe("fields of edge.resource", sorted({", ".join(sorted(end)) or "none" for end in ends}))
        return all(item.edge for item in items)

    assert_told(metrics, "every edge can be read", told, noted, agree=1)


@requirement("TM-032")
def test_a_list_says_what_it_lists(metrics: Metrics, pouring: Load) -> None:
    """Its resource holds a kind, and no name."""
    assert_told(
        metrics,
        "the list's resource has kind Pod and no name",
        lambda: metrics.listing("pods"),
        lambda listing: (listing.resource.kind, listing.resource.name) == ("Pod", ""),
    )


@requirement("TM-033")
def test_a_list_of_edges_names_the_object(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """Its resource holds kind, namespace and name of the object whose edges they are."""

    def names_the_pod(listing: Listing) -> bool:
        found = listing.resource
        return (found.kind, found.namespace, found.name) == ("Pod", metrics.smi.namespace, teapot.pod.name)

    expected = f"the resource of its edges is pod {teapot.pod.name}"
    assert_told(metrics, expected, lambda: metrics.edges("pods", teapot.pod.name), names_the_pod)


@requirement("TM-034")
def test_a_filtered_list_tells_its_selector(metrics: Metrics, pouring: Load) -> None:
    """The label selector of the query stands in `selector.matchLabels`."""
    assert_told(
        metrics,
        "selector.matchLabels is {app: teapot}",
        lambda: metrics.listing("pods", labels="app=teapot"),
        lambda listing: listing.match_labels == {"app": "teapot"},
    )


@requirement("TM-035")
def test_lists_and_items_have_kind_and_version(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """TrafficMetricsList and TrafficMetrics of metrics.smi-spec.io/v1alpha1."""

    def are_told(found: tuple[Item, Listing]) -> bool:
        item, listing = found
        item.check_kind()
        listing.check_kind()
        return each(Item.check_kind)(listing.items)

    assert_told(
        metrics,
        "kind and apiVersion are there",
        lambda: (metrics.get("pods", teapot.pod.name), metrics.listing("pods")),
        are_told,
    )
