"""Split, ports: a split has none of its own; root and backends must agree on theirs."""

from pytest_smi import (
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_only,
    assert_shares,
    assert_that,
    port,
    requirement,
)


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
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The root's 8080 leads to 9090 in the pods of a backend whose Service says so."""
    mapped = smi.service("glass-mapped", {"version": "glass"}, glass, ports=[port(8080, target=9090)])
    smi.apply(TrafficSplit("pour", teapots, {mapped: 1}))
    call = kettle.get(teapots, port=8080)
    assert_only(call, glass)
    got = call.answer()["port"]
    assert_that(smi, got == 9090, "the backend's own target port 9090 answers", got)


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
