"""Split, ports: a split has none of its own; root and backends must agree on theirs."""

from collections.abc import Callable
from typing import Any

from pytest_smi import (
    Raw,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_comes,
    assert_only,
    assert_shares,
    assert_that,
    port,
    reached,
    requirement,
)


def events_about(smi: Smi, split: str) -> list[dict[str, Any]]:
    """The events that `kubectl describe trafficsplit` would show."""
    about = f"involvedObject.kind=TrafficSplit,involvedObject.name={split}"
    return smi.api.list(f"/api/v1/namespaces/{smi.namespace}/events", fieldSelector=about)


@requirement("TS-050")
def test_a_backend_without_the_roots_port_gets_no_traffic(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Its weight does not matter: a Service that lacks the port is left out."""
    narrow = smi.service("glass-9090", {"version": "glass"}, glass, ports=[port(9090)])
    smi.apply(TrafficSplit("pour", teapots, {china: 50, narrow: 50}))
    assert_shares(kettle.get(teapots), {china: 1, glass: 0})


@requirement("TS-051")
def test_the_other_backends_take_all_the_traffic(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """What the left-out backend would have got is served by the rest, by their weights and without errors."""
    narrow = smi.service("glass-9090", {"version": "glass"}, glass, ports=[port(9090)])
    smi.apply(TrafficSplit("pour", teapots, {china: 60, clay: 20, narrow: 20}))
    assert_shares(kettle.get(teapots), {china: 3, clay: 1, glass: 0}, within=0.12)


@requirement("TS-052")
def test_every_port_of_the_root_is_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """One rule for all ports: 8080 and 9090 alike."""
    weights = {china: 20, glass: 80}
    smi.apply(TrafficSplit("pour", teapots, weights))
    for number in (8080, 9090):
        assert_shares(kettle.get(teapots, port=number), weights, within=0.12)


@requirement("TS-053")
def test_ports_are_matched_one_by_one(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """A backend that has 9090 only takes part for 9090 only."""
    narrow = smi.service("glass-9090", {"version": "glass"}, glass, ports=[port(9090)])
    smi.apply(TrafficSplit("pour", teapots, {china: 50, narrow: 50}))
    assert_shares(kettle.get(teapots, port=9090), {china: 50, glass: 50}, within=0.12)
    assert_only(kettle.get(teapots, port=8080), china)


@requirement("TS-054")
def test_each_backend_maps_the_port_to_its_own_target_port(
    smi: Smi, kettle: Workload, single_port_root: Target, glass: Workload
) -> None:
    """The root's 8080 leads to 9090 in the pods of a backend whose Service says so."""
    mapped = smi.service("glass-mapped", {"version": "glass"}, glass, ports=[port(8080, target=9090)])
    smi.apply(TrafficSplit("pour", single_port_root, {mapped: 1}))
    call = kettle.get(single_port_root, port=8080)
    assert_only(call, glass)
    got = call.answer()["port"]
    assert_that(smi, got == 9090, "the backend's own target port 9090 answers", got)


@requirement("TS-055")
def test_names_of_ports_do_not_matter(
    smi: Smi, kettle: Workload, single_port_root: Target, china: Workload, glass: Workload
) -> None:
    """The document matches ports, not their names: 8080 under another name is 8080."""
    renamed = smi.service("glass-renamed", {"version": "glass"}, glass, ports=[{**port(8080), "name": "brew"}])
    smi.apply(TrafficSplit("pour", single_port_root, {china: 50, renamed: 50}))
    assert_shares(kettle.get(single_port_root), {china: 50, glass: 50}, within=0.15)


@requirement("TS-056")
def test_an_event_tells_of_a_backend_that_is_left_out(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """`kubectl describe trafficsplit` shows why a backend gets nothing: the event names its Service."""
    narrow = smi.service("glass-9090", {"version": "glass"}, glass, ports=[port(9090)])
    smi.apply(TrafficSplit("pour", teapots, {china: 50, narrow: 50}))
    assert_only(kettle.get(teapots), china)

    def telling() -> list[str]:
        return [one["message"] for one in events_about(smi, "pour") if "glass-9090" in one["message"]]

    assert_comes(smi, telling, "an event on TrafficSplit pour tells of glass-9090", "the mesh reports no such fault")


@requirement("TS-057")
def test_a_backend_without_the_roots_port_may_be_refused(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """An admission controller may refuse the split, in words; else the rest of the backends serve."""
    narrow = smi.service("glass-9090", {"version": "glass"}, glass, ports=[port(9090)])
    refusal = smi.refused(TrafficSplit("pour", teapots, {china: 50, narrow: 50}))
    smi.observe("a backend without the root's port", "refused" if refusal else "accepted")
    if refusal:
        assert_that(smi, bool(refusal.message), "the refusal says why", refusal.status)
    else:
        assert_only(kettle.get(teapots), china)


@requirement("TS-058")
def test_a_split_has_no_port_of_its_own(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """A `port` under a backend is refused or pruned: each port of the root still leads to the same port there."""
    split = TrafficSplit("pour", teapots, {glass: 1})
    (manifest,) = smi.render(split)
    manifest["spec"]["backends"][0]["port"] = 9090
    refusal = smi.refused(Raw(manifest))
    smi.observe("a port under a backend", "refused" if refusal else "accepted")
    if refusal:
        smi.apply(split)
    for number in (8080, 9090):
        call = kettle.get(teapots, port=number)
        assert_only(call, glass)
        got = call.answer()["port"]
        assert_that(smi, got == number, f"port {number} of the root leads to {number}", got)


@requirement("TS-059")
def test_a_corrected_backend_joins_the_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Once its Service has the root's port, it gets its share."""
    narrow = smi.service("glass-late", {"version": "glass"}, glass, ports=[port(9090)])
    smi.apply(TrafficSplit("pour", teapots, {china: 50, narrow: 50}))
    assert_only(kettle.get(teapots), china)
    smi.service("glass-late", {"version": "glass"}, glass, ports=[port(9090), port(8080)])
    assert_shares(kettle.get(teapots), {china: 50, glass: 50}, within=0.15)


@requirement("TS-060")
def test_observe_unusual_backends(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """A target port by name, a headless Service, and one that is only another name."""
    name, pods = f"teapot-glass.{smi.namespace}.svc.cluster.local", {"version": "glass"}
    unusual = {
        "a target port by name": smi.service("glass-named", pods, glass, ports=[port(8080, target="web")]),
        "a headless Service": smi.service("glass-headless", pods, glass, ports=[port(8080)], clusterIP="None"),
        "an ExternalName": smi.service(
            "glass-elsewhere", {}, glass, ports=[port(8080)], type="ExternalName", externalName=name
        ),
    }
    for what, backend in unusual.items():
        refusal = smi.refused(TrafficSplit("pour", teapots, {china: 50, backend: 50}))
        fence()
        smi.observe(what, "refused" if refusal else reached(kettle.get(teapots)))
