"""Split, `matches` (v1alpha3 and later): only requests with these headers are split."""

from collections.abc import Callable
from typing import Any

from pytest_smi import (
    ANY,
    HTTPRouteGroup,
    Match,
    Raw,
    RouteRef,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_accepted,
    assert_only,
    assert_reaches,
    assert_rejected,
    assert_shares,
    reached,
    requirement,
)

FIREFOX = {"user-agent": "Mozilla/5.0 Firefox/126"}
CHROME = {"user-agent": "Mozilla/5.0 Chrome/125"}
OAT, TWO = {"x-milk": "oat"}, {"x-sugar": "two"}


def tasters(name: str = "tasters", **headers: str) -> HTTPRouteGroup:
    """A group with one match on these headers (`_` stands for `-`)."""
    return HTTPRouteGroup(name, [Match("taste", headers={k.replace("_", "-"): v for k, v in headers.items()})])


def with_match(smi: Smi, split: TrafficSplit, **match: Any) -> Raw:
    """The split with one entry under `matches` that the neutral form cannot say."""
    (manifest,) = smi.render(split)
    manifest["spec"]["matches"] = [match]
    return Raw(manifest)


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


@requirement("TS-085")
def test_observe_path_and_methods_in_a_splits_matches(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload
) -> None:
    """The document speaks of header filters only; the groups it refers to have paths and methods as well."""
    group = HTTPRouteGroup("tasters", [Match("taste", path="/taste$", methods=["GET"], headers={"x-milk": "oat"})])
    smi.apply(group, TrafficSplit("taste", teapots, {glass: 1}, matches=[group]))
    assert_only(kettle.get(teapots, "/taste", headers=OAT), glass)
    others = {
        "pathRegex": kettle.get(teapots, "/other", headers=OAT),
        "methods": kettle.request("PUT", teapots, "/taste", headers=OAT),
    }
    for what, call in others.items():
        smi.observe(what, "does not count" if reached(call) == [glass.name] else "counts")


@requirement("TS-086")
def test_observe_an_empty_list_of_matches(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload, fence: Callable[[], None]
) -> None:
    """Is it as if it were left out, or does nothing match?"""
    smi.observe("accepted", smi.refused(TrafficSplit("taste", teapots, {glass: 1}, matches=[])) is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))


@requirement("TS-087")
def test_observe_a_missing_group(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload, fence: Callable[[], None]
) -> None:
    """Where does traffic go while the group is missing, and is it followed when it comes?"""
    missing = RouteRef("HTTPRouteGroup", "tasters")
    smi.observe("accepted", smi.refused(TrafficSplit("taste", teapots, {glass: 1}, matches=[missing])) is None)
    fence()
    smi.observe("without the group", reached(kettle.get(teapots, headers=OAT)))
    smi.apply(tasters(x_milk="oat"))
    fence()
    smi.observe("with the group: what matches", reached(kettle.get(teapots, headers=OAT)))
    smi.observe("with the group: the rest", reached(kettle.get(teapots)))


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


@requirement("TS-089")
def test_only_route_groups_may_be_matches(smi: Smi, glass: Workload) -> None:
    """The kind of a match is HTTPRouteGroup; other kinds of the specs group are refused."""
    split = TrafficSplit("taste", "teapots", {glass: 1})
    assert_accepted(smi, with_match(smi, split, kind="HTTPRouteGroup", name="tasters"))
    for kind in ("TCPRoute", "UDPRoute", "TrafficTarget"):
        assert_rejected(smi, with_match(smi, split, kind=kind, name="tasters"))


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


@requirement("TS-091")
def test_one_match_of_a_group_cannot_be_singled_out(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload
) -> None:
    """A split names whole groups: a list of match names beside one is refused or pruned, and every match counts."""
    group = HTTPRouteGroup("tasters", [Match("milk", headers={"x-milk": "oat"}), Match("sugar", headers=TWO)])
    smi.apply(group)
    split = TrafficSplit("taste", teapots, {glass: 1})
    refusal = smi.refused(with_match(smi, split, kind="HTTPRouteGroup", name="tasters", matches=["milk"]))
    smi.observe("names of matches", "refused" if refusal else "accepted")
    if refusal:
        smi.apply(TrafficSplit("taste", teapots, {glass: 1}, matches=[group]))
    assert_only(kettle.get(teapots, headers=OAT), glass)
    assert_only(kettle.get(teapots, headers=TWO), glass)


@requirement("TS-092")
def test_observe_tcp_to_a_root_with_matches(smi: Smi, kettle: Workload, streams: Target, glass: Workload) -> None:
    """Headers mean nothing to a TCP connection: is it split all the same?"""
    group = tasters(x_milk="oat")
    smi.apply(group, TrafficSplit("taste", streams, {glass: 1}, matches=[group]))
    assert_only(kettle.get(streams, headers=OAT), glass)
    smi.observe("TCP is served by", reached(kettle.tcp(streams)))


@requirement("TS-093")
def test_two_splits_of_one_root_each_have_their_own_requests(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """A/B/C: a split for those who take milk, another for those who take sugar; the rest goes where the root leads."""
    milk, sugar = tasters("milk", x_milk="oat"), tasters("sugar", x_sugar="two")
    smi.apply(milk, TrafficSplit("for-milk", teapots, {china: 1}, matches=[milk]))
    smi.apply(sugar, TrafficSplit("for-sugar", teapots, {glass: 1}, matches=[sugar]))
    assert_only(kettle.get(teapots, headers=OAT), china)
    assert_only(kettle.get(teapots, headers=TWO), glass)
    assert_reaches(kettle.get(teapots), china, glass, clay)


@requirement("TS-094")
def test_without_matches_every_request_is_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """With the field left out a split is what it was in v1alpha2: weights for all requests, whatever they are like."""
    weights = {china: 75, glass: 25}
    smi.apply(TrafficSplit("pour", teapots, weights))
    assert_shares(kettle.get(teapots, "/taste", headers=FIREFOX), weights, within=0.12)
    assert_shares(kettle.request("POST", teapots, "/pour"), weights, within=0.12)
    smi.apply(TrafficSplit("pour", teapots, {china: 0, glass: 1}))
    assert_shares(kettle.get(teapots, headers=CHROME), {china: 0, glass: 1})


@requirement("TS-096")
def test_the_oldest_splits_have_no_matches(smi: Smi, kettle: Workload, teapots: Target, glass: Workload) -> None:
    """Before v1alpha3 `matches` is refused or pruned: the weights hold for every request, not for some paths."""
    split = TrafficSplit("pour", teapots, {glass: 1})
    if smi.versions.specs:
        smi.apply(HTTPRouteGroup("tasters", [ANY("/taste$", name="taste")]))
    refusal = smi.refused(with_match(smi, split, kind="HTTPRouteGroup", name="tasters"))
    smi.observe("matches", "refused" if refusal else "accepted")
    if refusal:
        smi.apply(split)
    assert_only(kettle.get(teapots, "/taste"), glass)
    assert_only(kettle.get(teapots, "/pour"), glass)
