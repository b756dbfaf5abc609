"""Access, namespaces: which namespace a name in a TrafficTarget is looked up in."""

from pytest_smi import (
    ANY,
    HTTPRouteGroup,
    Identity,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    requirement,
)

POUR = ANY("/pour$", name="pour")


@requirement("TA-080")
def test_a_source_of_another_namespace_may_be_granted(
    smi: Smi, kettle: Workload, kettle2: Workload, teapot: Workload
) -> None:
    """The source says its namespace; the namesake at home is not meant."""
    smi.apply(TrafficTarget("tea", [kettle2], teapot, [POUR]))
    assert_allowed(kettle2.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TA-081")
def test_routes_are_looked_up_in_the_traffic_targets_namespace(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A wider group of the same name in another namespace has no influence."""
    smi.apply(
        HTTPRouteGroup("menu", [ANY(name=POUR.name)], namespace=smi.namespace2),
        TrafficTarget("tea", [kettle], teapot, [HTTPRouteGroup("menu", [POUR])]),
    )
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/admin"))


@requirement("TA-082")
def test_observe_an_omitted_namespace(
    smi: Smi, kettle: Workload, kettle2: Workload, cosy: Workload, teapot: Workload
) -> None:
    """The documents do not say which namespace a source or destination without one is in; "any" would be a risk."""
    bare = TrafficTarget("tea", [Identity("kettle", "")], Identity("teapot", ""), [POUR])
    smi.observe("refused", smi.refused(bare) is not None)
    smi.apply(TrafficTarget("good", [cosy], teapot, [POUR]))
    assert_allowed(cosy.get(teapot, "/pour"))
    smi.observe("means the TrafficTarget's own namespace", is_allowed(kettle.get(teapot, "/pour")))
    smi.observe("means any namespace", is_allowed(kettle2.get(teapot, "/pour")))


@requirement("TA-083")
def test_observe_a_destination_in_another_namespace(
    smi: Smi, kettle2: Workload, teapot: Workload, teapot2: Workload
) -> None:
    """May a TrafficTarget open a destination outside of its own namespace? Whoever may write there would rule here."""
    foreign = TrafficTarget("tea", [kettle2], teapot, [POUR], namespace=smi.namespace2)
    smi.observe("refused", smi.refused(foreign) is not None)
    smi.apply(TrafficTarget("good", [kettle2], teapot2, [POUR], namespace=smi.namespace2))
    assert_allowed(kettle2.get(teapot2, "/pour"))
    smi.observe("it is opened", is_allowed(kettle2.get(teapot, "/pour")))


@requirement("TA-084")
def test_the_destinations_namespace_may_be_written_out(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """A destination namespace equal to the TrafficTarget's own changes nothing."""
    smi.apply(TrafficTarget("tea", [kettle], Identity("teapot", smi.namespace), [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))
