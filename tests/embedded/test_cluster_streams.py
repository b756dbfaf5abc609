"""Ways to pods through the API server: forwarded ports, commands, logs; also when they are cut in the middle."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest

from pytest_smi.cluster.api import Refused, path_of
from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.kubeconfig import KubeconfigCluster
from pytest_smi.errors import ClusterError, DeadlineExceeded, WorkloadError
from pytest_smi.mesh.profile import load_profile
from pytest_smi.traffic.agent import Agent
from pytest_smi.traffic.plan import Plan, Request
from pytest_smi.workload import ports
from pytest_smi.workload.manifests import Deployed
from pytest_smi.workload.readiness import until_ready
from pytest_smi.workload.scene import Scene
from pytest_smi.workload.workload import Pod
from tests.embedded.cluster_process import until
from tests.embedded.misbehaving import Misbehaving


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedCluster]:
    cluster = EmbeddedCluster()
    cluster.wait()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def proxy(embedded: EmbeddedCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Misbehaving]:
    assert embedded.kubeconfig
    found = Misbehaving(embedded.kubeconfig, tmp_path_factory.mktemp("proxy"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def scene(proxy: Misbehaving) -> Iterator[Scene]:
    """Two workloads without a mesh, reached through the proxy."""
    cluster = KubeconfigCluster(str(proxy.kubeconfig))
    found = Scene(cluster, load_profile("reference"), "streams")
    found.settle_in()
    found.add(Deployed("teapot", found.namespace, meshed=False), Deployed("kettle", found.namespace, meshed=False))
    found.wait()
    yield found
    found.close()


@pytest.fixture
def kettle(scene: Scene) -> Pod:
    return scene.workload("kettle").pod


@pytest.fixture
def teapot(scene: Scene) -> Pod:
    return scene.workload("teapot").pod


def test_a_plan_goes_through_a_forwarded_port(kettle: Pod, teapot: Pod) -> None:
    outcome = kettle.agent.run(Plan(Request(teapot.ip, 8080), count=500, concurrency=8))
    assert {one.pod for one in outcome.observations} == {teapot.name}
    assert len(kettle.agent.seen(["none"])) == 0


def test_a_large_question_and_answer_pass(kettle: Pod, teapot: Pod) -> None:
    ids = tuple(f"{'x' * 100}{number}" for number in range(5000))
    assert len(kettle.agent.run(Plan(Request(teapot.ip, 8080), ids=ids, concurrency=16)).observations) == len(ids)
    assert len(teapot.agent.seen(ids)) == len(ids)


@pytest.mark.parametrize("times", [1, 3])
def test_a_forward_that_is_cut_amid_a_plan_loses_nothing_and_repeats_nothing(
    embedded: EmbeddedCluster, scene: Scene, proxy: Misbehaving, kettle: Pod, teapot: Pod, times: int
) -> None:
    observer = Agent(lambda: embedded.connect(scene.namespace, teapot.name, ports.CONTROL))  # past the proxy
    begin = observer.log(limit=1)["end"]
    cuts: list[int] = []

    def cut() -> None:
        for goal in range(20, 20 * (times + 1), 20):
            until("some requests to arrive", lambda goal=goal: observer.log(limit=1)["end"] >= begin + goal)  # type: ignore[misc]
            cuts.append(proxy.cut())

    thread = threading.Thread(target=cut)
    thread.start()
    outcome = kettle.agent.run(Plan(Request(teapot.ip, 8080), count=200, rate=100, detail="histogram"))
    thread.join()
    assert all(cuts)
    assert outcome.histogram
    assert outcome.histogram.pods == {teapot.name: 200}
    assert observer.log(limit=1)["end"] == begin + 200
    observer.close()
    assert teapot.agent.healthy(), "its forward was cut too, and is opened again"


def test_an_api_server_that_is_away_during_a_plan_is_waited_for(proxy: Misbehaving, kettle: Pod, teapot: Pod) -> None:
    threading.Timer(0.3, proxy.down).start()
    threading.Timer(1.3, proxy.up).start()
    outcome = kettle.agent.run(Plan(Request(teapot.ip, 8080), count=100, rate=100, detail="histogram"))
    assert outcome.histogram
    assert outcome.histogram.pods == {teapot.name: 100}


def test_a_pod_that_is_not_there_is_named(scene: Scene) -> None:
    with pytest.raises(Refused, match=r"404 NotFound: pods \"no-such\" not found"):
        scene.cluster.connect(scene.namespace, "no-such", ports.CONTROL)


def test_a_port_where_nobody_listens_is_named(scene: Scene, kettle: Pod) -> None:
    forward = scene.cluster.connect(scene.namespace, kettle.name, 4)
    forward.settimeout(10)
    with pytest.raises(ConnectionError, match="error forwarding port 4 to pod kettle-"):
        forward.recv(1)
    forward.close()


def test_a_forward_that_says_nothing_times_out(scene: Scene, kettle: Pod) -> None:
    forward = scene.cluster.connect(scene.namespace, kettle.name, ports.CONTROL)
    forward.settimeout(0.2)
    with pytest.raises(TimeoutError):
        forward.recv(1)
    forward.close()
    forward.close()


@pytest.mark.parametrize("direct", [False, True], ids=["kubeconfig", "embedded"])
def test_a_command_runs_in_a_pod(embedded: EmbeddedCluster, scene: Scene, kettle: Pod, direct: bool) -> None:
    cluster = embedded if direct else scene.cluster
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(int(sys.argv[1]))"
    done = cluster.execute(scene.namespace, kettle.name, ["python3", "-c", code, "0"])
    assert (done.status, done.out, done.err) == (0, "out\n", "err\n")
    assert cluster.execute(scene.namespace, kettle.name, ["python3", "-c", code, "7"], "app").status == 7


def test_a_program_that_is_not_there_does_not_succeed(scene: Scene, kettle: Pod) -> None:
    assert scene.cluster.execute(scene.namespace, kettle.name, ["no-such-program"]).status != 0


def test_a_command_in_a_container_that_is_not_there_is_an_error(scene: Scene, kettle: Pod) -> None:
    with pytest.raises(ClusterError, match="no-such"):
        scene.cluster.execute(scene.namespace, kettle.name, ["true"], "no-such")


@pytest.mark.parametrize("direct", [False, True], ids=["kubeconfig", "embedded"])
def test_the_log_of_a_pod_is_read_as_it_is(embedded: EmbeddedCluster, scene: Scene, kettle: Pod, direct: bool) -> None:
    cluster = embedded if direct else scene.cluster
    text = cluster.logs(scene.namespace, kettle.name, lines=5)
    assert text.count("\n") >= 1
    with pytest.raises(Refused, match="no-such"):
        cluster.logs(scene.namespace, kettle.name, "no-such")


def test_an_application_that_does_not_start_is_told_with_its_last_words(scene: Scene) -> None:
    (bad,) = scene.add(Deployed("bad", scene.namespace, meshed=False, ports={"HTTP_PORTS": "tea"}))
    with pytest.raises(WorkloadError) as raised:
        until_ready(scene.cluster, bad)
    scene.remove(bad)
    told = str(raised.value)
    assert "\n" not in told
    assert f"pod {scene.namespace}/bad-" in told
    assert re.search(r"container app has ended ([3-9]|\d\d) times, last with status 2", told)  # looked at now and then
    assert "last words of app: sample_app: HTTP_PORTS: 'tea' is not a port" in told


def test_an_image_that_cannot_be_had_is_told_at_once_by_its_name(scene: Scene) -> None:
    (bad,) = scene.add(Deployed("bad", scene.namespace, meshed=False))
    path = path_of("apps/v1", "Deployment", scene.namespace, "bad")
    container = {"name": "app", "image": "registry.example/none:1", "command": None}
    change = {
        "spec": {
            "template": {"spec": {"containers": [container]}},
            "strategy": {"type": "Recreate", "rollingUpdate": None},
        }
    }
    scene.cluster.api.patch(path, change, "strategic")
    told = r"image registry\.example/none:1 of container app cannot be had: ErrImagePull"
    with pytest.raises(WorkloadError, match=told):
        until_ready(scene.cluster, bad)
    scene.remove(bad)


def test_a_pod_that_never_gets_ready_is_told_with_what_its_containers_do(scene: Scene) -> None:
    (bad,) = scene.add(Deployed("bad", scene.namespace, meshed=False))
    path = path_of("apps/v1", "Deployment", scene.namespace, "bad")
    probe = {"name": "app", "readinessProbe": {"httpGet": {"path": "/healthz", "port": 4}}}
    scene.cluster.api.patch(path, {"spec": {"template": {"spec": {"containers": [probe]}}}}, "strategic")
    replaced = bad
    until("the first pod to go", lambda: len(scene.pods(replaced)) > 1)
    replaced.replicas = 2
    with pytest.raises(DeadlineExceeded) as raised:
        until_ready(scene.cluster, replaced, 3.0)
    scene.remove(bad)
    told = str(raised.value)
    assert told.startswith(f"waited 3 s for 2 ready pods of {scene.namespace}/bad: pod {scene.namespace}/bad-")
    assert "app running; last words of app: " in told
