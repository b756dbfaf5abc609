"""Access, dynamics: what is written takes effect, on the pods that run."""

from typing import Any

from pytest_smi import (
    ANY,
    GET,
    POST,
    Deployed,
    Flow,
    HTTPRouteGroup,
    Rule,
    Smi,
    TCPRoute,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    assert_every_pod_answers,
    assert_never_allowed,
    assert_that,
    assert_uninterrupted,
    requirement,
)

POUR = ANY("/pour$", name="pour")
STIR = ANY("/stir$", name="stir")


def tea(smi: Smi, kettle: Workload, teapot: Workload) -> TrafficTarget:
    """Grants /pour by a group that stands by itself: deleting this TrafficTarget leaves the group where it is."""
    menu = HTTPRouteGroup("menu", [POUR])
    smi.apply(menu)
    return TrafficTarget("tea", [kettle], teapot, [menu.reference])


def unchanged(smi: Smi, *workloads: Workload) -> None:
    """The pods are the ones that ran before, and none of their containers was restarted."""
    now: list[dict[str, Any]] = [pod for one in workloads for pod in smi.scene.pods(one)]
    restarts = sum(status["restartCount"] for pod in now for status in pod["status"].get("containerStatuses", []))
    same = {pod["metadata"]["uid"] for pod in now} == {pod.uid for one in workloads for pod in one.pods}
    assert_that(smi, same and not restarts, "the same pods, never restarted", {"same": same, "restarts": restarts})


@requirement("TA-110")
def test_creating_takes_effect_without_restarts(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Denied before, allowed after, by the same pods."""
    assert_denied(kettle.get(teapot, "/pour"))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    unchanged(smi, kettle, teapot)


@requirement("TA-111")
def test_deleting_revokes_without_restarts(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Allowed before, denied after, by the same pods."""
    granted = tea(smi, kettle, teapot)
    smi.apply(granted)
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.delete(granted)
    assert_denied(kettle.get(teapot, "/pour"))
    unchanged(smi, kettle, teapot)


@requirement("TA-112")
def test_editing_the_sources_is_followed(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """A source that is added gets in, one that is removed does not any more."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.apply(TrafficTarget("tea", [kettle, cosy], teapot, [POUR]))
    assert_allowed(cosy.get(teapot, "/pour"))
    smi.apply(TrafficTarget("tea", [cosy], teapot, [POUR]))
    assert_denied(kettle.get(teapot, "/pour"))
    assert_allowed(cosy.get(teapot, "/pour"))


@requirement("TA-113")
def test_editing_the_rules_is_followed(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Another match of the same group, then another group."""
    menu, extra = HTTPRouteGroup("menu", [POUR, STIR]), HTTPRouteGroup("extra", [ANY("/clean$")])
    smi.apply(extra, TrafficTarget("tea", [kettle], teapot, [Rule(menu, [POUR])]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Rule(menu, [STIR])]))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [extra.reference]))
    assert_allowed(kettle.get(teapot, "/clean"))
    assert_denied(kettle.get(teapot, "/stir"))


@requirement("TA-114")
def test_editing_a_route_object_is_followed(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The TrafficTarget is not touched; path and then methods in the group it refers to change."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [HTTPRouteGroup("menu", [GET("/pour$", name="serve")])]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.apply(HTTPRouteGroup("menu", [GET("/stir$", name="serve")]))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))
    smi.apply(HTTPRouteGroup("menu", [POST("/stir$", name="serve")]))
    assert_allowed(kettle.request("POST", teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/stir"))


@requirement("TA-115")
def test_new_destination_pods_are_covered_from_the_first_request(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """While a replica starts nobody slips in; once it is ready it serves who is granted."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    with assert_never_allowed(intruder.get(teapot, "/pour")), smi.scaled(teapot, 2):
        assert_every_pod_answers(kettle.get(teapot, "/pour"))


@requirement("TA-116")
def test_new_source_pods_are_allowed(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """A replica of the client that starts after the policy may call as the first one does."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    with smi.scaled(kettle, 2):
        assert_allowed(*(kettle.get(teapot, "/pour", pod=pod) for pod in kettle.pods))
        assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-117")
def test_another_service_account_makes_another_client(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """A client that is deployed anew under another ServiceAccount may do what that may, and nothing else."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]), TrafficTarget("milk", [intruder], teapot, [STIR]))
    for account, granted, other in (("kettle", "/pour", "/stir"), ("intruder", "/stir", "/pour")):
        with smi.deployed(Deployed("turncoat", smi.namespace, account, service=False)) as (turncoat,):
            assert_allowed(turncoat.get(teapot, granted))  # from here on the mesh knows who it is
            assert_denied(turncoat.get(teapot, other))


@requirement("TA-118")
def test_observe_an_open_connection_at_revocation(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """No document says whether a connection that is open when its grant is revoked is cut or kept."""
    granted = TrafficTarget("tea", [kettle], teapot, [TCPRoute("tea-ports")])
    smi.apply(granted)
    assert_allowed(kettle.tcp(teapot))
    with Flow(kettle.tcp(teapot), held=True) as flow:
        smi.delete(granted)
        assert_denied(kettle.tcp(teapot))
        outlived = flow.running()
    kept = "kept" if flow.served == flow.requests else "cut"
    smi.observe("the connection", kept if outlived else "ended by itself before the revocation was in force")


@requirement("TA-119")
def test_policy_survives_a_restart_of_the_control_plane(
    smi: Smi, kettle: Workload, cosy: Workload, intruder: Workload, teapot: Workload
) -> None:
    """While it is away no verdict changes; when it is back it still knows what was granted, and follows changes."""
    if not smi.mesh.restartable():
        smi.lacks("control-plane-restart", "this run did not bring the mesh, or its profile does not say how")
    granted = tea(smi, kettle, teapot)
    smi.apply(granted)
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    with assert_uninterrupted(kettle.get(teapot, "/pour")), assert_never_allowed(intruder.get(teapot, "/pour")):
        smi.mesh.restart_control_plane()
        smi.apply(TrafficTarget("milk", [cosy], teapot, [STIR]))
        assert_allowed(cosy.get(teapot, "/stir"))
    assert_denied(intruder.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    smi.delete(granted)
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TA-120")
def test_recreating_leads_to_the_same_state(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Deleted and created again, a TrafficTarget grants what it granted before, no more and no less."""
    granted = tea(smi, kettle, teapot)
    for _ in range(2):
        smi.apply(granted)
        assert_allowed(kettle.get(teapot, "/pour"))
        assert_denied(kettle.get(teapot, "/stir"), intruder.get(teapot, "/pour"))
        smi.delete(granted)
        assert_denied(kettle.get(teapot, "/pour"))


@requirement("TA-121")
def test_other_objects_changes_cause_no_gap(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """While fifty unrelated TrafficTargets come, change and go, a granted flow goes on without a failure."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    cups, mugs = (
        [HTTPRouteGroup(f"other-{number}", [ANY(f"/{path}-{number}$", name="serve")]) for number in range(50)]
        for path in ("cup", "mug")
    )
    others = [TrafficTarget(cup.name, [teapot], cosy, [Rule(cup, ["serve"])]) for cup in cups]
    with assert_uninterrupted(kettle.get(teapot, "/pour")):
        smi.apply(*others)
        assert_allowed(teapot.get(cosy, "/cup-49"))
        smi.apply(*mugs)
        assert_allowed(teapot.get(cosy, "/mug-49"))
        smi.delete(*others)
        assert_denied(teapot.get(cosy, "/mug-49"))
