"""Logging in, being refused, and asking about one's rights, through a running server and with real clients."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from pytest_smi.embedded.rest import ApiFailure
from tests.embedded.kubeapi_harness import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("auth"))
    cluster.start()
    yield cluster
    cluster.stop()


def refused(cluster: Cluster, method: str, path: str, obj: Any = None, token: str = "", **query: Any) -> ApiFailure:
    with pytest.raises(ApiFailure) as failure:
        cluster.request(method, path, obj, token, **query)
    return failure.value


@pytest.mark.parametrize("path", ["/api", "/api/v1/pods", "/apis/apps/v1", "/openapi/v3"])
def test_without_a_valid_token_everything_is_unauthorized(cluster: Cluster, path: str) -> None:
    failure = refused(cluster, "GET", path, token="wrong")
    assert (failure.code, failure.reason, failure.message) == (401, "Unauthorized", "Unauthorized")
    assert failure.status["kind"] == "Status"


def test_the_server_certificate_is_good_for_its_authority_only(cluster: Cluster) -> None:
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urlopen(f"{cluster.server}/version", timeout=5)
    context = ssl.create_default_context(cadata=cluster.ca_pem)
    with urlopen(f"{cluster.server}/version", timeout=5, context=context) as answer:
        assert answer.status == 200


def test_a_refusal_has_the_sentence_of_a_real_server(cluster: Cluster) -> None:
    listing = refused(cluster, "GET", "/api/v1/namespaces/default/pods", token=cluster.otto_token)
    assert (listing.code, listing.reason) == (403, "Forbidden")
    assert listing.message == (
        'pods is forbidden: User "otto" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    everywhere = refused(cluster, "GET", "/apis/apps/v1/deployments", token=cluster.otto_token)
    assert everywhere.message == (
        'deployments.apps is forbidden: User "otto" cannot list resource "deployments" in API group "apps" '
        "at the cluster scope"
    )
    path = refused(cluster, "GET", "/metrics", token=cluster.otto_token)
    assert path.message == 'forbidden: User "otto" cannot get path "/metrics"'


def test_a_binding_grants_and_its_deletion_revokes_at_once(cluster: Cluster) -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "otto-views"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "otto"}],
    }
    path = f"{RBAC}/namespaces/default/rolebindings"
    pods = "/api/v1/namespaces/default/pods"
    cluster.request("POST", path, binding)
    assert cluster.request("GET", pods, token=cluster.otto_token)["kind"] == "PodList"
    assert refused(cluster, "GET", "/api/v1/pods", token=cluster.otto_token).code == 403
    assert refused(cluster, "DELETE", f"{pods}/x", token=cluster.otto_token).code == 403
    cluster.request("DELETE", f"{path}/otto-views")
    assert refused(cluster, "GET", pods, token=cluster.otto_token).code == 403


def test_default_roles_can_be_listed(cluster: Cluster) -> None:
    names = {item["metadata"]["name"] for item in cluster.request("GET", f"{RBAC}/clusterroles")["items"]}
    assert {"cluster-admin", "admin", "edit", "view"} <= names


def test_a_service_account_logs_in_with_a_token_it_is_given(cluster: Cluster) -> None:
    base = "/api/v1/namespaces/default/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kettle"}}
    cluster.request("POST", base, account)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = cluster.request("POST", f"{base}/kettle/token", asked)
    token = answer["status"]["token"]
    assert answer["status"]["expirationTimestamp"].endswith("Z")
    failure = refused(cluster, "GET", "/api/v1/namespaces/default/pods", token=token)
    assert 'User "system:serviceaccount:default:kettle" cannot list' in failure.message
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    reviewed = cluster.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert reviewed["status"]["user"]["username"] == "system:serviceaccount:default:kettle"
    cluster.request("DELETE", f"{base}/kettle")
    assert refused(cluster, "GET", "/api", token=token).code == 401


def test_anyone_may_ask_about_their_own_rights_but_not_about_others(cluster: Cluster) -> None:
    spec = {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}
    own = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    assert cluster.request("POST", f"{REVIEWS}/selfsubjectaccessreviews", own)["status"]["allowed"] is True
    answer = cluster.request("POST", f"{REVIEWS}/selfsubjectaccessreviews", own, cluster.otto_token)
    assert answer["status"]["allowed"] is False
    other = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec | {"user": "otto"}}
    assert cluster.request("POST", f"{REVIEWS}/subjectaccessreviews", other)["status"]["allowed"] is False
    assert refused(cluster, "POST", f"{REVIEWS}/subjectaccessreviews", other, cluster.otto_token).code == 403


def test_kubectl_can_i_whoami_and_create_token(cluster: Cluster) -> None:
    assert cluster.kubectl("auth", "can-i", "create", "deployments.apps").stdout.strip() == "yes"
    refusal = cluster.kubectl("auth", "can-i", "list", "pods", "--as", "otto", check=False)
    assert (refusal.stdout.strip(), refusal.returncode) == ("no", 1)
    assert "selfsubjectaccessreviews" in cluster.kubectl("auth", "can-i", "--list", "--as", "otto").stdout
    assert "kubernetes-admin" in cluster.kubectl("auth", "whoami").stdout
    cluster.kubectl("create", "serviceaccount", "cosy")
    assert cluster.kubectl("create", "token", "cosy").stdout.count(".") == 2


def test_kubectl_as_somebody_else_has_their_rights(cluster: Cluster) -> None:
    refusal = cluster.kubectl("get", "pods", "--as", "otto", check=False)
    assert 'User "otto" cannot list resource "pods"' in refusal.stderr
    assert cluster.kubectl("get", "pods", "--as", "otto", "--as-group", "system:masters").returncode == 0
