"""What keeps pods from becoming ready, read off objects as a kubelet and controllers write them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.workload import hindrance

Object = dict[str, Any]


def pod(*statuses: Object, conditions: list[Object] | None = None, node: str = "one") -> Object:
    return {
        "metadata": {"namespace": "tea-1", "name": "kettle-5d-x"},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "app", "image": "sample:1"}, {"name": "proxy", "image": "p"}],
        },
        "status": {"phase": "Pending", "containerStatuses": list(statuses), "conditions": conditions or []},
    }


def waiting(reason: str, message: str = "", name: str = "app", **more: Any) -> Object:
    return {"name": name, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}, **more}


RUNNING: Object = {"name": "proxy", "ready": True, "state": {"running": {}}}


def of_pod(*statuses: Object, **more: Any) -> hindrance.Hindrance:
    found = hindrance.of_pod(pod(*statuses, **more))
    assert found is not None
    assert "\n" not in found.what + found.advice
    return found


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_is_missing_is_told_at_once_by_its_name(reason: str) -> None:
    found = of_pod(RUNNING, waiting(reason, "not\nfound"))
    assert found.what == (f"pod tea-1/kettle-5d-x: image sample:1 of container app cannot be had: {reason}: not found")
    assert "--smi-image" in found.advice
    assert found.patience == 0


def test_a_missing_image_of_a_sidecar_is_the_injectors() -> None:
    found = of_pod(waiting("ErrImagePull", name="proxy"))
    assert "image p of container proxy" in found.what
    assert "injector" in found.advice


def test_a_container_that_ends_again_and_again_names_its_last_words() -> None:
    ended = {"terminated": {"exitCode": 2, "reason": "Error"}}
    found = of_pod(waiting("CrashLoopBackOff", restartCount=3, lastState=ended))
    assert found.what == "pod tea-1/kettle-5d-x: container app has ended 3 times, last with status 2, Error"
    assert found.crashed == "app"


def test_one_restart_may_happen() -> None:
    assert hindrance.of_pod(pod(waiting("CrashLoopBackOff", restartCount=1))) is None


def test_a_container_that_cannot_be_started_gets_some_time() -> None:
    found = of_pod(waiting("CreateContainerConfigError", 'secret "x" not found'))
    assert 'CreateContainerConfigError: secret "x" not found' in found.what
    assert found.patience > 0


def test_a_pod_without_a_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no cpu"}
    found = of_pod(conditions=[condition])
    assert found.what == "pod tea-1/kettle-5d-x has no node: Unschedulable: 0/1 nodes: no cpu"
    assert found.patience > 0


def test_a_pod_that_comes_up_is_not_hindered() -> None:
    assert hindrance.of_pod(pod(waiting("ContainerCreating"), RUNNING)) is None


def test_pods_that_cannot_be_created_say_why() -> None:
    message = 'Internal error occurred: failed calling webhook "inject.example.com": connection refused'
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    deployment = {"metadata": {"namespace": "tea-1", "name": "kettle"}, "status": {"conditions": [condition]}}
    found = hindrance.of_deployment(deployment)
    assert found is not None
    assert found.what == f"pods of tea-1/kettle cannot be created: {message}"
    assert "webhook" in found.advice


def test_a_deployment_that_goes_on_is_not_hindered() -> None:
    assert hindrance.of_deployment({"metadata": {}, "status": {}}) is None


def test_a_node_that_is_not_ready_is_named() -> None:
    condition = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet is gone"}
    nodes = [{"metadata": {"name": "one"}, "status": {"conditions": [condition]}}]
    found = hindrance.of_node(pod(RUNNING), nodes)
    assert found is not None
    assert found.what == (
        "node one is not ready (NodeStatusUnknown: Kubelet is gone), and pod tea-1/kettle-5d-x waits on it"
    )
    assert hindrance.of_node(pod(RUNNING, node="two"), nodes) is None


def test_the_state_of_a_pod_names_what_each_container_does() -> None:
    other = {"name": "proxy", "ready": False, "state": {"running": {"startedAt": "x"}}}
    assert hindrance.state(pod(waiting("ContainerCreating"), other)) == (
        "pod tea-1/kettle-5d-x is Pending: app waiting (ContainerCreating), proxy running"
    )
    assert hindrance.silent(pod(waiting("ContainerCreating"), other)) == "proxy"
    assert hindrance.silent(pod(waiting("ContainerCreating"))) == "app"
