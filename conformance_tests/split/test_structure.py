"""Split, structure: what may stand behind a root."""

from pytest_smi import (
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_allowed,
    assert_only,
    assert_shares,
    assert_that,
    requirement,
)


@requirement("TS-065")
def test_splits_are_not_hierarchical(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """A backend that is itself the root of a split is taken as a plain Service."""
    middle = smi.service("middle", {"version": "china"}, china, glass)
    smi.apply(
        TrafficSplit("outer", teapots, {middle: 1}),
        TrafficSplit("inner", middle, {glass: 1}),
    )
    assert_only(kettle.get(middle), glass)
    assert_only(kettle.get(teapots), china)


@requirement("TS-070")
def test_backends_may_select_quite_different_pods(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, cosy: Workload
) -> None:
    """A backend need not be among the pods that the root selects... as long as the root's selector covers the rest."""
    smi.allow(kettle, to=[cosy], name="open-cosy")
    weights = {china: 50, cosy: 50}
    smi.apply(TrafficSplit("pour", teapots, weights))
    wide = smi.scene.target("teapots", smi.namespace, china, cosy)
    assert_shares(kettle.get(wide), weights, within=0.15)


@requirement("TS-074")
def test_a_split_request_is_carried_unchanged(smi: Smi, kettle: Workload, teapots: Target, glass: Workload) -> None:
    """Method, path, query and headers arrive as they were sent."""
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    call = kettle.request("PUT", teapots, "/cup/%C3%A9?milk=oat&n=1", headers={"x-milk": "oat"}, body="sugar")
    assert_only(call, glass)
    echo = call.answer()
    asked = {"method": "PUT", "path": "/cup/%C3%A9?milk=oat&n=1"}
    got = {name: echo[name] for name in asked}
    assert_that(smi, got == asked, f"the application receives {asked}", got)
    headers = [(name.lower(), value) for name, value in echo["headers"]]
    assert_that(smi, ("x-milk", "oat") in headers, "the application receives the header x-milk: oat", headers)


@requirement("TS-075")
def test_an_unresolvable_split_harms_no_other_service(
    smi: Smi, kettle: Workload, teapots: Target, clay: Workload, glass: Workload
) -> None:
    """Other Services and other splits go on as before."""
    smi.apply(TrafficSplit("lost", "no-such-root", {"no-such-backend": 1}))
    assert_allowed(kettle.get(clay))
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle.get(teapots), glass)
