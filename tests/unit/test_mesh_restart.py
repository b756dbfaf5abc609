"""A restart of the control plane has ended when other pods are ready, whatever the Deployment still says of the old."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.cluster.base import Cluster
from pytest_smi.cluster.ownership import MANAGED_BY, RUN_LABEL
from pytest_smi.errors import DeadlineExceeded
from pytest_smi.mesh.profile import Profile, load_profile
from pytest_smi.mesh.restart import restart

READY = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "availableReplicas": 1, "replicas": 1}}
TEXT = """
name = "mine"
namespace = "mine-system"
[versions]
access = ["v1alpha3"]
[ready]
seconds = 0.5
deployments = ["controller"]
[restart]
deployments = ["controller"]
"""


def pod(uid: str, *, ready: bool = True) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": f"controller-{uid}", "uid": uid}, "status": {"conditions": conditions}}


class StaleApi:
    """One Deployment, whose status never leaves ready, and the lists of its pods, one after the other."""

    def __init__(self, *lists: list[dict[str, Any]]) -> None:
        self.lists = list(lists)
        self.deleted: list[str] = []

    def find(self, path: str) -> dict[str, Any]:
        return self.get(path)

    def get(self, path: str) -> dict[str, Any]:
        if path.startswith("/apis/apps/v1/"):
            return {**READY, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "controller"}}}}
        return {"metadata": {"name": "mine-system", "labels": {**MANAGED_BY, RUN_LABEL: "0a1b2c"}}}

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]

    def delete(self, path: str) -> bool:
        self.deleted.append(path)
        return True


def restarted(api: StaleApi, profile: Profile) -> None:
    restart(cast("Cluster", SimpleNamespace(api=api)), profile)


@pytest.fixture
def mine(tmp_path: Any) -> Profile:
    (tmp_path / "mine.toml").write_text(TEXT)
    return load_profile(str(tmp_path / "mine.toml"))


def test_it_waits_for_a_ready_pod_that_is_not_the_old_one(mine: Profile) -> None:
    old, unready, new = pod("a"), pod("b", ready=False), pod("b")
    api = StaleApi([old], [old], [], [unready], [old, new], [new])
    restarted(api, mine)
    assert api.deleted == ["/api/v1/namespaces/mine-system/pods/controller-a"]
    assert api.lists == [[new]]


@pytest.mark.parametrize("never", [[], [pod("a")], [pod("b", ready=False)]])
def test_other_pods_that_never_come_are_named(mine: Profile, never: list[dict[str, Any]]) -> None:
    with pytest.raises(DeadlineExceeded, match=r"waited 0.5 s for other pods of controller to be ready"):
        restarted(StaleApi([pod("a")], never), mine)
