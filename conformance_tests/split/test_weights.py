"""Split, weights: how traffic to a root Service is shared."""

from collections.abc import Callable
from typing import Any

from pytest_smi import (
    Backend,
    Raw,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    are_shared,
    assert_allowed,
    assert_shares,
    reached,
    requirement,
)

HUGE = 2**31 - 1


def weighing(smi: Smi, split: TrafficSplit, weight: Any) -> Raw:
    """The split with a first weight that the neutral form cannot say."""
    (manifest,) = smi.render(split)
    manifest["spec"]["backends"][0]["weight"] = weight
    return Raw(manifest)


@requirement("TS-001")
def test_traffic_to_the_root_is_shared_by_weight(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Nine to one, and nothing to clay, which the root's own selector covers as well."""
    smi.apply(TrafficSplit("pour", teapots, {china: 90, glass: 10}))
    assert_shares(kettle.get(teapots), {china: 90, glass: 10})


@requirement("TS-002")
def test_other_ratios_hold_as_well(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """75/25 is told from 50/50, and 25/75 from both."""
    for weights in ({china: 75, glass: 25}, {china: 25, glass: 75}):
        smi.apply(TrafficSplit("pour", teapots, weights))
        assert_shares(kettle.get(teapots), weights, within=0.12)


@requirement("TS-003")
def test_a_backend_of_weight_zero_gets_nothing(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Not one request: weight 0 is exact."""
    smi.apply(TrafficSplit("pour", teapots, {china: 100, glass: 0}))
    assert_shares(kettle.get(teapots), {china: 100, glass: 0}, within=0.02)


@requirement("TS-004")
def test_weights_are_relative_and_no_percentages(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The document's 1000 and 500 mean two thirds and one third; so do 2 and 1."""
    for large, small in ((1000, 500), (2, 1)):
        smi.apply(TrafficSplit("pour", teapots, {china: large, glass: small}))
        assert_shares(kettle.get(teapots), {china: large, glass: small}, within=0.12)


@requirement("TS-005")
def test_v1alpha1_weights_are_quantities(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """`1` and `500m` are two to one, as quantities compare."""
    smi.apply(TrafficSplit("pour", teapots, {china: "1", glass: "500m"}))
    assert_shares(kettle.get(teapots), {china: 2, glass: 1}, within=0.12)


@requirement("TS-006")
def test_weights_are_whole_numbers(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """A fraction or a quantity is refused. A mesh that takes one must not lose its way over it: others go on."""
    smi.apply(TrafficSplit("pour", teapots, {china: 3, glass: 1}))
    assert_shares(kettle.get(teapots), {china: 3, glass: 1}, within=0.12)
    for weight in (0.5, "500m"):
        odd = weighing(smi, TrafficSplit("odd", "teapot", {china: 1, glass: 1}), weight)
        smi.observe(str(weight), "refused" if smi.refused(odd) else "accepted")
        fence()


@requirement("TS-007")
def test_a_single_backend_gets_everything_whatever_its_weight(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload
) -> None:
    """1, 7 and 1000 all mean everything when there is nobody else."""
    for weight in (1, 7, 1000):
        smi.apply(TrafficSplit("pour", teapots, {glass: weight}))
        assert_shares(kettle.get(teapots), {glass: weight}, within=0.1)


@requirement("TS-008")
def test_three_backends_share_by_weight(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """50, 30 and 20 hold for three backends as for two."""
    weights = {china: 50, glass: 30, clay: 20}
    smi.apply(TrafficSplit("pour", teapots, weights))
    assert_shares(kettle.get(teapots), weights, within=0.1)


@requirement("TS-009")
def test_observe_a_split_whose_weights_are_all_zero(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """The document is silent: nobody, both, or the root's own endpoints?"""
    smi.observe("accepted", smi.refused(TrafficSplit("pour", teapots, {china: 0, glass: 0})) is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))


@requirement("TS-010")
def test_a_negative_weight_does_no_harm(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """It may be refused; if not, other Services and other splits go on as before."""
    odd = weighing(smi, TrafficSplit("odd", teapots, {china: 1, glass: 1}), -200)
    smi.observe("-200", "refused" if smi.refused(odd) else "accepted")
    fence()
    assert_allowed(kettle.get(glass))


@requirement("TS-011")
def test_observe_very_large_weights(
    smi: Smi,
    kettle: Workload,
    teapots: Target,
    china: Workload,
    glass: Workload,
    clay: Workload,
    fence: Callable[[], None],
) -> None:
    """Three times the largest number of 32 bits: their sum needs more than these."""
    weights = {china: HUGE, glass: HUGE, clay: HUGE}
    refusal = smi.refused(TrafficSplit("pour", teapots, weights))
    smi.observe("accepted", refusal is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))
    if refusal is None:
        smi.observe("the shares are right", are_shared(kettle.get(teapots), weights))


@requirement("TS-012")
def test_observe_a_backend_that_is_listed_twice(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """Once with weight 0 and once with 50, in either order: which of the two counts shows exactly."""
    seen = []
    for weights in ((0, 50), (50, 0)):
        twice = [Backend(china, weight) for weight in weights]
        refusal = smi.refused(TrafficSplit("pour", teapots, [*twice, Backend(glass, 50)]))
        fence()
        seen.append("refused" if refusal else "counts" if china.name in reached(kettle.get(teapots)) else "does not")
    meanings = {
        ("counts", "counts"): "the weights are added",
        ("counts", "does not"): "the last one counts",
        ("does not", "counts"): "the first one counts",
        ("refused", "refused"): "refused",
    }
    smi.observe("listed twice", meanings.get((seen[0], seen[1]), "something else"))


@requirement("TS-013")
def test_observe_a_split_without_backends(
    smi: Smi, kettle: Workload, teapots: Target, fence: Callable[[], None]
) -> None:
    """Where does traffic to the root go when there is nobody to share it?"""
    smi.observe("accepted", smi.refused(TrafficSplit("pour", teapots, [])) is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))


@requirement("TS-014")
def test_shares_hold_for_each_client(
    smi: Smi, kettle: Workload, cosy: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Each of two clients sees the shares, not only both together."""
    weights = {china: 80, glass: 20}
    smi.apply(TrafficSplit("pour", teapots, weights))
    assert_shares(kettle.get(teapots), weights, within=0.1)
    assert_shares(cosy.get(teapots), weights, within=0.1)


@requirement("TS-015")
def test_shares_hold_for_each_replica_of_a_client(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Each of three pods of one client sees the shares by itself."""
    weights = {china: 75, glass: 25}
    smi.apply(TrafficSplit("pour", teapots, weights))
    with smi.scaled(kettle, 3):
        for pod in kettle.pods:
            assert_shares(kettle.get(teapots, pod=pod), weights, within=0.12)
