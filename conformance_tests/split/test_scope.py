"""Split, scope: which traffic is split and which is not."""

import json
from collections.abc import Callable
from contextlib import closing

from pytest_smi import (
    Backend,
    Deployed,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_allowed,
    assert_only,
    assert_reaches,
    assert_that,
    port,
    reached,
    requirement,
)


def through_a_port_forward(workload: Workload) -> str:
    """The pod that answers a GET through a port-forward to the workload's pod."""
    cluster, pod = workload.scene.cluster, workload.pod
    with closing(cluster.connect(workload.namespace, pod.name, 8080)) as stream:
        stream.settimeout(workload.scene.profile.settle.attempt_seconds)
        stream.sendall(b"GET / HTTP/1.1\r\nhost: forwarded\r\nconnection: close\r\n\r\n")
        answer = b""
        while piece := stream.recv(65536):
            answer += piece
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["pod"])


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


@requirement("TS-022")
def test_observe_the_roots_address_and_its_name_elsewhere(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload, clay: Workload
) -> None:
    """Is the root known by its ClusterIP, by the name in the Host header, or by both?"""
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle.get(teapots), glass)
    address = smi.api.get(f"/api/v1/namespaces/{smi.namespace}/services/teapots")["spec"]["clusterIP"]
    smi.observe("by its ClusterIP", reached(kettle.get(teapots.at(address))))
    smi.observe("by its name at another Service", reached(kettle.get(clay, headers={"host": teapots.host})))


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
    other = smi.service(smi.fresh("any-teapot"), {"app": "teapots"}, china, glass, clay)
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle.get(teapots), glass)
    assert_reaches(kettle.get(other), china, glass, clay)


@requirement("TS-025")
def test_clients_without_a_proxy_keep_plain_service_behaviour(
    smi: Smi, outsider: Workload, fence: Callable[[], None]
) -> None:
    """For a client and servers outside of the mesh the root's selector decides, whatever the weights."""
    mugs = [
        Deployed(f"mug-{colour}", smi.namespace, labels={"app": "mugs"}, meshed=False) for colour in ("red", "blue")
    ]
    with smi.deployed(*mugs) as (red, blue):
        root = smi.service(smi.fresh("mugs"), {"app": "mugs"}, red, blue, ports=[port(8080)])
        smi.apply(TrafficSplit("pour", root, {red: 100, blue: 0}))
        fence()
        assert_reaches(outsider.get(root.at(f"{root.title}.{smi.namespace}.svc.cluster.local")), red, blue)


@requirement("TS-026")
def test_port_forwarding_to_a_backend_is_not_split(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The document's spot check: the new version is looked at through a port-forward while its weight is 0."""
    smi.apply(TrafficSplit("pour", teapots, {china: 100, glass: 0}))
    assert_only(kettle.get(teapots), china)
    pod = through_a_port_forward(glass)
    assert_that(smi, glass.has(pod), f"the pod of {glass.name} answers", pod)


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
    smi: Smi, kettle2: Workload, china: Workload, glass: Workload, clay: Workload
) -> None:
    """The root's full name works from anywhere in the mesh, and so does its split."""
    smi.allow(kettle2, to=[china, glass, clay])
    root = smi.scene.service("teapots", smi.namespace)
    assert_allowed(*(kettle2.get(to) for to in (china, glass, clay, root)))
    smi.apply(TrafficSplit("pour", root, {glass: 1}))
    assert_only(kettle2.get(root), glass)


@requirement("TS-029")
def test_observe_a_backend_in_another_namespace(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, teapot2: Workload, fence: Callable[[], None]
) -> None:
    """An open question of the document itself: may a backend be named with its namespace?"""
    smi.allow(kettle, to=[teapot2])
    backends = [Backend(china, 50), Backend(f"{teapot2.name}.{smi.namespace2}", 50)]
    smi.observe("accepted", smi.refused(TrafficSplit("pour", teapots, backends)) is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))
