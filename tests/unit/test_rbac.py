"""Who may do what: rule matching, bindings, aggregation, and the decisions of the authorizer."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import rbac, rbac_defaults
from pytest_smi.embedded.kubeapi.http import User
from pytest_smi.embedded.kubeapi.routing import Attributes

ANNA = User("anna", groups=("brewers", "system:authenticated"))


class Store:
    """Objects by plural, as `Reader` gives them."""

    def __init__(self) -> None:
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self.revision = 0

    def add(self, plural: str, name: str, namespace: str = "", **content: Any) -> None:
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        self.kept.setdefault(plural, []).append({"metadata": metadata | content.pop("metadata", {}), **content})
        self.revision += 1

    def bind(self, role: str, subject: dict[str, str], namespace: str = "", kind: str = "ClusterRole") -> None:
        plural = "rolebindings" if namespace else "clusterrolebindings"
        reference = {"kind": kind, "name": role}
        self.add(plural, f"{role}-{self.revision}", namespace, roleRef=reference, subjects=[subject])

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return list(self.kept.get(plural, []))

    def object(self, group: str, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        for item in self.kept.get(plural, []):
            if (item["metadata"].get("namespace", ""), item["metadata"]["name"]) == (namespace, name):
                return item
        return None

    def last_change(self, group: str, plural: str) -> int:
        return self.revision


def wish(
    verb: str,
    resource: str,
    *,
    user: User = ANNA,
    group: str = "",
    namespace: str = "",
    name: str = "",
    subresource: str = "",
) -> Attributes:
    return Attributes(
        user,
        verb,
        group=group,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
        is_resource=True,
    )


def visit(path: str, user: User = ANNA) -> Attributes:
    return Attributes(user, "get", path=path)


def rule(**parts: list[str]) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} | parts


@pytest.mark.parametrize(
    ("policy", "action", "allowed"),
    [
        (rule(), wish("get", "pods"), True),
        (rule(), wish("list", "pods"), False),
        (rule(), wish("get", "secrets"), False),
        (rule(), wish("get", "pods", group="metrics.k8s.io"), False),
        (rule(), wish("get", "pods", subresource="log"), False),
        (rule(resources=["pods/log"]), wish("get", "pods", subresource="log"), True),
        (rule(resources=["pods/log"]), wish("get", "pods"), False),
        (rule(resources=["*/scale"]), wish("get", "deployments", subresource="scale"), True),
        (rule(resources=["*/scale"]), wish("get", "deployments"), False),
        (rule(resources=["*"]), wish("get", "pods", subresource="exec"), True),
        (rule(verbs=["*"]), wish("impersonate", "pods"), True),
        (rule(apiGroups=["*"]), wish("get", "pods", group="x.io"), True),
        (rule(resourceNames=["teapot"]), wish("get", "pods", name="teapot"), True),
        (rule(resourceNames=["teapot"]), wish("get", "pods", name="kettle"), False),
        (rule(resourceNames=["teapot"], verbs=["list"]), wish("list", "pods"), False),
        (rule(resourceNames=[]), wish("get", "pods", name="kettle"), True),
        (rule(), visit("/healthz"), False),
        (rule(resources=["*"], verbs=["*"]), visit("/healthz"), False),
        ({"nonResourceURLs": ["/healthz"], "verbs": ["get"]}, visit("/healthz"), True),
        ({"nonResourceURLs": ["/healthz"], "verbs": ["get"]}, visit("/healthz/etcd"), False),
        ({"nonResourceURLs": ["/healthz/*"], "verbs": ["get"]}, visit("/healthz/etcd"), True),
        ({"nonResourceURLs": ["*"], "verbs": ["post"]}, visit("/healthz"), False),
        ({"nonResourceURLs": ["*"], "verbs": ["*"]}, wish("get", "pods"), False),
    ],
)
def test_a_rule_covers_exactly_what_it_names(policy: dict[str, Any], action: Attributes, allowed: bool) -> None:
    assert rbac.rule_allows(policy, action) is allowed


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ({"kind": "User", "name": "anna"}, True),
        ({"kind": "User", "name": "brewers"}, False),
        ({"kind": "Group", "name": "brewers"}, True),
        ({"kind": "Group", "name": "anna"}, False),
        ({"kind": "ServiceAccount", "name": "anna", "namespace": "tea"}, False),
        ({"kind": "Robot", "name": "anna"}, False),
    ],
)
def test_a_subject_means_one_kind_of_name(subject: dict[str, str], expected: bool) -> None:
    assert rbac.subject_is(subject, ANNA, None) is expected


def test_a_service_account_subject_lives_in_its_namespace() -> None:
    user = User("system:serviceaccount:tea:kettle")
    assert rbac.subject_is({"kind": "ServiceAccount", "name": "kettle", "namespace": "tea"}, user, None)
    assert rbac.subject_is({"kind": "ServiceAccount", "name": "kettle"}, user, "tea")
    assert not rbac.subject_is({"kind": "ServiceAccount", "name": "kettle", "namespace": "milk"}, user, "tea")


def test_nothing_is_allowed_without_a_binding_except_discovery() -> None:
    authorizer = rbac.Authorizer(Store())
    assert authorizer.authorize(wish("get", "pods")) == (False, "")
    assert authorizer.authorize(visit("/apis/apps/v1"))[0]
    assert not authorizer.authorize(visit("/metrics"))[0]
    assert not authorizer.authorize(visit("/api", User("nobody")))[0]


def test_masters_may_do_everything() -> None:
    root = User("root", groups=("system:masters",))
    assert rbac.Authorizer(Store()).authorize(wish("delete", "nodes", user=root))[0]


def test_a_role_binding_reaches_no_further_than_its_namespace() -> None:
    store = Store()
    store.bind("view", {"kind": "User", "name": "anna"}, "tea")
    authorizer = rbac.Authorizer(store)
    assert authorizer.authorize(wish("list", "pods", namespace="tea"))[0]
    assert not authorizer.authorize(wish("list", "pods", namespace="milk"))[0]
    assert not authorizer.authorize(wish("list", "pods"))[0]
    assert not authorizer.authorize(wish("list", "secrets", namespace="tea"))[0]


def test_a_cluster_role_binding_reaches_everywhere() -> None:
    store = Store()
    store.bind("view", {"kind": "Group", "name": "brewers"})
    authorizer = rbac.Authorizer(store)
    assert authorizer.authorize(wish("list", "pods"))[0]
    assert authorizer.authorize(wish("watch", "pods", namespace="tea"))[0]
    assert not authorizer.authorize(wish("create", "pods", namespace="tea"))[0]


def test_a_namespaced_role_is_looked_up_beside_its_binding() -> None:
    store = Store()
    store.add("roles", "reader", "tea", rules=[rule()])
    store.bind("reader", {"kind": "User", "name": "anna"}, "tea", kind="Role")
    store.bind("reader", {"kind": "User", "name": "anna"}, "milk", kind="Role")
    authorizer = rbac.Authorizer(store)
    assert authorizer.authorize(wish("get", "pods", namespace="tea"))[0]
    allowed, reason = authorizer.authorize(wish("get", "pods", namespace="milk"))
    assert not allowed
    assert reason == 'RBAC: role.rbac.authorization.k8s.io "reader" not found'


def test_a_decision_follows_changes_at_once() -> None:
    store = Store()
    authorizer = rbac.Authorizer(store)
    assert not authorizer.authorize(wish("list", "pods"))[0]
    store.bind("view", {"kind": "User", "name": "anna"})
    assert authorizer.authorize(wish("list", "pods"))[0]
    store.kept.clear()
    store.revision += 1
    assert not authorizer.authorize(wish("list", "pods"))[0]


def test_a_stored_role_overrides_the_built_in_one() -> None:
    store = Store()
    store.add("clusterroles", "view", rules=[])
    store.bind("view", {"kind": "User", "name": "anna"})
    assert not rbac.Authorizer(store).authorize(wish("list", "pods"))[0]


def test_rules_of_a_user_are_those_of_the_namespace_and_of_the_cluster() -> None:
    store = Store()
    store.add("roles", "reader", "tea", rules=[rule()])
    store.bind("reader", {"kind": "User", "name": "anna"}, "tea", kind="Role")
    authorizer = rbac.Authorizer(store)
    assert rule() in authorizer.rules_of(ANNA, "tea")
    assert rule() not in authorizer.rules_of(ANNA, "milk")


def test_default_objects_have_unique_paths_and_are_not_shared_by_mistake() -> None:
    names = [(path, manifest["metadata"]["name"]) for path, manifest in rbac_defaults.objects()]
    assert len(names) == len(set(names))
    assert ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "cluster-admin") in names
