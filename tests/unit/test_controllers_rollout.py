from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smi.embedded.controllers import rollout
from pytest_smi.embedded.controllers.deployment_status import status_of
from pytest_smi.embedded.controllers.deployments import newest

Object = dict[str, Any]


def template(image: str = "a", **labels: str) -> Object:
    return {"metadata": {"labels": {"app": "x", **labels}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def deployment(replicas: int = 4, **strategy: Any) -> Object:
    spec: Object = {"replicas": replicas, "template": template(), "selector": {"matchLabels": {"app": "x"}}}
    if strategy:
        spec["strategy"] = strategy
    return {"metadata": {"name": "d", "generation": 3}, "spec": spec}


def replicaset(name: str, replicas: int, available: int = -1, image: str = "a", **metadata: Any) -> Object:
    count = replicas if available < 0 else available
    status = {"replicas": replicas, "readyReplicas": count, "availableReplicas": count}
    meta = {"name": name, "uid": name, "creationTimestamp": name, **metadata}
    return {"metadata": meta, "spec": {"replicas": replicas, "template": template(image)}, "status": status}


def rolling(surge: int | str, unavailable: int | str) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def test_a_template_keeps_its_hash_and_another_has_another() -> None:
    first = rollout.template_hash(template())
    assert first == rollout.template_hash(template(**{rollout.HASH_LABEL: "whatever"}))
    assert first != rollout.template_hash(template("b"))
    assert len(first) == 10
    assert set(first) <= set("bcdfghjklmnpqrstvwxz2456789")


@pytest.mark.parametrize(
    ("replicas", "strategy", "expected"),
    [
        (4, {}, (1, 1)),
        (3, {}, (1, 0)),
        (1, {}, (1, 0)),
        (10, rolling("30%", "25%"), (3, 2)),
        (4, rolling(0, 0), (0, 1)),
        (4, rolling(2, 9), (2, 4)),
        (4, {"type": "Recreate"}, (0, 4)),
        (0, {}, (0, 0)),
    ],
)
def test_surge_rounds_up_and_unavailability_down(replicas: int, strategy: Object, expected: tuple[int, int]) -> None:
    assert rollout.bounds(deployment(replicas, **strategy)) == expected


def test_the_new_set_grows_into_the_surge_only() -> None:
    new, old = replicaset("new", 0), replicaset("old", 4)
    assert rollout.scale_new(deployment(4), new, [new, old]) == 1
    assert rollout.scale_new(deployment(4), replicaset("new", 6), [replicaset("new", 6)]) == 4


def test_old_pods_that_do_not_work_go_before_old_pods_that_do() -> None:
    new, good, bad = replicaset("new", 1, 0), replicaset("1", 2), replicaset("2", 2, 0)
    sizes = rollout.scale_old(deployment(4, **rolling(1, 2)), new, [good, bad])
    assert sizes == {"1": 2, "2": 0}


def test_nothing_goes_while_the_new_pods_are_not_available() -> None:
    new, old = replicaset("new", 1, 0), replicaset("old", 3)
    assert rollout.scale_old(deployment(3), new, [old]) == {"old": 3}


@given(
    wanted=st.integers(1, 12),
    surge=st.integers(0, 12),
    unavailable=st.integers(0, 12),
    available_of=st.data(),
)
def test_a_rollout_ends_and_never_breaks_its_bounds(
    wanted: int, surge: int, unavailable: int, available_of: st.DataObject
) -> None:
    owner = deployment(wanted, **rolling(surge, unavailable))
    surge, unavailable = rollout.bounds(owner)
    new, old = replicaset("new", 0), replicaset("old", wanted)
    for step in range(200):
        grown = rollout.scale_new(owner, new, [new, old])
        # Of the pods that are to be there, some have become available; in the end all do.
        ready = grown if step > 20 else available_of.draw(st.integers(min(new["status"]["replicas"], grown), grown))
        new = replicaset("new", grown, ready)
        old = replicaset("old", rollout.scale_old(owner, new, [old])["old"])
        assert rollout.replicas(new) + rollout.replicas(old) <= wanted + surge
        assert ready + rollout.replicas(old) >= wanted - unavailable
        if (grown, ready, rollout.replicas(old)) == (wanted, wanted, 0):
            return
    pytest.fail(f"not finished: {new['spec']['replicas']} new, {old['spec']['replicas']} old")


def test_the_newest_set_is_the_one_with_the_present_template() -> None:
    present, other = replicaset("2", 1), replicaset("1", 1, image="b")
    assert newest(deployment(), [other, present]) is present
    assert newest(deployment(), [other]) is None
    assert newest(deployment(), [replicaset("3", 1, deletionTimestamp="now")]) is None


def conditions(status: Object) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


def test_a_finished_rollout_is_available_and_says_so() -> None:
    new = replicaset("new", 4)
    status, later = status_of(deployment(4), new, [new, replicaset("old", 0)])
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (4, 4, 4)
    assert status["unavailableReplicas"] is None
    assert status["observedGeneration"] == 3
    assert conditions(status) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    assert later is None


def test_a_rollout_that_stands_still_exceeds_its_deadline_and_recovers() -> None:
    owner, stuck = deployment(2), replicaset("new", 2, 0)
    owner["spec"]["progressDeadlineSeconds"] = 5
    status, later = status_of(owner, stuck, [stuck])
    assert conditions(status)["Available"] == ("False", "MinimumReplicasUnavailable")
    assert conditions(status)["Progressing"] == ("True", "ReplicaSetUpdated")
    assert 4 < (later or 0) <= 5.1
    for one in status["conditions"]:
        one["lastUpdateTime"] = "2020-01-01T00:00:00Z"
    owner["status"] = status
    status, _ = status_of(owner, stuck, [stuck])
    assert conditions(status)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    owner["status"] = status
    moved = replicaset("new", 2, 1)
    assert conditions(status_of(owner, moved, [moved])[0])["Progressing"] == ("True", "ReplicaSetUpdated")


def test_a_paused_deployment_says_so() -> None:
    owner = deployment(1)
    owner["spec"]["paused"] = True
    assert conditions(status_of(owner, None, [])[0])["Progressing"] == ("Unknown", "DeploymentPaused")
