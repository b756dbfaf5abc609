"""Access, enforcement point: the server's side decides, whatever way a request comes."""

from pytest_smi import (
    ANY,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    assert_on_one_connection,
    assert_that,
    is_allowed,
    requirement,
)

POUR = ANY("/pour$", name="pour")


@requirement("TA-090")
def test_enforcement_is_at_the_server(
    smi: Smi, kettle: Workload, outsider: Workload, intruder: Workload, teapot: Workload
) -> None:
    """A client that no proxy of its own holds back, and one that dials the pod itself, are denied all the same."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    pod = smi.scene.at_pod(teapot)
    assert_denied(outsider.get(pod, "/pour"), intruder.get(pod, "/pour"))


@requirement("TA-091")
def test_observe_enforcement_at_the_client(
    smi: Smi, kettle: Workload, intruder: Workload, outsider: Workload, teapot: Workload
) -> None:
    """A mesh may refuse at the client as well: a refusal that differs from the one outside the mesh hints at it."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    for name, client in (("in the mesh", intruder), ("outside the mesh", outsider)):
        smi.observe(f"refusal {name}", client.get(teapot, "/pour").send()[0].shape)


@requirement("TA-092")
def test_a_client_outside_the_mesh_is_denied(smi: Smi, kettle: Workload, outsider: Workload, teapot: Workload) -> None:
    """It runs under a listed ServiceAccount, but no proxy vouches for it: it has no identity."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(outsider.get(teapot, "/pour"))


@requirement("TA-093")
def test_the_decision_does_not_depend_on_the_name_used(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Every DNS name of the Service, its address and the pod's address give the same verdicts."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    for target in (*smi.scene.names(teapot), smi.scene.at_pod(teapot)):
        assert_allowed(kettle.get(target, "/pour"))
        assert_denied(intruder.get(target, "/pour"), kettle.get(target, "/admin"), times=2)


@requirement("TA-094")
def test_a_denied_request_is_not_delivered(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Nothing of it reaches the application: its log grows by the allowed requests only, whatever a request carries."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.request("POST", teapot, "/pour", body="sugar"))
    before = teapot.pod.agent.log(limit=1)["end"]
    sweet = intruder.request("POST", teapot, "/pour", body="sugar")
    host = sweet.target.host.encode()
    bare = intruder.raw(teapot, b"GET /pour HTTP/1.1\r\nhost: %b:8080\r\nconnection: close\r\n\r\n" % host)
    for call in (sweet, bare, kettle.get(teapot, "/pour")):
        call.send(3)
    arrived = [entry["method"] for entry in teapot.pod.agent.log(since=before)["entries"]]
    assert_that(smi, arrived == ["GET"] * 3, "only the three allowed requests arrive", arrived)


@requirement("TA-095")
def test_observe_the_shape_of_refusals(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """No document says what a refused client sees."""
    smi.observe("no policy at all", kettle.get(teapot, "/pour").send()[0].shape)
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.observe("another source", intruder.get(teapot, "/pour").send()[0].shape)
    smi.observe("another path", kettle.get(teapot, "/admin").send()[0].shape)
    smi.observe("TCP", kettle.tcp(teapot).send()[0].shape)


@requirement("TA-096")
def test_verdicts_are_the_same_for_every_protocol(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """HTTP/1.1, HTTP/2 without TLS and gRPC: source and path decide in each."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/tea.Pot/Pour$")]))
    for protocol in ("http1", "h2c", "grpc"):
        assert_allowed(kettle.request("POST", teapot, "/tea.Pot/Pour", protocol=protocol))
        assert_denied(kettle.request("POST", teapot, "/tea.Pot/Break", protocol=protocol))
        assert_denied(intruder.request("POST", teapot, "/tea.Pot/Pour", protocol=protocol))


@requirement("TA-097")
def test_each_request_of_a_connection_is_judged(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """On one kept connection an allowed request, a denied one and again an allowed one each get their own verdict."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    pour, admin = kettle.get(teapot, "/pour"), kettle.get(teapot, "/admin")
    assert_allowed(pour)
    assert_on_one_connection((pour, True), (admin, False), (pour, True))


@requirement("TA-098")
def test_observe_path_tricks(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Ways to write /admin so that a rule for /pour might take it for its own; none should reach the application."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour(/.*)?$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    host = f"http://teapot.{smi.namespace}.svc.cluster.local:8080"
    tricks = ["/pour/../admin", "/pour/%2e%2e/admin", "/pour/..;/admin", "/pour\\..\\admin", "//admin", "/%61dmin"]
    tricks += ["/admin;/pour", "/pour;/../admin", "/admin?x=/pour", "/admin#/pour", f"{host}/admin"]
    for path in tricks:
        smi.observe(path.replace(host, "absolute form: "), is_allowed(kettle.get(teapot, path)))


@requirement("TA-099")
def test_observe_upgrade_and_connect(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """No document mentions HTTP upgrades or CONNECT."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot))
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    smi.observe("upgrade", kettle.get(teapot, headers=upgrade).send()[0].shape)
    smi.observe("CONNECT", kettle.request("CONNECT", teapot, "teapot:8080").send()[0].shape)


@requirement("TA-100")
def test_observe_a_pod_that_calls_itself(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """May a pod call its own Service without a grant?"""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.observe("a pod may call its own Service", is_allowed(teapot.get(teapot, "/pour")))


@requirement("TA-101")
def test_observe_probes_under_default_denial(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The kubelet has no identity, and still has to find pods ready."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.observe("the pod is ready", teapot.refresh())
