"""Access, default denial and identity: nobody gets in without a grant, and the ServiceAccount is who one is."""

from pytest_smi import (
    ANY,
    GET,
    Identity,
    Smi,
    TCPRoute,
    TrafficTarget,
    UDPRoute,
    Workload,
    assert_allowed,
    assert_denied,
    assert_every_pod_answers,
    assert_none_gets_through,
    requirement,
)


@requirement("TA-001")
def test_http_is_denied_without_a_traffic_target(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A destination that no TrafficTarget names takes no HTTP; with one, the same call gets through."""
    assert_denied(kettle.get(teapot))
    assert_none_gets_through(kettle.get(teapot))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot))


@requirement("TA-002")
def test_tcp_is_denied_without_a_traffic_target(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """All traffic is denied by default, so raw TCP too."""
    assert_denied(kettle.tcp(teapot))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")]))
    assert_allowed(kettle.tcp(teapot))


@requirement("TA-003")
def test_udp_is_denied_without_a_traffic_target(smi: Smi, kettle: Workload, teapot: Workload, cosy: Workload) -> None:
    """All traffic is denied by default, so datagrams too; another destination shows that they would arrive."""
    smi.apply(TrafficTarget("tea", [kettle], cosy, [UDPRoute("tea-datagrams")]))
    assert_allowed(kettle.udp(cosy))
    assert_denied(kettle.udp(teapot))


@requirement("TA-004")
def test_a_listed_source_on_a_defined_route_is_allowed(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A pod that runs under a listed ServiceAccount may call a route among the rules."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))


@requirement("TA-005")
def test_an_unlisted_source_is_denied(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """A pod whose identity is not among the sources is denied, even on an allowed route."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))
    assert_none_gets_through(intruder.get(teapot, "/pour"))


@requirement("TA-006")
def test_a_path_outside_the_rules_is_denied(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A listed source is denied on a path that no rule defines."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/admin"))


@requirement("TA-007")
def test_a_method_outside_the_rules_is_denied(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A listed source is denied with a method that no rule defines."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(*(kettle.request(method, teapot, "/pour") for method in ("POST", "DELETE", "HEAD")))


@requirement("TA-008")
def test_another_destination_stays_closed(smi: Smi, kettle: Workload, teapot: Workload, cosy: Workload) -> None:
    """A TrafficTarget opens its own destination only."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot))
    assert_denied(kettle.get(cosy))


@requirement("TA-009")
def test_identity_is_the_service_account(smi: Smi, strainer: Workload, double: Workload, teapot: Workload) -> None:
    """Not the name, not the labels: a double under another ServiceAccount is denied, an unlike one under it is not."""
    smi.apply(TrafficTarget("tea", [Identity("kettle")], teapot, [ANY()]))
    assert_allowed(strainer.get(teapot))
    assert_denied(double.get(teapot))


@requirement("TA-010")
def test_a_namesake_in_another_namespace_is_someone_else(
    smi: Smi, kettle: Workload, kettle2: Workload, teapot: Workload
) -> None:
    """A ServiceAccount of the same name in another namespace is another identity."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot))
    assert_denied(kettle2.get(teapot))


@requirement("TA-011")
def test_all_pods_of_the_destination_are_opened(
    smi: Smi, kettle: Workload, teapot: Workload, spare: Workload, cosy: Workload
) -> None:
    """The destination is every pod of its ServiceAccount, whatever Deployment or Service it belongs to."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot), kettle.get(spare))
    assert_denied(kettle.get(cosy))


@requirement("TA-012")
def test_other_pods_behind_the_same_service_stay_closed(
    smi: Smi, kettle: Workload, china: Workload, glass: Workload
) -> None:
    """Where a Service selects pods of several ServiceAccounts, only those of the destination serve."""
    smi.apply(TrafficTarget("tea", [kettle], china, [ANY()]))
    shared = [smi.scene.target("teapots", smi.namespace, one) for one in (china, glass)]
    assert_allowed(kettle.get(shared[0]), times=1)
    assert_denied(kettle.get(shared[1]), times=24)


@requirement("TA-013")
def test_every_replica_enforces(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Each replica of the destination lets the same requests in and keeps the same ones out."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")]))
    with smi.scaled(teapot, 3):
        assert_every_pod_answers(kettle.get(teapot, "/pour"))
        assert_denied(intruder.get(teapot, "/pour"), kettle.get(teapot, "/admin"), times=24)


@requirement("TA-014")
def test_every_pod_of_a_source_may_connect(
    smi: Smi, kettle: Workload, strainer: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Two Deployments under one listed ServiceAccount are both allowed, and nobody else."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot), strainer.get(teapot))
    assert_denied(intruder.get(teapot))


@requirement("TA-015")
def test_a_pod_without_a_service_account_is_default(
    smi: Smi, kettle: Workload, stray: Workload, teapot: Workload
) -> None:
    """A pod that names no ServiceAccount has the identity `default` of its namespace."""
    smi.apply(TrafficTarget("tea", [Identity("default")], teapot, [ANY()]))
    assert_allowed(stray.get(teapot))
    assert_denied(kettle.get(teapot))


@requirement("TA-016")
def test_headers_cannot_forge_an_identity(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Whatever a client writes into its headers, it stays who it is."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot))
    spiffe = f"spiffe://cluster.local/ns/{smi.namespace}/sa/kettle"
    forged = {
        "x-forwarded-client-cert": f"By={spiffe};Hash=00;URI={spiffe}",
        "x-forwarded-for": kettle.pod.ip,
        "x-envoy-external-address": kettle.pod.ip,
        "x-envoy-internal": "true",
        "l5d-client-id": f"kettle.{smi.namespace}.serviceaccount.identity.linkerd.cluster.local",
    }
    assert_denied(intruder.get(teapot, headers=forged))
    assert_denied(intruder.get(teapot, headers={"host": f"kettle.{smi.namespace}.svc.cluster.local"}))
