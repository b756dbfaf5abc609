"""Split, structure: what may stand behind a root."""

from binascii import crc32
from collections.abc import Callable

from pytest_smi import (
    Backend,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_allowed,
    assert_only,
    assert_shares,
    assert_that,
    port,
    reached,
    requirement,
)


@requirement("TS-065")
def test_splits_are_not_hierarchical(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """A backend that is itself the root of a split is taken as a plain Service."""
    middle = smi.service(smi.fresh("middle"), {"version": "china"}, china, glass)
    smi.apply(
        TrafficSplit("outer", teapots, {middle: 1}),
        TrafficSplit("inner", middle, {glass: 1}),
    )
    assert_only(kettle.get(middle), glass)
    assert_only(kettle.get(teapots), china)


@requirement("TS-066")
def test_a_split_does_not_refer_to_itself(
    smi: Smi, kettle: Workload, teapots: Target, glass: Workload, fence: Callable[[], None]
) -> None:
    """The document rules it out: it is refused, or does no harm. Taken at its word it would lead in circles."""
    refusal = smi.refused(TrafficSplit("pour", teapots, {teapots: 50, glass: 50}))
    smi.observe("its root as a backend", "refused" if refusal else "accepted")
    fence()
    assert_allowed(kettle.get(glass))
    smi.observe("served by", reached(kettle.get(teapots)))


@requirement("TS-067")
def test_observe_two_splits_of_one_root(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """Which of them counts? Whichever it is, it should stay so."""
    smi.apply(TrafficSplit("one", teapots, {china: 1}))
    assert_only(kettle.get(teapots), china)
    smi.observe("the second is accepted", smi.refused(TrafficSplit("two", teapots, {glass: 1})) is None)
    fence()
    before = reached(kettle.get(teapots))
    fence()
    after = reached(kettle.get(teapots))
    both = [china.name, glass.name]
    words = {(china.name,): "the first", (glass.name,): "the second", tuple(both): "both"}
    smi.observe("what counts", words.get(tuple(after), "neither"))
    smi.observe("stays so", before == after)


@requirement("TS-068")
def test_observe_a_root_that_does_not_exist(
    smi: Smi,
    kettle: Workload,
    teapots: Target,
    china: Workload,
    glass: Workload,
    clay: Workload,
    fence: Callable[[], None],
) -> None:
    """Are the backends as before, and does the split begin to count when its root is created?"""
    name = smi.fresh("late")
    smi.observe("accepted", smi.refused(TrafficSplit("pour", name, {glass: 1})) is None)
    fence()
    smi.observe("its backend, called directly", reached(kettle.get(glass)))
    late = smi.service(name, {"app": "teapots"}, china, glass, clay, ports=[port(8080)])
    fence()
    smi.observe("its root, created later", reached(kettle.get(late)))


@requirement("TS-069")
def test_observe_a_root_that_selects_none_of_the_backends(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """The document's root selects all versions. What of one without a selector, or with another?"""
    for what, name, selector in (("no selector", "bare", {}), ("another selector", "wrong", {"app": "nobody"})):
        root = smi.service(smi.fresh(name), selector, china, glass, ports=[port(8080)])
        smi.observe(f"{what}: accepted", smi.refused(TrafficSplit(name, root, {china: 50, glass: 50})) is None)
        fence()
        smi.observe(f"{what}: served by", reached(kettle.get(root)))


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


@requirement("TS-071")
def test_observe_a_backend_that_does_not_exist(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, fence: Callable[[], None]
) -> None:
    """Its Service is missing and its weight is not 0: do the others take its share, or is it lost?"""
    backends = [Backend(china, 50), Backend("teapot-steel", 50)]
    smi.observe("accepted", smi.refused(TrafficSplit("pour", teapots, backends)) is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))


@requirement("TS-072")
def test_observe_a_backend_without_endpoints(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, fence: Callable[[], None]
) -> None:
    """Its Service is there and no pod is: do the others take its share, or is it lost?"""
    empty = smi.service("empty", {"app": "nobody"}, ports=[port(8080)])
    smi.observe("accepted", smi.refused(TrafficSplit("pour", teapots, {china: 50, empty: 50})) is None)
    fence()
    smi.observe("served by", reached(kettle.get(teapots)))


@requirement("TS-073")
def test_observe_the_host_that_a_backend_sees(smi: Smi, kettle: Workload, teapots: Target, glass: Workload) -> None:
    """Is it the root's name, as the client wrote it, or the backend's own?"""
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    call = kettle.get(teapots)
    assert_only(call, glass)
    hosts = [value for name, value in call.answer()["headers"] if name.lower() == "host"]
    names = {teapots.title: "the root's", glass.name: "the backend's"}
    smi.observe("host", [names.get(host.partition(".")[0], "another") for host in hosts])


@requirement("TS-074")
def test_a_split_request_is_carried_unchanged(smi: Smi, kettle: Workload, teapots: Target, glass: Workload) -> None:
    """Method, path, query, headers and body arrive as they were sent, and the application's status comes back."""
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    call = kettle.request("PUT", teapots, "/cup/%C3%A9?milk=oat&n=1", headers={"x-milk": "oat"}, body="sugar")
    assert_only(call, glass)
    echo = call.answer()
    body = {"bytes": 5, "crc32": crc32(b"sugar")}
    asked = {"method": "PUT", "path": "/cup/%C3%A9?milk=oat&n=1", "body": body}
    got = {name: echo.get(name) for name in asked}
    assert_that(smi, got == asked, f"the application receives {asked}", got)
    headers = [(name.lower(), value) for name, value in echo["headers"]]
    assert_that(smi, ("x-milk", "oat") in headers, "the application receives the header x-milk: oat", headers)
    glass.pod.agent.behaviour(status=418)
    try:
        status = call.send()[0].status
        assert_that(smi, status == 418, "the client receives the application's status 418", status)
    finally:
        glass.pod.agent.behaviour()


@requirement("TS-075")
def test_an_unresolvable_split_harms_no_other_service(
    smi: Smi, kettle: Workload, teapots: Target, clay: Workload, glass: Workload
) -> None:
    """Other Services and other splits go on as before."""
    smi.apply(TrafficSplit("lost", "no-such-root", {"no-such-backend": 1}))
    assert_allowed(kettle.get(clay))
    smi.apply(TrafficSplit("pour", teapots, {glass: 1}))
    assert_only(kettle.get(teapots), glass)


@requirement("TS-076")
def test_observe_backends_of_other_types(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, fence: Callable[[], None]
) -> None:
    """The document says that a backend may be of another type. Which types serve?"""
    name, pods, ports = f"teapot-glass.{smi.namespace}.svc.cluster.local", {"version": "glass"}, [port(8080)]
    types = {
        "NodePort": smi.service("glass-node-port", pods, glass, ports=ports, type="NodePort"),
        "LoadBalancer": smi.service("glass-balanced", pods, glass, ports=ports, type="LoadBalancer"),
        "ExternalName": smi.service("glass-away", {}, glass, ports=ports, type="ExternalName", externalName=name),
    }
    for what, backend in types.items():
        refusal = smi.refused(TrafficSplit("pour", teapots, {china: 50, backend: 50}))
        fence()
        smi.observe(what, "refused" if refusal else reached(kettle.get(teapots)))
