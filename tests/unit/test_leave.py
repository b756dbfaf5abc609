"""Leaving a test: what is waited for, what stands, and what is given up."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.evidence import Case
from pytest_smi.mesh.schema import Onboarding, Settle
from pytest_smi.spec.releases import ApiVersions
from pytest_smi.traffic.plan import Histogram
from pytest_smi.workload.leave import leave, retire
from pytest_smi.workload.smi import Smi
from pytest_smi.workload.standing import Standing
from tests.unit.fakes import INSTANCE

OLD, NEW = ApiVersions(access="v1alpha3", split="v1alpha2"), ApiVersions(access="v1alpha3", split="v1alpha4")
POD = SimpleNamespace(name="kettle-0")
GRANT = {"kind": "TrafficTarget", "metadata": {"name": "open"}}
SPLIT = {"kind": "TrafficSplit", "metadata": {"name": "pour"}, "spec": {"service": "pots"}}


class Pot(str):
    """A server in the mesh, or, with a name that says so, outside of it."""

    __slots__ = ()

    @property
    def deployed(self) -> SimpleNamespace:
        return SimpleNamespace(meshed=self != "outside")


class Answers:
    """A client's call to a Service: served `served` more times; its samples hit each of `sampled` in turn, then all."""

    def __init__(self, scene: Any, *behind: str, served: int = 0, sampled: tuple[set[str], ...] = ()) -> None:
        self.client = SimpleNamespace(scene=scene, pods=[POD])
        self.pod = POD
        self.request = SimpleNamespace(protocol="http1", port=8080)
        self.target = SimpleNamespace(service_name="pots", host="pots", workloads=tuple(map(Pot, behind)))
        self.asked, self._served, self._sampled = 0, served, list(sampled)

    def send(self, _: int) -> list[bool]:
        self.asked += 1
        return [self.asked <= self._served]

    def served(self, seen: bool) -> bool:
        return seen

    def sample(self, count: int) -> Histogram:
        self.asked += 1
        pods = self._sampled.pop(0) if self._sampled else set(self.target.workloads)
        return Histogram(count, dict.fromkeys(sorted(pods), count // len(pods)), {}, {}, {}, 0.1)


class FakeSmi:
    """The parts of a test's context that leaving it needs; the API takes every deletion."""

    grant, delete_all = Smi.grant, Smi.delete_all

    def __init__(self, scene: Any) -> None:
        self.scene, self.case, self.versions = scene, Case(INSTANCE), OLD
        self.settle = Settle(seconds=0.3, agree=3, attempt_seconds=0.01)
        self.applied: dict[str, Any] = {}
        self.granted: dict[Any, Any] = {}
        self.changed_at: float | None = 1.0
        self.deleted: list[str] = []

    def _delete(self, path: str, _: str) -> None:
        self.deleted.append(path)
        self.applied.pop(path)

    def leave(self, mend: Callable[[], None] | None = None) -> dict[str, Any]:
        self.followed = leave(cast("Smi", self), mend)
        return self.case.steps[-1].details

    def retire(self, *fixtures: str) -> None:
        retire(cast("Smi", self), fixtures)


@pytest.fixture
def smi() -> FakeSmi:
    onboarding = SimpleNamespace(onboarding=Onboarding())
    return FakeSmi(
        SimpleNamespace(revokes=True, stands=True, standing=None, profile=onboarding, holder=lambda pod: pod)
    )


def stand(smi: FakeSmi, call: Any) -> None:
    smi.scene.standing = Standing("teapots", OLD, {"open": GRANT}, (call,))


def another(call: Answers, **differs: Any) -> Answers:
    call.__dict__.update(differs)
    return call


def test_an_allowed_call_is_watched_until_it_is_denied(smi: FakeSmi) -> None:
    call = Answers(smi.scene, "china", served=3)
    smi.applied["open"] = GRANT
    smi.granted["call"] = call
    assert smi.leave() == {}
    assert (call.asked, smi.deleted, smi.followed) == (4, ["open"], True)


def test_a_grant_that_outlives_its_policy_is_waited_for_once(smi: FakeSmi) -> None:
    call = Answers(smi.scene, "china", served=10_000)
    for _ in range(2):
        smi.applied["open"] = GRANT
        smi.granted["call"] = call
        outlived = smi.leave()
        asked, call.asked = call.asked, 0
    assert not smi.scene.revokes
    assert (outlived, asked, smi.followed) == ({}, 0, False)


def test_a_call_to_what_is_outside_of_the_mesh_is_nobodys_to_revoke(smi: FakeSmi) -> None:
    call = Answers(smi.scene, "outside", served=10_000)
    smi.applied["open"] = GRANT
    smi.granted["call"] = call
    assert smi.leave() == {}
    assert (call.asked, smi.scene.revokes, smi.followed) == (0, True, False)


def test_what_stands_is_neither_deleted_nor_waited_for(smi: FakeSmi) -> None:
    call = Answers(smi.scene, "china", served=10_000)
    stand(smi, call)
    smi.applied.update(open=GRANT, more=GRANT)
    smi.granted["call"] = call
    assert smi.leave() == {}
    assert (call.asked, smi.deleted, smi.scene.revokes, smi.followed) == (0, ["more"], True, False)


@pytest.mark.parametrize(
    "differs",
    [
        {"client": SimpleNamespace(pods=[POD])},
        {"request": SimpleNamespace(protocol="tcp", port=8080)},
        {"target": SimpleNamespace(workloads=(Pot("steel"),))},
    ],
    ids=["client", "protocol", "server"],
)
def test_what_differs_from_what_stands_is_waited_for(smi: FakeSmi, differs: dict[str, Any]) -> None:
    standing = Answers(smi.scene, "china")
    stand(smi, standing)
    call = another(Answers(smi.scene, "china", served=2), client=standing.client)
    smi.applied["more"] = GRANT
    smi.granted["call"] = another(call, **differs)
    smi.leave()
    assert call.asked == 3


def test_a_service_that_was_split_is_seen_unsplit(smi: FakeSmi) -> None:
    call = Answers(smi.scene, "china", "glass", sampled=({"china"}, {"glass"}))
    stand(smi, call)
    smi.applied["pour"] = SPLIT
    assert smi.leave() == {}
    assert (call.asked, smi.scene.stands, smi.followed) == (3, True, True)


@pytest.mark.parametrize("spec", [{"spec": {"service": "fence"}}, {"spec": {}}, {"spec": "none"}, {}])
def test_a_service_that_was_not_split_is_not_looked_at(smi: FakeSmi, spec: dict[str, Any]) -> None:
    call = Answers(smi.scene, "china", "glass", sampled=({"china"},) * 9)
    stand(smi, call)
    smi.applied["pour"] = {"kind": "TrafficSplit", "metadata": {"name": "pour"}, **spec}
    smi.leave()
    assert call.asked == 0


@pytest.mark.parametrize("sampled", [{"china"}, {"china", "glass", "steel"}])
def test_a_split_that_outlives_its_policy_ends_what_stands(smi: FakeSmi, sampled: set[str]) -> None:
    call = Answers(smi.scene, "china", "glass", sampled=(sampled,) * 99)
    stand(smi, call)
    smi.applied["pour"] = SPLIT
    assert smi.leave().keys() == {"still split"}
    assert not smi.followed
    smi.retire("teapots")
    assert smi.scene.standing is None
    assert smi.deleted == ["pour", "open"]


@pytest.mark.parametrize(
    ("fixtures", "versions", "stays"),
    [(("smi", "teapots"), OLD, True), (("smi",), OLD, False), (("teapots",), NEW, False)],
)
def test_policy_stands_for_tests_that_begin_with_the_same(
    smi: FakeSmi, fixtures: tuple[str, ...], versions: ApiVersions, stays: bool
) -> None:
    call = Answers(smi.scene, "china", served=2)
    stand(smi, call)
    smi.versions = versions
    smi.retire(*fixtures)
    assert (smi.scene.standing is not None) is stays
    assert (smi.deleted, call.asked) == (([], 0) if stays else (["open"], 3))
    assert smi.changed_at == (1.0 if stays else None)
    assert smi.granted == {}


def test_a_client_that_is_gone_is_not_asked(smi: FakeSmi) -> None:
    call = another(Answers(smi.scene, "china", served=9), pod=SimpleNamespace(name="kettle-1"))
    smi.applied["open"] = GRANT
    smi.granted["call"] = call
    smi.leave()
    assert call.asked == 0


def test_a_mesh_is_mended_between_the_end_of_the_objects_and_the_wait_for_it(smi: FakeSmi) -> None:
    call = Answers(smi.scene, "china", served=1)
    smi.applied["open"] = GRANT
    smi.granted["call"] = call
    seen: list[Any] = []
    smi.leave(lambda: seen.append((call.asked, dict(smi.applied))))
    assert seen == [(0, {})]
    assert not smi.followed  # the harm itself may be why it denies


def test_a_test_that_applied_nothing_is_mended_too(smi: FakeSmi) -> None:
    mended: list[bool] = []
    smi.leave(lambda: mended.append(True))
    assert (mended, smi.followed) == ([True], False)
