"""Split, `matches` (v1alpha3 and later): only requests with these headers are split."""

from pytest_smi import (
    HTTPRouteGroup,
    Match,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_only,
    assert_reaches,
    assert_shares,
    requirement,
)

FIREFOX = {"user-agent": "Mozilla/5.0 Firefox/126"}
CHROME = {"user-agent": "Mozilla/5.0 Chrome/125"}


def tasters(name: str = "tasters", **headers: str) -> HTTPRouteGroup:
    """A group with one match on these headers (`_` stands for `-`)."""
    return HTTPRouteGroup(name, [Match("taste", headers={k.replace("_", "-"): v for k, v in headers.items()})])


@requirement("TS-080")
def test_matching_requests_go_to_the_backends(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The document's A/B example: one browser's users all get the new version."""
    group = tasters(user_agent=".*Firefox.*")
    smi.apply(group, TrafficSplit("taste", teapots, {china: 0, glass: 100}, matches=[group]))
    assert_shares(kettle.get(teapots, headers=FIREFOX), {glass: 100, china: 0})


@requirement("TS-081")
def test_other_requests_go_where_the_root_leads(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """A request that does not match is routed by the root Service itself, also to pods that are no backend."""
    group = tasters(user_agent=".*Firefox.*")
    smi.apply(group, TrafficSplit("taste", teapots, {glass: 100}, matches=[group]))
    assert_only(kettle.get(teapots, headers=FIREFOX), glass)
    assert_reaches(kettle.get(teapots, headers=CHROME), china, glass, clay)


@requirement("TS-082")
def test_weights_hold_among_matching_requests(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Half of the matching traffic each; what does not match is untouched."""
    group = tasters(user_agent=".*Firefox.*")
    smi.apply(group, TrafficSplit("taste", teapots, {china: 25, glass: 75}, matches=[group]))
    assert_shares(kettle.get(teapots, headers=FIREFOX), {china: 25, glass: 75}, within=0.12)
    assert_reaches(kettle.get(teapots, headers=CHROME), china, glass, clay)


@requirement("TS-083")
def test_several_groups_are_alternatives(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Two groups are merged as one: either's header is enough, none is not."""
    groups = [tasters("milk", x_milk="oat"), tasters("sugar", x_sugar="two")]
    smi.apply(*groups, TrafficSplit("taste", teapots, {glass: 1}, matches=groups))
    assert_only(kettle.get(teapots, headers={"x-milk": "oat"}), glass)
    assert_only(kettle.get(teapots, headers={"x-sugar": "two"}), glass)
    assert_reaches(kettle.get(teapots), china, glass, clay)


@requirement("TS-084")
def test_headers_of_one_match_must_all_hold(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Two headers in one match are both needed; two matches are alternatives."""
    both = Match("both", headers={"x-milk": "oat", "x-sugar": "two"})
    group = HTTPRouteGroup("tasters", [both, Match("lemon", headers={"x-lemon": "yes"})])
    smi.apply(group, TrafficSplit("taste", teapots, {glass: 1}, matches=[group]))
    assert_only(kettle.get(teapots, headers={"x-milk": "oat", "x-sugar": "two"}), glass)
    assert_only(kettle.get(teapots, headers={"x-lemon": "yes"}), glass)
    assert_reaches(kettle.get(teapots, headers={"x-milk": "oat"}), china, glass, clay)


@requirement("TS-088")
def test_the_group_is_looked_up_in_the_splits_namespace(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """A group of the same name in another namespace has no influence."""
    group = tasters(x_milk="oat")
    foreign = HTTPRouteGroup("tasters", [Match("taste", headers={"x-sugar": "two"})], namespace=smi.namespace2)
    smi.apply(foreign, group, TrafficSplit("taste", teapots, {glass: 1}, matches=[group]))
    assert_only(kettle.get(teapots, headers={"x-milk": "oat"}), glass)
    assert_reaches(kettle.get(teapots, headers={"x-sugar": "two"}), china, glass, clay)


@requirement("TS-090")
def test_editing_the_group_is_followed(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Routing follows the group's new regular expression."""
    group = tasters(x_milk="oat")
    smi.apply(group, TrafficSplit("taste", teapots, {glass: 1}, matches=[group]))
    assert_only(kettle.get(teapots, headers={"x-milk": "oat"}), glass)
    smi.apply(tasters(x_milk="soy"))
    assert_only(kettle.get(teapots, headers={"x-milk": "soy"}), glass)
    assert_reaches(kettle.get(teapots, headers={"x-milk": "oat"}), china, glass, clay)
