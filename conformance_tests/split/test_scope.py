"""Split, scope: which traffic is split and which is not."""

from pytest_smi import (
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_only,
    assert_reaches,
    requirement,
)


@requirement("TS-020")
def test_traffic_to_the_roots_full_name_is_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The fully qualified name of the root is what applications use."""
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    full = teapots.at(f"teapots.{smi.namespace}.svc.cluster.local")
    assert_only(kettle.get(full), glass)


@requirement("TS-021")
def test_traffic_to_the_roots_shorter_names_is_split_too(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload
) -> None:
    """Cluster DNS gives a Service several names; they are one root."""
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    for host in ("teapots", f"teapots.{smi.namespace}", f"teapots.{smi.namespace}.svc"):
        assert_only(kettle.get(teapots.at(host)), glass)


@requirement("TS-023")
def test_calling_a_backend_directly_is_not_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """A backend's own Service leads to it, although its weight under the root is 0."""
    smi.apply(TrafficSplit("pour", teapots, {china: 100, glass: 0}))
    assert_only(kettle.get(teapots), china)
    assert_only(kettle.get(glass), glass)


@requirement("TS-024")
def test_another_service_over_the_same_pods_is_not_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Only the root named by the split is split, not whatever selects the same pods."""
    other = smi.service("any-teapot", {"app": "teapots"}, china, glass, clay)
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle.get(teapots), glass)
    assert_reaches(kettle.get(other), china, glass, clay)


@requirement("TS-028")
def test_a_split_acts_in_its_own_namespace_only(
    smi: Smi, kettle: Workload, teapots: Target, teapot2: Workload, glass: Workload
) -> None:
    """A Service of the root's name in another namespace keeps its own endpoints."""
    smi.allow(kettle, to=[teapot2])
    namesake = smi.service("teapots", {"pytest-smi.dev/workload": "teapot2"}, teapot2, namespace=smi.namespace2)
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle.get(teapots), glass)
    assert_only(kettle.get(namesake), teapot2)


@requirement("TS-030")
def test_clients_in_another_namespace_are_split_too(
    smi: Smi, kettle2: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """The root's full name works from anywhere in the mesh, and so does its split."""
    smi.allow(kettle2, to=[china, glass, clay], name="open2")
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle2.get(teapots), glass)
