"""The positive control of a client: what it is granted, when it needs none, and that nothing of it is left."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.evidence import Case
from pytest_smi.mesh.schema import Settle
from pytest_smi.spec.releases import ApiVersions
from pytest_smi.spec.resources import Identity, TrafficTarget
from pytest_smi.traffic.plan import Request
from pytest_smi.workload.call import Call, Target
from pytest_smi.workload.introduce import introduce
from pytest_smi.workload.workload import Pod, Workload
from tests.unit.fakes import INSTANCE

POD = SimpleNamespace(name="intruder-0", uid="1")


class Player:
    """A workload; what it asks is served as `world` says, and its pod is noted as introduced then."""

    def __init__(self, world: World, name: str, namespace: str = "tea", *, meshed: bool = True) -> None:
        self.world, self.name, self.namespace = world, name, namespace
        self.scene = world.scene
        self.deployed = SimpleNamespace(meshed=meshed)
        self.identity = Identity(name, namespace)
        self.pods = [POD]

    def get(self, server: Player, *, pod: Any) -> Any:
        self.world.asked.append(server.name)
        return SimpleNamespace(client=self, pod=pod, send=self.world.send, served=lambda seen: seen)


class World:
    """A scene, a test's context in it and a mesh that serves a probe as `serves(requests so far, granted)` says."""

    def __init__(self, serves: Callable[[int, bool], bool], access: str | None = "v1alpha3") -> None:
        self.scene = SimpleNamespace(introduced=set(), revokes=True)
        self.case = Case(INSTANCE)
        self.settle = Settle(seconds=0.1, agree=3, attempt_seconds=0.01)
        self.versions = ApiVersions(access=access)
        self.changed_at: float | None = 1.0
        self.granted: list[TrafficTarget] = []
        self.changes: list[str] = []
        self.asked: list[str] = []
        self.sent = 0
        self._serves = serves
        places = {"cosy": "tea", "teapot": "tea", "teapot2": "tea2", "intruder": "tea"}
        self._players = {name: Player(self, name, place) for name, place in places.items()}

    def send(self, _: int) -> list[bool]:
        self.sent += 1
        served = self._serves(self.sent, bool(self.granted))
        self.scene.introduced.update([POD.uid] if served else [])  # as `Call.send` does
        return [served]

    def workload(self, name: str) -> Player:
        return self._players[name]

    def apply(self, grant: TrafficTarget) -> None:
        self.granted.append(grant)
        self.changes.append("apply")

    def delete(self, grant: TrafficTarget) -> None:
        self.granted.remove(grant)
        self.changes.append("delete")

    def call(self, client: Player | None = None, server: str = "teapot") -> Call:
        target = SimpleNamespace(workloads=(self.workload(server),))
        return cast(
            "Call", SimpleNamespace(smi=self, client=client or self.workload("intruder"), pod=POD, target=target)
        )


def test_a_new_client_is_granted_something_else_and_nothing_of_it_is_left() -> None:
    world = World(lambda _, granted: granted)
    assert introduce(world.call())
    assert world.changes == ["apply", "delete"]
    assert (world.asked, world.sent, world.scene.revokes) == (["cosy"], 3, True)
    assert world.changed_at is None
    assert world.case.steps[0].ok


def test_a_client_whose_proxy_comes_late_is_waited_for() -> None:
    world = World(lambda sent, granted: granted and sent > 4)
    assert introduce(world.call())
    assert world.sent == 6


def test_a_client_that_gets_through_already_is_granted_nothing() -> None:
    world = World(lambda *_: True)
    assert introduce(world.call())
    assert (world.changes, world.sent, world.changed_at) == ([], 1, 1.0)


def test_a_client_that_never_gets_through_is_told_and_its_grant_removed() -> None:
    world = World(lambda *_: False)
    assert not introduce(world.call())
    assert world.changes == ["apply", "delete"]
    assert not world.case.steps[0].ok


def test_a_client_whose_pod_is_gone_is_not_introduced() -> None:
    world = World(lambda *_: False)
    world.workload("intruder").pods.clear()
    assert not introduce(world.call())


def test_a_grant_that_outlives_its_policy_is_noted() -> None:
    world = World(lambda sent, _: sent > 1)
    assert introduce(world.call())
    assert not world.scene.revokes


def test_a_mesh_without_access_control_is_waited_for_without_a_grant() -> None:
    world = World(lambda sent, _: sent > 2, access=None)
    assert introduce(world.call())
    assert (world.changes, world.scene.revokes) == ([], True)


@pytest.mark.parametrize("known", [True, False])
def test_a_client_that_was_seen_served_or_is_outside_of_the_mesh_needs_no_introduction(known: bool) -> None:
    world = World(lambda *_: False)
    world.scene.introduced.update([POD.uid] if known else [])
    assert introduce(world.call(Player(world, "outsider", meshed=known)))
    assert world.sent == 0


@pytest.mark.parametrize(
    ("client", "server", "chosen"),
    [("intruder", "teapot", "cosy"), ("intruder", "cosy", "teapot"), ("cosy", "teapot", "teapot2")],
)
def test_it_is_introduced_at_a_server_that_the_call_is_not_about(client: str, server: str, chosen: str) -> None:
    world = World(lambda *_: True)
    introduce(world.call(world.workload(client), server))
    assert world.asked == [chosen]


def test_a_client_of_the_second_namespace_is_introduced_there() -> None:
    world = World(lambda *_: True)
    introduce(world.call(Player(world, "kettle2", "tea2")))
    assert world.asked == ["teapot2"]


@pytest.mark.parametrize("answered_by", ["teapot-0", "cosy-0", None])
def test_whoever_is_answered_by_the_target_has_been_introduced(answered_by: str | None) -> None:
    seen = SimpleNamespace(pod=answered_by)
    agent = SimpleNamespace(run=lambda _: SimpleNamespace(observations=[seen]))
    mesh = SimpleNamespace(check=lambda: None)
    scene = SimpleNamespace(smi=SimpleNamespace(mesh=mesh, settle=Settle(), last=None), introduced=set())
    target = Target("teapot", "teapot", (cast("Workload", SimpleNamespace(has=lambda pod: pod == "teapot-0")),))
    client, pod = SimpleNamespace(scene=scene), SimpleNamespace(uid="1", agent=agent)
    Call(cast("Workload", client), cast("Pod", pod), target, Request(host="teapot", port=8080)).send()
    assert scene.introduced == ({"1"} if answered_by == "teapot-0" else set())
