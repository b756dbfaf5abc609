"""Split, dynamics: the canary workflow of the document."""

from pytest_smi import (
    Deployed,
    Flow,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_every_pod_answers,
    assert_only,
    assert_reaches,
    assert_shares,
    assert_that,
    assert_uninterrupted,
    port,
    requirement,
)


@requirement("TS-035")
def test_changing_weights_takes_effect_without_restarts(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """From all china over half and half to all glass, while the pods stay the same."""
    before = {pod.uid for pod in (*china.pods, *glass.pods)}
    smi.apply(TrafficSplit("pour", teapots, {china: 100, glass: 0}))
    assert_only(kettle.get(teapots), china)
    smi.apply(TrafficSplit("pour", teapots, {china: 50, glass: 50}))
    assert_shares(kettle.get(teapots), {china: 50, glass: 50}, within=0.15)
    smi.apply(TrafficSplit("pour", teapots, {china: 0, glass: 100}))
    assert_only(kettle.get(teapots), glass)
    after = {pod["metadata"]["uid"] for one in (china, glass) for pod in smi.scene.pods(one)}
    assert_that(smi, before == after, "no pod was replaced", sorted(before ^ after), "the mesh restarts workloads")


@requirement("TS-036")
def test_deleting_the_split_gives_plain_service_behaviour_back(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """Afterwards the root's own selector decides again."""
    split = TrafficSplit("pour", teapots, {glass: 1})
    smi.apply(split)
    assert_only(kettle.get(teapots), glass)
    smi.delete(split)
    assert_reaches(kettle.get(teapots), china, glass, clay)


@requirement("TS-037")
def test_a_backend_of_weight_zero_need_not_exist_yet(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload
) -> None:
    """The workflow names the new version before it is there: all traffic stays on the old one, without an error."""
    smi.apply(TrafficSplit("pour", teapots, {china.service_name: 100, "teapot-steel": 0}))
    assert_only(kettle.get(teapots), china)


@requirement("TS-038")
def test_a_new_version_of_weight_zero_gets_nothing_although_the_root_selects_it(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload
) -> None:
    """Deploying the new version sends it nothing until its weight says so."""
    smi.apply(TrafficSplit("pour", teapots, {china.service_name: 100, "teapot-steel": 0}))
    assert_only(kettle.get(teapots), china)
    with smi.deployed(Deployed("teapot-steel", smi.namespace, labels={"app": "teapots"})) as (steel,):
        smi.allow(kettle, to=[steel], name="open-steel")
        assert_only(kettle.get(steel), steel)
        assert_shares(kettle.get(teapots), {china: 100, steel: 0})
        smi.apply(TrafficSplit("pour", teapots, {china: 0, steel: 100}))
        assert_only(kettle.get(smi.scene.service("teapots", smi.namespace)), steel)


@requirement("TS-039")
def test_the_documents_workflow_from_end_to_end(smi: Smi, kettle: Workload) -> None:
    """A roll-out as the document tells it: after each step the shares are right and every request is served."""
    old, new = (Deployed(f"brew-{version}", smi.namespace, labels={"app": "brew"}) for version in ("v1", "v2"))
    with smi.deployed(old) as (v1,):
        smi.allow(kettle, to=[v1])
        brew = smi.service(smi.fresh("brew"), {"app": "brew"}, v1, ports=[port(8080)])
        assert_only(kettle.get(brew), v1)
        with Flow(kettle.get(brew)) as flow:
            smi.apply(TrafficSplit("brew-rollout", brew, {v1.service_name: 100, new.name: 0}))
            assert_only(kettle.get(brew), v1)
            with smi.deployed(new) as (v2,):
                smi.allow(kettle, to=[v2])
                assert_only(kettle.get(v2), v2)  # the spot check
                assert_shares(kettle.get(brew), {v1: 100, v2: 0})
                smi.apply(TrafficSplit("brew-rollout", brew, {v1: 1000, v2: 500}))
                assert_shares(kettle.get(brew), {v1: 1000, v2: 500}, within=0.12)
                finished = TrafficSplit("brew-rollout", brew, {v2: 1})
                smi.apply(finished)
                assert_only(kettle.get(brew), v2)
                smi.scene.remove(v1)
                assert_only(kettle.get(brew), v2)
                smi.delete(finished)
                assert_only(kettle.get(brew), v2)
                flow.stop()
    smi.observe("requests lost on the way from step to step", "none" if flow.answered == flow.requests else "some")


@requirement("TS-040")
def test_removing_a_backend_from_the_list_stops_its_traffic(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Half and half, then glass alone."""
    smi.apply(TrafficSplit("pour", teapots, {china: 50, glass: 50}))
    assert_shares(kettle.get(teapots), {china: 50, glass: 50}, within=0.15)
    smi.apply(TrafficSplit("pour", teapots, {glass: 50}))
    assert_only(kettle.get(teapots), glass)


@requirement("TS-041")
def test_requests_on_one_connection_are_split_one_by_one(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """HTTP is split per request, also on a kept-alive connection."""
    smi.apply(TrafficSplit("pour", teapots, {china: 70, glass: 30}))
    assert_shares(kettle.get(teapots), {china: 70, glass: 30}, within=0.12, kept=True, concurrency=1)


@requirement("TS-042")
def test_tcp_is_split_by_connection(
    smi: Smi, kettle: Workload, streams: Target, china: Workload, glass: Workload
) -> None:
    """New connections are shared by weight, and what is sent on one of them stays on its backend."""
    smi.apply(TrafficSplit("pour", streams, {china: 70, glass: 30}))
    assert_shares(kettle.tcp(streams), {china: 70, glass: 30}, within=0.12)
    for _ in range(5):
        one = kettle.tcp(streams).sample(20, concurrency=1, kept=True)
        alone = len(one.pods) == 1 and not one.unserved
        assert_that(smi, alone, "all that one connection carries is answered by one pod", one.pods)


@requirement("TS-043")
def test_grpc_calls_on_one_channel_are_split_one_by_one(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """A channel is one HTTP/2 connection; each unary call on it is a request of its own."""
    smi.apply(TrafficSplit("pour", teapots, {china: 70, glass: 30}))
    call = kettle.request("POST", teapots, "/tea.Pot/Pour", protocol="grpc")
    assert_shares(call, {china: 70, glass: 30}, within=0.15, kept=True, concurrency=1)


@requirement("TS-044")
def test_the_number_of_replicas_does_not_move_the_shares(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Weights count Services, not pods."""
    weights = {china: 75, glass: 25}
    smi.apply(TrafficSplit("pour", teapots, weights))
    assert_shares(kettle.get(teapots), weights, within=0.15)
    backends = smi.scene.target("teapots", smi.namespace, china, glass)
    with smi.scaled(glass, 3):
        assert_every_pod_answers(kettle.get(backends))  # until then the shares are those of one pod each
        assert_shares(kettle.get(teapots), weights, within=0.15)
    assert_shares(kettle.get(teapots), weights, within=0.15)


@requirement("TS-045")
def test_a_split_survives_a_restart_of_the_control_plane(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """The shares stay as they are, no request is lost, and when it is back it follows the next change."""
    if not smi.mesh.restartable():
        smi.lacks("control-plane-restart", "this run did not bring the mesh, or its profile does not say how")
    smi.apply(TrafficSplit("pour", teapots, {china: 100, glass: 0}))
    assert_only(kettle.get(teapots), china)
    only_china = smi.scene.target("teapots", smi.namespace, china)
    with assert_uninterrupted(kettle.get(only_china)):
        smi.mesh.restart_control_plane()
        assert_shares(kettle.get(teapots), {china: 100, glass: 0})
    smi.apply(TrafficSplit("pour", teapots, {china: 25, glass: 75}))
    assert_shares(kettle.get(teapots), {china: 25, glass: 75}, within=0.15)
