"""The pure parts of controllers: selectors, readiness, endpoints, ownership graph."""

from typing import Any

import pytest

from pytest_smi.embedded.controllers import podstate
from pytest_smi.embedded.controllers.endpoint_sets import backs, resolved_ports, slices, subsets
from pytest_smi.embedded.controllers.ownergraph import OwnerGraph
from pytest_smi.embedded.controllers.ownership import controller_of, matches
from pytest_smi.embedded.controllers.replicasets import deletion_order

Object = dict[str, Any]


def pod(name: str, ip: str = "127.64.0.1", *, ready: bool = True, **metadata: Any) -> Object:
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": podstate.now()}]
    ports = [{"name": "http", "containerPort": 8080}, {"name": "http", "containerPort": 53, "protocol": "UDP"}]
    return {
        "metadata": {"name": name, "namespace": "tea", "uid": name, **metadata},
        "spec": {"nodeName": "embedded", "containers": [{"name": "c", "ports": ports}]},
        "status": {"phase": "Running", "podIP": ip, "conditions": conditions},
    }


def service(*ports: Object, **spec: Any) -> Object:
    return {"metadata": {"name": "s", "namespace": "tea"}, "spec": {"ports": list(ports), **spec}}


HTTP = {"name": "web", "port": 80, "targetPort": "http"}


@pytest.mark.parametrize(
    ("term", "holds"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, True),
        ({"key": "a", "operator": "In", "values": ["2"]}, False),
        ({"key": "b", "operator": "In", "values": ["1"]}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "b", "operator": "Exists"}, False),
        ({"key": "b", "operator": "DoesNotExist"}, True),
        ({"key": "a", "operator": "DoesNotExist"}, False),
    ],
)
def test_each_operator_of_a_selector(term: Object, holds: bool) -> None:
    assert matches({"matchExpressions": [term]}, {"a": "1"}) is holds


def test_every_label_must_match_and_an_empty_selector_selects_all() -> None:
    assert matches({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1", "b": "2", "c": "3"})
    assert not matches({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1"})
    assert matches({}, None)


def test_the_controller_is_the_marked_owner() -> None:
    owners = [{"uid": "1", "kind": "X"}, {"uid": "2", "kind": "Y", "controller": True}]
    assert controller_of({"metadata": {"ownerReferences": owners}}) == owners[1]
    assert controller_of({"metadata": {"ownerReferences": owners[:1]}}) is None


def test_availability_is_readiness_that_has_lasted() -> None:
    assert podstate.available_in(pod("a", ready=False), 0) is None
    assert podstate.available_in(pod("a"), 0) == 0
    assert 58 < (podstate.available_in(pod("a"), 60) or 0) <= 60


def test_a_condition_keeps_its_transition_time_while_its_status_stays() -> None:
    first = podstate.with_condition([], "A", "True", "Why", "text")
    first[0]["lastTransitionTime"] = "before"
    same = podstate.with_condition(first, "A", "True", "Other", "text")
    assert (same[0]["lastTransitionTime"], same[0]["reason"]) == ("before", "Other")
    assert podstate.with_condition(first, "A", "False", "Why", "text")[0]["lastTransitionTime"] != "before"
    assert podstate.with_condition(first, "A", "True", "Why", "text") is first


def test_pods_that_serve_least_are_deleted_first() -> None:
    unready, ready = pod("unready", ready=False), pod("ready")
    cheap = pod("cheap", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"})
    old = pod("old", creationTimestamp="2020-01-01T00:00:00Z")
    unbound = pod("unbound")
    del unbound["spec"]["nodeName"]
    order = sorted([old, ready, cheap, unready, unbound], key=deletion_order)
    assert [one["metadata"]["name"] for one in order] == ["unbound", "unready", "cheap", "ready", "old"]


def test_a_named_target_port_is_looked_up_by_protocol_in_each_pod() -> None:
    udp = {"name": "dns", "port": 53, "targetPort": "http", "protocol": "UDP"}
    assert resolved_ports(service(HTTP, udp), pod("a")) == (("web", 8080, "TCP", ""), ("dns", 53, "UDP", ""))
    assert resolved_ports(service({"port": 80}), pod("a")) == (("", 80, "TCP", ""),)
    assert resolved_ports(service({"port": 80, "targetPort": "nobody"}), pod("a")) == ()


def test_endpoints_keep_ready_and_unready_addresses_apart() -> None:
    pods = [pod("b", "127.64.0.2"), pod("a", "127.64.0.1"), pod("c", "127.64.0.3", ready=False)]
    (subset,) = subsets(service(HTTP), pods)
    assert [one["ip"] for one in subset["addresses"]] == ["127.64.0.1", "127.64.0.2"]
    assert [one["targetRef"]["name"] for one in subset["notReadyAddresses"]] == ["c"]
    assert subset["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]


def test_an_ending_pod_leaves_endpoints_and_is_marked_in_slices() -> None:
    ending = pod("a", deletionTimestamp="now")
    assert subsets(service(HTTP), [ending]) == []
    ((_, (endpoint,)),) = slices(service(HTTP), [ending])
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_not_ready_addresses_are_published_where_asked() -> None:
    wish = service(HTTP, publishNotReadyAddresses=True)
    ((_, (endpoint,)),) = slices(wish, [pod("a", ready=False)])
    assert endpoint["conditions"]["ready"] is True
    assert [one["ip"] for one in subsets(wish, [pod("a", ready=False)])[0]["addresses"]] == ["127.64.0.1"]


def test_pods_whose_named_port_differs_stand_in_different_slices() -> None:
    other = pod("b", "127.64.0.2")
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    found = slices(service(HTTP), [pod("a"), other])
    assert [(ports[0]["port"], len(endpoints)) for ports, endpoints in found] == [(8080, 1), (9090, 1)]
    assert len(subsets(service(HTTP), [pod("a"), other])) == 2


def test_pods_without_address_or_finished_back_nothing() -> None:
    finished, early = pod("a"), pod("b", "")
    finished["status"]["phase"] = "Succeeded"
    assert [backs(one) for one in (finished, early, pod("c"))] == [False, False, True]


def owned(uid: str, *owners: str, block: bool = False) -> Object:
    references = [{"uid": owner, "blockOwnerDeletion": block} for owner in owners]
    return {"metadata": {"uid": uid, "name": uid, "namespace": "tea", "ownerReferences": references}}


def test_the_graph_follows_references_as_they_change() -> None:
    graph = OwnerGraph()
    graph.put(("v1", "pods"), owned("child", "a", "b", block=True))
    graph.put(("v1", "pods"), owned("other", "a"))
    assert graph.dependents("a") == ["child", "other"]
    assert graph.blocking("a") == ["child"]
    graph.put(("v1", "pods"), owned("child", "b"))
    assert graph.dependents("a") == ["other"]
    graph.remove("other")
    assert graph.dependents("a") == []
    graph.remove("b")
    assert graph.dependents("b") == ["child"]
