"""Several SMI groups at work on one call."""

from pytest_smi import (
    ANY,
    HTTPRouteGroup,
    Smi,
    TrafficSplit,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    assert_only,
    assert_shares,
    assert_that,
    reached,
    requirement,
)


@requirement("XG-001")
def test_a_split_grants_no_access(smi: Smi, kettle: Workload, china: Workload, glass: Workload) -> None:
    """A backend that the client may not reach stays closed, whatever weight it has."""
    smi.apply(
        TrafficTarget("china-only", [kettle], china, [ANY()]),
        TrafficSplit("pour", "teapots", {china: 50, glass: 50}),
    )
    teapots = smi.scene.service("teapots", smi.namespace)
    assert_allowed(kettle.get(china))
    assert_denied(kettle.get(glass))
    reached = kettle.get(teapots).sample(100).pods
    strangers = {pod for pod in reached if not china.has(pod)}
    assert_that(smi, not strangers, "no request to the root reaches a backend that is not granted", reached)


@requirement("XG-002")
def test_with_grants_for_both_backends_the_shares_are_back(
    smi: Smi, kettle: Workload, china: Workload, glass: Workload
) -> None:
    """Access and split are independent: with both, the weights hold."""
    smi.allow(kettle, to=[china, glass])
    weights = {china: 75, glass: 25}
    smi.apply(TrafficSplit("pour", "teapots", weights))
    assert_shares(kettle.get(smi.scene.service("teapots", smi.namespace)), weights, within=0.12)


@requirement("XG-003")
def test_a_grant_holds_by_way_of_the_root_and_of_the_backend(
    smi: Smi, kettle: Workload, intruder: Workload, glass: Workload
) -> None:
    """A grant is about pods, not about the Service by which they are reached."""
    smi.allow(kettle, to=[glass])
    smi.apply(TrafficSplit("pour", "teapots", {glass: 1}))
    teapots = smi.scene.service("teapots", smi.namespace)
    assert_only(kettle.get(teapots), glass)
    assert_allowed(kettle.get(glass))
    assert_denied(intruder.get(teapots), intruder.get(glass))


@requirement("XG-004")
def test_observe_one_group_in_both_policies(
    smi: Smi, kettle: Workload, china: Workload, glass: Workload, clay: Workload
) -> None:
    """A TrafficTarget grants what a group says and a split shares it: have both their effect, each its own?"""
    group = HTTPRouteGroup("milky", [ANY("/pour$", name="milk", headers={"x-milk": "oat"})])
    for pot in (china, glass, clay):
        smi.apply(TrafficTarget(f"open-{pot.name}", [kettle], pot, [group]))
    smi.apply(TrafficSplit("taste", "teapots", {glass: 1}, matches=[group]))
    teapots = smi.scene.service("teapots", smi.namespace)
    assert_only(kettle.get(teapots, "/pour", headers={"x-milk": "oat"}), glass)
    smi.observe("requests that do not match are served by", reached(kettle.get(teapots, "/pour")))


@requirement("XG-009")
def test_after_deleting_everything_all_is_as_before(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """No finalizer hangs, and traffic is denied again."""
    assert_denied(kettle.get(teapot))
    smi.allow(kettle, to=[teapot])
    assert_allowed(kettle.get(teapot))
    smi.delete_all()
    assert_denied(kettle.get(teapot))
