"""Access, scope: what a TrafficTarget leaves alone."""

from pytest_smi import (
    ANY,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    port,
    requirement,
)


@requirement("TA-130")
def test_hosts_outside_of_the_mesh_are_none_of_its_business(
    smi: Smi, kettle: Workload, cosy: Workload, outsider: Workload, teapot: Workload
) -> None:
    """Whether a client may call a host outside is decided elsewhere: a grant for it changes nothing, either way."""
    outside = smi.service(smi.fresh("outside"), {"app": "outsider"}, outsider, ports=[port(8080)])
    mark = smi.service(smi.fresh("mark"), {"app": "teapot"}, teapot, ports=[port(8080)])
    smi.apply(TrafficTarget("mark", [cosy], teapot, [ANY("/mark$")]))
    assert_allowed(cosy.get(mark, "/mark"))  # by now the mesh knows the Service above too
    calls = [kettle.get(target) for target in (outside, smi.scene.at_pod(outsider))]
    before = [is_allowed(call) for call in calls]
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    for call, was_allowed in zip(calls, before, strict=True):
        (assert_allowed if was_allowed else assert_denied)(call)
    smi.observe("reached by a Service, by address", before)
