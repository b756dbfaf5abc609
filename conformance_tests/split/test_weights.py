"""Split, weights: how traffic to a root Service is shared."""

from pytest_smi import Smi, Target, TrafficSplit, Workload, assert_reaches, assert_shares, requirement


@requirement("TS-001")
def test_traffic_to_the_root_is_shared_by_weight(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Without a split the root's own selector decides; with one, its weights do."""
    assert_reaches(kettle.get(teapots), china, glass, clay)
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
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The document is silent: refused, nothing, even, or the root's own endpoints."""
    refusal = smi.refused(TrafficSplit("pour", teapots, {china: 0, glass: 0}))
    smi.observe("refused", refusal.message if refusal else None)
    seen = kettle.get(teapots).sample(60)
    smi.observe("pods", seen.pods)
    smi.observe("answers", dict(seen.shapes))


@requirement("TS-014")
def test_shares_hold_for_each_client(
    smi: Smi, kettle: Workload, cosy: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Each of two clients sees the shares, not only both together."""
    weights = {china: 80, glass: 20}
    smi.apply(TrafficSplit("pour", teapots, weights))
    assert_shares(kettle.get(teapots), weights, within=0.1)
    assert_shares(cosy.get(teapots), weights, within=0.1)
