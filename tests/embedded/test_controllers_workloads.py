from typing import Any

import pytest

from tests.embedded.cluster_process import (
    READY,
    Cluster,
    Place,
    ask,
    cluster,
    container_state,
    deployment,
    is_ready,
    place,
    pod,
    pod_spec,
)

__all__ = ["cluster", "place"]
Object = dict[str, Any]


def names(objects: list[Object]) -> set[str]:
    return {one["metadata"]["name"] for one in objects}


def env(value: str) -> Object:
    return pod_spec(readinessProbe=READY, env=[{"name": "VERSION", "value": value}])


def retemplate(place: Place, name: str, spec: Object) -> None:
    change = [{"op": "replace", "path": "/spec/template/spec", "value": spec}]
    place.cluster.patch(place.path("deployments", name), change, "json")


def conditions(obj: Object) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one.get("reason", "")) for one in obj["status"]["conditions"]}


def test_a_deployment_becomes_pods_that_name_their_owners(place: Place) -> None:
    place.create(deployment("pot", 2))
    found = place.available("pot", 2)
    status = found["status"]
    assert (status["replicas"], status["readyReplicas"]) == (2, 2)
    assert status["observedGeneration"] == found["metadata"]["generation"]
    assert conditions({"status": status})["Progressing"] == ("True", "NewReplicaSetAvailable")
    (owner,) = place.cluster.items(place.path("replicasets"))
    assert owner["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    assert owner["status"]["fullyLabeledReplicas"] == 2
    label = owner["metadata"]["labels"]["pod-template-hash"]
    for one in place.pods("app=pot"):
        assert one["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
        assert one["metadata"]["labels"]["pod-template-hash"] == label
        assert one["metadata"]["name"].startswith(f"pot-{label}-")


def test_scaling_goes_up_and_down_and_to_nothing(place: Place) -> None:
    place.create(deployment("pot", 1))
    (first,) = names(place.pods()) if place.available("pot", 1) else set()
    for replicas in (3, 1, 0):
        place.cluster.patch(place.path("deployments", "pot"), {"spec": {"replicas": replicas}})
        place.available("pot", replicas)
        place.cluster.until(f"{replicas} pods", lambda n=replicas: len(place.pods()) == n)  # type: ignore[misc]
        if replicas == 3:
            assert first in names(place.pods())


def test_a_pod_that_is_deleted_is_replaced(place: Place) -> None:
    place.create(deployment("pot", 2))
    place.available("pot", 2)
    before = names(place.pods())
    gone = min(before)
    place.cluster.delete(place.path("pods", gone))
    place.cluster.until("the pod to go", lambda: place.cluster.find(place.path("pods", gone)) is None)
    place.available("pot", 2)
    assert len(names(place.pods()) & before) == 1


def test_a_rollout_replaces_pods_without_falling_below_its_bound(place: Place) -> None:
    place.create(deployment("pot", 3, env("one"), strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}))
    place.available("pot", 3)
    old = names(place.pods())
    watch = {"least": 3, "most": 3}

    def finished() -> bool:
        pods = [one for one in place.pods() if "deletionTimestamp" not in one["metadata"]]
        watch["least"] = min(watch["least"], sum(map(is_ready, pods)))
        watch["most"] = max(watch["most"], len(pods))
        return len(pods) == 3 and all(map(is_ready, pods)) and not names(pods) & old

    retemplate(place, "pot", env("two"))
    place.cluster.until("the rollout", finished)
    assert watch == {"least": 3, "most": 4}
    assert place.available("pot", 3)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    present = [one for one in place.pods() if "deletionTimestamp" not in one["metadata"]]
    assert {ask(one["status"]["podIP"])["env"]["VERSION"] for one in present} == {"two"}


def test_a_rollback_uses_the_old_replicaset_again(place: Place) -> None:
    place.create(deployment("pot", 1, env("one")))
    place.available("pot", 1)
    (first,) = place.cluster.items(place.path("replicasets"))
    retemplate(place, "pot", env("two"))
    place.available("pot", 1)
    retemplate(place, "pot", env("one"))
    final = place.available("pot", 1)
    assert len(place.cluster.items(place.path("replicasets"))) == 2
    now = place.cluster.get(place.path("replicasets", first["metadata"]["name"]))
    assert now["status"]["replicas"] == 1
    assert now["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert final["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_a_rollout_to_something_broken_keeps_the_old_pods_serving(place: Place) -> None:
    place.create(deployment("pot", 2, progressDeadlineSeconds=1))
    place.available("pot", 2)
    old = names(place.pods())
    broken = pod_spec(["sh", "-c", "exit 1"])
    retemplate(place, "pot", {**broken, "containers": [{**broken["containers"][0], "readinessProbe": READY}]})

    def stuck() -> bool:
        found = conditions(place.cluster.get(place.path("deployments", "pot")))
        return found["Progressing"] == ("False", "ProgressDeadlineExceeded")

    place.cluster.until("the deadline to be exceeded", stuck)
    assert old <= names([one for one in place.pods() if is_ready(one)])
    place.cluster.patch(place.path("deployments", "pot"), {"spec": {"replicas": 3}})
    place.cluster.until("one more pod", lambda: len(place.pods()) >= 4)


def test_recreate_never_runs_old_and_new_together(place: Place) -> None:
    place.create(deployment("pot", 2, env("one"), strategy={"type": "Recreate"}))
    place.available("pot", 2)
    old = names(place.pods())

    def replaced() -> bool:
        present = names(place.pods())
        assert not (present & old and present - old), "an old and a new pod at the same time"
        return len(present - old) == 2

    retemplate(place, "pot", env("two"))
    place.cluster.until("new pods", replaced)
    place.available("pot", 2)


def test_a_paused_deployment_rolls_out_when_it_is_resumed(place: Place) -> None:
    place.create(deployment("pot", 1, env("one")))
    place.available("pot", 1)
    place.cluster.patch(place.path("deployments", "pot"), {"spec": {"paused": True}})
    retemplate(place, "pot", env("two"))

    def paused() -> bool:
        return conditions(place.cluster.get(place.path("deployments", "pot")))["Progressing"][1] == "DeploymentPaused"

    place.cluster.until("the pause to be seen", paused)
    assert len(place.cluster.items(place.path("replicasets"))) == 1
    place.cluster.patch(place.path("deployments", "pot"), {"spec": {"paused": None}})
    place.available("pot", 1)
    assert len(place.cluster.items(place.path("replicasets"))) == 2


def test_a_replicaset_adopts_what_it_selects_and_lets_go_what_it_does_not(place: Place) -> None:
    place.create(pod("orphan", pod_spec(readinessProbe=READY), labels={"app": "pot"}))
    template = {"metadata": {"labels": {"app": "pot"}}, "spec": pod_spec(readinessProbe=READY)}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "pot"}}, "template": template}
    place.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "pot"}, "spec": spec})
    place.cluster.until("two ready pods", lambda: sum(map(is_ready, place.pods("app=pot"))) == 2)
    assert place.pod("orphan")["metadata"]["ownerReferences"][0]["name"] == "pot"
    place.cluster.patch(place.path("pods", "orphan"), {"metadata": {"labels": {"app": "other"}}})
    place.cluster.until("a replacement", lambda: len(place.pods("app=pot")) == 2)
    place.cluster.until("the release", lambda: not place.pod("orphan")["metadata"].get("ownerReferences"))


def test_a_crashing_deployment_never_becomes_available(place: Place) -> None:
    place.create(deployment("bad", 1, pod_spec(["sh", "-c", "exit 3"], readinessProbe=READY)))

    def restarted() -> bool:
        return any(container_state(one)["restartCount"] > 1 for one in place.pods())

    place.cluster.until("restarts", restarted)
    found = place.cluster.get(place.path("deployments", "bad"))
    assert conditions(found)["Available"] == ("False", "MinimumReplicasUnavailable")
    assert found["status"]["unavailableReplicas"] == 1


def service(name: str, **spec: Any) -> Object:
    body = {"selector": {"app": "pot"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"of": name}}, "spec": body}


def slices(place: Place, name: str) -> list[Object]:
    return place.cluster.items(place.path("endpointslices"), labelSelector=f"kubernetes.io/service-name={name}")


def addresses(place: Place, name: str) -> set[tuple[str, int]]:
    found = place.cluster.find(place.path("endpoints", name)) or {}
    return {
        (address["ip"], port["port"])
        for subset in found.get("subsets") or []
        for address in subset.get("addresses") or []
        for port in subset["ports"]
    }


def in_slices(place: Place, name: str) -> set[tuple[str, int]]:
    return {
        (address, port["port"])
        for one in slices(place, name)
        for endpoint in one.get("endpoints") or []
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
        for port in one.get("ports") or []
    }


def test_endpoints_follow_the_ready_pods_of_a_service(place: Place) -> None:
    place.create(service("pot"))
    spec = pod_spec(readinessProbe=READY, ports=[{"name": "http", "containerPort": 8080}])
    place.create(deployment("pot", 2, spec))
    place.available("pot", 2)
    for replicas in (2, 3, 1, 0):
        place.cluster.patch(place.path("deployments", "pot"), {"spec": {"replicas": replicas}})
        place.available("pot", replicas)

        def agree() -> bool:
            expected = {(one["status"]["podIP"], 8080) for one in place.pods("app=pot")}
            return addresses(place, "pot") == in_slices(place, "pot") == expected

        place.cluster.until(f"endpoints of {replicas} pods", agree)
        assert len(addresses(place, "pot")) == replicas


def test_a_pod_that_is_not_ready_is_listed_as_such(place: Place) -> None:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    place.create(service("pot", ports=[{"port": 80, "targetPort": 8080}]))
    place.create(pod("pot", pod_spec(readinessProbe=probe), labels={"app": "pot"}))

    def unready() -> bool:
        found = place.cluster.find(place.path("endpoints", "pot")) or {}
        return any(subset.get("notReadyAddresses") for subset in found.get("subsets") or [])

    place.cluster.until("an address that is not ready", unready)
    assert addresses(place, "pot") == set()
    address = place.pod("pot")["status"]["podIP"]
    place.cluster.until("the server", lambda: place.log("pot").startswith("serving"))
    ask(address, "/open")
    place.cluster.until("the address to be ready", lambda: addresses(place, "pot") == {(address, 8080)})


def test_what_belongs_to_a_service_goes_with_it(place: Place) -> None:
    place.create(service("pot"))
    place.cluster.until(
        "endpoints", lambda: place.cluster.find(place.path("endpoints", "pot")) and slices(place, "pot")
    )
    place.cluster.delete(place.path("services", "pot"))
    place.cluster.until("endpoints to go", lambda: place.cluster.find(place.path("endpoints", "pot")) is None)
    place.cluster.until("slices to go", lambda: not slices(place, "pot"))


def test_endpoints_without_a_selector_are_left_to_their_author(place: Place) -> None:
    made = service("manual", ports=[{"port": 80}])
    del made["spec"]["selector"]
    place.create(made)
    subsets = [{"addresses": [{"ip": "127.99.0.1"}], "ports": [{"port": 80}]}]
    manual = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "manual"}, "subsets": subsets}
    place.create(manual)
    place.create(service("pot"))
    place.cluster.until("the other's endpoints", lambda: place.cluster.find(place.path("endpoints", "pot")))
    assert addresses(place, "manual") == {("127.99.0.1", 80)}


@pytest.mark.parametrize("again", [False, True])
def test_every_namespace_has_a_default_account(place: Place, cluster: Cluster, again: bool) -> None:
    path = place.path("serviceaccounts", "default")
    first = cluster.until("the account", lambda: cluster.find(path))
    if again:
        cluster.delete(path)

        def another() -> bool:
            found = cluster.find(path)
            return found is not None and found["metadata"]["uid"] != first["metadata"]["uid"]

        cluster.until("another account", another)
