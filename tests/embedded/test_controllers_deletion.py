from typing import Any

import pytest

from tests.embedded.cluster_process import (
    READY,
    Cluster,
    Place,
    alive,
    cluster,
    container_state,
    deployment,
    place,
    pod,
    pod_spec,
)

__all__ = ["cluster", "place"]
Object = dict[str, Any]
CROCKERY = "/apis/example.org/v1/namespaces/{}/crockeries"


@pytest.fixture(scope="module")
def crockery(cluster: Cluster) -> str:
    """A custom resource; the path of its collection, with a place for the namespace."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "crockeries", "singular": "crockery", "kind": "Crockery"}
    spec = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"metadata": {"name": "crockeries.example.org"}, "spec": spec}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    cluster.create("apiextensions.k8s.io/v1", "customresourcedefinitions", "", {**kind, **definition})
    path = "/apis/example.org/v1/crockeries"
    cluster.until("the custom resource to be served", lambda: cluster.find(path))
    return CROCKERY


def config(name: str, *owners: Object, **metadata: Any) -> Object:
    references = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "ownerReferences": references, **metadata},
    }


def gone(place: Place, plural: str, name: str) -> None:
    path = place.path(plural, name)
    place.cluster.until(f"{plural} {name} to be gone", lambda: place.cluster.find(path) is None)


def test_deleting_a_deployment_takes_its_replicasets_and_pods_and_processes(place: Place) -> None:
    place.create(deployment("pot", 2))
    place.available("pot", 2)
    pids = [int(container_state(one)["containerID"].rpartition("/")[2]) for one in place.pods()]
    place.cluster.delete(place.path("deployments", "pot"))
    place.cluster.until(
        "everything to go", lambda: not place.pods() and not place.cluster.items(place.path("replicasets"))
    )
    assert [pid for pid in pids if alive(pid)] == []


def test_in_the_foreground_the_owner_goes_last(place: Place) -> None:
    spec = pod_spec(["sh", "-c", "trap '' TERM; while :; do sleep 0.02; done"])
    place.create(deployment("pot", 1, {**spec, "terminationGracePeriodSeconds": 1}))
    place.available("pot", 1)
    place.cluster.delete(place.path("deployments", "pot"), propagationPolicy="Foreground")
    waiting = place.cluster.get(place.path("deployments", "pot"))["metadata"]
    assert "foregroundDeletion" in waiting["finalizers"]

    def owner_gone() -> bool:
        if place.cluster.find(place.path("deployments", "pot")):
            return False
        assert not place.pods(), "the owner went before its pods"
        return True

    place.cluster.until("the deployment to go", owner_gone)


def test_orphans_stay(place: Place) -> None:
    place.create(deployment("pot", 1))
    place.available("pot", 1)
    place.cluster.delete(place.path("deployments", "pot"), propagationPolicy="Orphan")
    gone(place, "deployments", "pot")
    (left,) = place.cluster.items(place.path("replicasets"))
    assert not left["metadata"].get("ownerReferences")
    assert len(place.pods()) == 1


def test_a_dependent_stays_while_one_of_its_owners_is_there(place: Place) -> None:
    one, two = place.create(config("one")), place.create(config("two"))
    place.create(config("child", one, two))
    place.cluster.delete(place.path("configmaps", "one"))

    def released() -> bool:
        child = place.cluster.get(place.path("configmaps", "child"))
        return [owner["name"] for owner in child["metadata"].get("ownerReferences") or []] == ["two"]

    place.cluster.until("the reference to go", released)
    place.cluster.delete(place.path("configmaps", "two"))
    gone(place, "configmaps", "child")


def test_a_dependent_of_an_owner_that_never_was_goes(place: Place) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "0-0-0"}}
    place.create(config("child", ghost))
    gone(place, "configmaps", "child")


def test_an_owner_of_the_same_name_made_anew_is_another(place: Place) -> None:
    first = place.create(config("owner"))
    place.cluster.delete(place.path("configmaps", "owner"))
    place.create(config("owner"))
    place.create(config("child", first))
    gone(place, "configmaps", "child")


def test_a_custom_resource_owns_like_any_other(place: Place, crockery: str) -> None:
    cup = {"apiVersion": "example.org/v1", "kind": "Crockery", "metadata": {"name": "cup"}}
    owner = place.cluster.create("example.org/v1", "crockeries", place.name, cup)
    place.create(config("handle", owner))
    place.create(config("bystander"))
    place.cluster.delete(f"{crockery.format(place.name)}/cup")
    gone(place, "configmaps", "handle")
    assert place.cluster.find(place.path("configmaps", "bystander"))


def test_a_namespace_takes_everything_with_it(place: Place, crockery: str) -> None:
    cluster = place.cluster
    place.create(deployment("pot", 2))
    spec = {"selector": {"app": "pot"}, "ports": [{"port": 80}]}
    place.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pot"}, "spec": spec})
    cup = {"apiVersion": "example.org/v1", "kind": "Crockery", "metadata": {"name": "cup"}}
    cluster.create("example.org/v1", "crockeries", place.name, cup)
    place.available("pot", 2)
    pids = [int(container_state(one)["containerID"].rpartition("/")[2]) for one in place.pods()]
    path = f"/api/v1/namespaces/{place.name}"
    cluster.delete(path)
    cluster.until("the namespace to go", lambda: cluster.find(path) is None)
    assert [pid for pid in pids if alive(pid)] == []
    for version in ("/api/v1", "/apis/apps/v1", "/apis/discovery.k8s.io/v1", "/apis/example.org/v1"):
        for resource in cluster.get(version)["resources"]:
            if resource["namespaced"] and "list" in resource["verbs"]:
                left = cluster.items(f"{version}/{resource['name']}")
                assert [one for one in left if one["metadata"]["namespace"] == place.name] == []
    cluster.create("v1", "namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.name}})
    assert place.pods() == []


def test_a_finalizer_holds_a_namespace_back_and_the_status_says_so(place: Place) -> None:
    place.create(config("held", finalizers=["example.org/hold"]))
    path = f"/api/v1/namespaces/{place.name}"
    place.cluster.delete(path)

    def told() -> bool:
        status = place.cluster.get(path)["status"]
        found = {one["type"]: one for one in status.get("conditions") or []}
        remaining = found.get("NamespaceContentRemaining", {})
        return status["phase"] == "Terminating" and "configmaps has 1" in remaining.get("message", "")

    place.cluster.until("the condition", told)
    place.cluster.patch(place.path("configmaps", "held"), {"metadata": {"finalizers": None}})
    place.cluster.until("the namespace to go", lambda: place.cluster.find(path) is None)


def test_pods_end_in_order_when_their_namespace_goes(place: Place) -> None:
    place.create(pod("pot", pod_spec(readinessProbe=READY)))
    place.ready("pot")
    pid = int(container_state(place.pod("pot"))["containerID"].rpartition("/")[2])
    path = f"/api/v1/namespaces/{place.name}"
    place.cluster.delete(path)
    place.cluster.until("the namespace to go", lambda: place.cluster.find(path) is None)
    assert not alive(pid)
