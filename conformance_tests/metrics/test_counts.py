"""Metrics, counts: they follow the traffic that was sent, and nothing else."""

from functools import partial

from pytest_smi import (
    BadMetrics,
    Item,
    Load,
    Metrics,
    Smi,
    TCPRoute,
    Workload,
    assert_allowed,
    assert_denied,
    assert_told,
    near,
    requirement,
)

STATUSES = (201, 301, 404, 403, 503)
RATE_AND_COUNT_DIFFER = 1.5


@requirement("TM-040")
def test_success_count_follows_the_load(metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """A steady load of good calls is counted within a fifth, as many as fall into the window that the answer names."""
    with Load(kettle.get(served)) as load:
        assert_told(
            metrics,
            "success_count is the number of good calls in the window, failure_count 0",
            lambda: metrics.get("deployments", served.name),
            lambda item: (
                load.seconds > 1.3 * item.window and item.failure == 0 and near(item.success, load.good(item.window))
            ),
        )


@requirement("TM-041")
def test_failure_count_follows_the_failures(metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """The teapot fails every third call with 500: those are failures, and the others successes."""
    with served.behaving(status=500, fail_ratio=1 / 3), Load(kettle.get(served)) as load:
        assert_told(
            metrics,
            "success_count and failure_count are the numbers of good and of failed calls",
            lambda: metrics.get("deployments", served.name),
            lambda item: (
                load.bad(item.window) >= 15
                and near(item.failure, load.bad(item.window))
                and near(item.success, load.good(item.window))
            ),
        )


@requirement("TM-042")
def test_observe_what_counts_as_a_failure(
    smi: Smi, metrics: Metrics, kettle: Workload, teapot: Workload, cosy: Workload, china: Workload, glass: Workload
) -> None:
    """The document is silent: each server answers with another status for a while."""
    servers = [teapot, cosy, china, glass, smi.workload("teapot-clay")]
    smi.allow(kettle, to=servers)
    for server, status in zip(servers, STATUSES, strict=True):
        assert_allowed(kettle.get(server))
        with server.behaving(status=status), Load(kettle.get(server)) as load:

            def is_counted(item: Item, load: Load = load) -> bool:
                return load.requests > 20 and near(item.total, load.requests)

            look = partial(metrics.get, "deployments", server.name)
            item = assert_told(metrics, f"{server.name} is called", look, is_counted, agree=1)
        smi.observe(str(status), "failure" if item.failure > item.success else "success")


@requirement("TM-043")
def test_counts_are_no_rates(smi: Smi, metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """In half the window there are half as many; where the window cannot be chosen, they are window times rate."""
    with Load(kettle.get(served)) as load:

        def both() -> tuple[Item, Item]:
            whole = metrics.get("deployments", served.name)
            return whole, metrics.get("deployments", served.name, t=f"{round(whole.window * 500)}ms")

        def in_proportion(found: tuple[Item, Item]) -> bool:
            whole, half = found
            smi.observe("the window can be chosen", half.window != whole.window)
            if half.window == whole.window and 1 / RATE_AND_COUNT_DIFFER < whole.window < RATE_AND_COUNT_DIFFER:
                smi.lacks("metrics", f"in a window of {whole.window:g} s a rate looks like a count")
            long_enough = load.seconds > 1.3 * whole.window
            return long_enough and all(near(item.success, load.good(item.window)) for item in found)

        assert_told(metrics, "success_count grows with the window", both, in_proportion)


@requirement("TM-052")
def test_after_traffic_stops_nothing_is_counted(
    metrics: Metrics, kettle: Workload, served: Workload, pouring: Load
) -> None:
    """Counts of the server and of the edge fall to zero, or the items go."""

    def found() -> list[Item]:
        edges = metrics.edges("pods", kettle.pod.name).items
        return [*metrics.listing("deployments").of(served.name), *edges, *metrics.edges("pods", served.pod.name).items]

    def are_busy(items: list[Item]) -> bool:
        return len(items) >= 3 and all(item.total > 0 for item in items)

    assert_told(metrics, "the traffic is counted", found, are_busy)
    pouring.stop()
    assert_told(
        metrics,
        "some windows after the last call nothing is counted",
        found,
        lambda items: not any(item.total for item in items),
        cause="counts are since the start, or the window is longer than it says",
    )


@requirement("TM-053")
def test_plain_tcp_is_not_counted(
    smi: Smi, metrics: Metrics, kettle: Workload, teapot: Workload, china: Workload
) -> None:
    """Lines over TCP to one server add nothing, while HTTP to another is counted."""
    if "tcp-routes" in smi.mesh.profile.features.absent:
        smi.lacks("tcp-routes", "no raw TCP can be granted")
    smi.allow(kettle, to=[teapot], routes=[TCPRoute("lines", [7000])])
    smi.allow(kettle, to=[china])
    assert_allowed(kettle.tcp(teapot, 7000), kettle.get(china))
    with Load(kettle.tcp(teapot, 7000)) as lines, Load(kettle.get(china)) as requests:

        def only_http(found: tuple[Item, Item]) -> bool:
            tcp, http = found
            return lines.served > 20 and near(http.success, requests.good(http.window)) and tcp.total == 0

        assert_told(
            metrics,
            "HTTP is counted and TCP is not",
            lambda: (metrics.get("deployments", teapot.name), metrics.get("deployments", china.name)),
            only_http,
        )


@requirement("TM-054")
def test_answers_are_about_now(metrics: Metrics, served: Workload, pouring: Load) -> None:
    """Time goes on: a later answer is about a later window. There is nothing historical to be asked for."""
    look = partial(metrics.get, "deployments", served.name)
    first = assert_told(metrics, "the traffic is counted", look, lambda item: item.total > 0, agree=1)
    now = metrics.smi.api.transport.now
    assert_told(
        metrics,
        "a later answer has a later timestamp, not more than two windows old",
        look,
        lambda item: (
            item.timestamp > first.timestamp and (now() - item.timestamp).total_seconds() < 2 * item.window + 2
        ),
        agree=1,
    )


@requirement("TM-055")
def test_observe_how_denied_calls_are_counted(
    smi: Smi, metrics: Metrics, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """At the server, at the client, as failures or not at all: the document is silent."""
    smi.allow(kettle, to=[teapot])
    assert_allowed(kettle.get(teapot))
    assert_denied(intruder.get(teapot))
    with Load(intruder.get(teapot)) as load:
        look = partial(metrics.edges, "pods", intruder.pod.name)
        assert_told(metrics, "denied calls are sent", look, lambda _: load.requests > 20, agree=1)
        for title, pod in (("at the client", intruder.pod.name), ("at the server", teapot.pod.name)):
            items = metrics.edges("pods", pod).items
            ends = {intruder.pod.name, teapot.pod.name}
            told = [item for item in items if {item.resource.name, item.edge.resource.name} == ends]
            smi.observe(title, [{"success": item.success, "failure": item.failure} for item in told])


@requirement("TM-056")
def test_observe_an_object_without_traffic(smi: Smi, metrics: Metrics, clay: Workload) -> None:
    """An item of zeros, none, or an error."""
    try:
        item = metrics.get("deployments", clay.name)
        smi.observe("get", {"success": item.success, "failure": item.failure, "latencies": item.latencies})
    except BadMetrics as wrong:
        smi.observe("get", str(wrong))
    try:
        smi.observe("listed", bool(metrics.listing("deployments").of(clay.name)))
    except BadMetrics as wrong:
        smi.observe("listed", str(wrong))
