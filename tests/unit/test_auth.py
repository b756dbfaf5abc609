"""Tokens, reviews and impersonation."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import auth
from pytest_smi.embedded.kubeapi.http import ANONYMOUS, Request, User
from pytest_smi.embedded.kubeapi.rbac import Authorizer
from pytest_smi.embedded.kubeapi.reviews import AccessReviews, review_handlers
from pytest_smi.embedded.kubeapi.status import ApiError

OTTO = User("otto", groups=("system:authenticated",))
ACCOUNT = {"metadata": {"name": "kettle", "namespace": "tea", "uid": "u1"}}
POD = {"metadata": {"name": "p", "namespace": "tea", "uid": "u2"}, "spec": {"serviceAccountName": "kettle"}}


class Store:
    """A store with a ServiceAccount and a pod."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], dict[str, Any]] = {
            ("serviceaccounts", "tea", "kettle"): ACCOUNT,
            ("pods", "tea", "p"): POD,
        }

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return [item for (kept, _, _), item in self.kept.items() if kept == plural]

    def object(self, group: str, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        return self.kept.get((plural, namespace, name))

    def last_change(self, group: str, plural: str) -> int:
        return len(self.kept)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def authenticator(store: Store) -> auth.Authenticator:
    return auth.Authenticator(store, Authorizer(store), {"admin-token": auth.ADMIN, "otto-token": OTTO})


def request(token: str = "", **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        given["authorization"] = f"Bearer {token}"
    return Request("GET", "/api", "/api", {}, given, b"")


def issued(authenticator: auth.Authenticator, **spec: Any) -> str:
    answer = authenticator.token_request(ACCOUNT, {"metadata": {}, "spec": spec}, request("admin-token"))
    token: str = answer["status"]["token"]
    return token


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic eA=="}, {"authorization": "Bearer"}])
def test_who_shows_no_token_is_anonymous(authenticator: auth.Authenticator, headers: dict[str, str]) -> None:
    assert authenticator.authenticate(request(**headers)) == ANONYMOUS


def test_who_shows_a_wrong_token_is_nobody(authenticator: auth.Authenticator) -> None:
    assert authenticator.authenticate(request("wrong")) is None


def test_a_static_token_is_its_user(authenticator: auth.Authenticator) -> None:
    assert authenticator.authenticate(request("admin-token")) == auth.ADMIN


def test_a_service_account_token_is_that_account(authenticator: auth.Authenticator) -> None:
    user = authenticator.authenticate(request(issued(authenticator)))
    assert user is not None
    assert (user.name, user.uid) == ("system:serviceaccount:tea:kettle", "u1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:tea", "system:authenticated")


def test_a_token_dies_with_its_account_even_if_one_of_that_name_returns(
    authenticator: auth.Authenticator, store: Store
) -> None:
    token = issued(authenticator)
    store.kept["serviceaccounts", "tea", "kettle"] = {"metadata": ACCOUNT["metadata"] | {"uid": "new"}}
    assert authenticator.authenticate(request(token)) is None
    del store.kept["serviceaccounts", "tea", "kettle"]
    assert authenticator.authenticate(request(token)) is None


def test_a_pod_bound_token_names_the_pod_and_dies_with_it(authenticator: auth.Authenticator, store: Store) -> None:
    token = issued(authenticator, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})
    user = authenticator.authenticate(request(token))
    assert user is not None
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    del store.kept["pods", "tea", "p"]
    assert authenticator.authenticate(request(token)) is None


def test_a_forged_or_expired_token_is_refused() -> None:
    claims = {"exp": time.time() + 60}
    token = auth.encode_jwt(claims, b"key")
    assert auth.decode_jwt(token, b"key", time.time()) == claims
    with pytest.raises(auth.InvalidToken, match="invalid bearer token"):
        auth.decode_jwt(token, b"other key", time.time())
    with pytest.raises(auth.InvalidToken, match="invalid bearer token"):
        auth.decode_jwt(token[:-4] + "AAAA", b"key", time.time())
    with pytest.raises(auth.InvalidToken, match="expired"):
        auth.decode_jwt(token, b"key", time.time() + 61)


def test_a_token_for_another_audience_is_no_login_but_can_be_reviewed(authenticator: auth.Authenticator) -> None:
    token = issued(authenticator, audiences=["vault"])
    assert authenticator.authenticate(request(token)) is None
    body = {"spec": {"token": token, "audiences": ["vault"]}}
    review = authenticator.token_review(body, request())
    assert review["status"]["authenticated"] is True
    assert review["status"]["user"]["username"] == "system:serviceaccount:tea:kettle"
    refused = authenticator.token_review({"spec": {"token": token}}, request())
    assert "audiences" in refused["status"]["error"]
    assert "authenticated" not in refused["status"]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"expirationSeconds": 60}, 422),
        ({"expirationSeconds": 1 << 40}, 422),
        ({"boundObjectRef": {"kind": "Secret", "name": "x"}}, 400),
        ({"boundObjectRef": {"kind": "Pod", "name": "gone"}}, 404),
        ({"boundObjectRef": {"kind": "Pod", "name": "p", "uid": "other"}}, 409),
    ],
)
def test_a_token_request_that_cannot_be_met_is_refused(
    authenticator: auth.Authenticator, spec: dict[str, Any], code: int
) -> None:
    with pytest.raises(ApiError) as refusal:
        issued(authenticator, **spec)
    assert refusal.value.code == code


def test_a_token_review_needs_a_token(authenticator: auth.Authenticator) -> None:
    with pytest.raises(ApiError, match="token is required"):
        authenticator.token_review({"spec": {}}, request())


def test_whoami_tells_user_and_groups(authenticator: auth.Authenticator) -> None:
    asked = request("otto-token")
    asked.user = OTTO
    review = authenticator.self_review({"kind": "SelfSubjectReview"}, asked)
    assert review["status"] == {"userInfo": {"username": "otto", "groups": ["system:authenticated"]}}


def test_impersonation_gives_the_named_user_and_groups(authenticator: auth.Authenticator) -> None:
    user = authenticator.authenticate(
        request(
            "admin-token",
            impersonate_user="anna",
            impersonate_group="brewers, tasters",
            **{"impersonate_extra_example.org%2fscope": "a"},
        )
    )
    assert user == User(
        "anna", groups=("brewers", "tasters", "system:authenticated"), extra={"example.org/scope": ("a",)}
    )


def test_an_impersonated_account_has_its_own_groups(authenticator: auth.Authenticator) -> None:
    user = authenticator.authenticate(request("admin-token", impersonate_user="system:serviceaccount:tea:kettle"))
    assert user is not None
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:tea", "system:authenticated")


def test_impersonation_needs_permission_and_a_user(authenticator: auth.Authenticator) -> None:
    with pytest.raises(ApiError, match='users "anna" is forbidden: User "otto" cannot impersonate') as refusal:
        authenticator.authenticate(request("otto-token", impersonate_user="anna"))
    assert refusal.value.code == 403
    with pytest.raises(ApiError) as refusal:
        authenticator.authenticate(request("admin-token", impersonate_group="brewers"))
    assert refusal.value.code == 500
    assert refusal.value.text.endswith("requested [{Group  brewers    }] without impersonating a user\n")


def asked_by(user: User) -> Request:
    asked = request()
    asked.user = user
    return asked


def test_access_reviews_agree_with_the_authorizer(store: Store) -> None:
    reviews = AccessReviews(Authorizer(store))
    may_list = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "tea"}}}
    assert reviews.own(may_list, asked_by(auth.ADMIN))["status"]["allowed"] is True
    assert reviews.own(may_list, asked_by(OTTO))["status"]["allowed"] is False
    may_discover = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/api"}}}
    assert reviews.own(may_discover, asked_by(OTTO))["status"]["allowed"] is True
    about = {"spec": may_list["spec"] | {"user": "otto", "groups": ["system:masters"]}}
    assert reviews.other(about, asked_by(OTTO))["status"]["allowed"] is True


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"user": "x"},
        {"user": "x", "resourceAttributes": {}, "nonResourceAttributes": {}},
        {"resourceAttributes": {}},
    ],
)
def test_an_unclear_access_review_is_refused(store: Store, spec: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        AccessReviews(Authorizer(store)).other({"spec": spec}, asked_by(OTTO))
    assert refusal.value.code == 422


def test_a_local_review_stays_in_its_namespace(store: Store) -> None:
    body = {
        "metadata": {"namespace": "tea"},
        "spec": {"user": "otto", "resourceAttributes": {"namespace": "milk", "verb": "get", "resource": "pods"}},
    }
    with pytest.raises(ApiError, match=r"must match metadata\.namespace"):
        AccessReviews(Authorizer(store)).local(body, asked_by(OTTO))


def test_rules_review_separates_resources_from_urls(store: Store) -> None:
    answer = AccessReviews(Authorizer(store)).rules({"spec": {"namespace": "tea"}}, asked_by(OTTO))["status"]
    assert {"selfsubjectaccessreviews", "selfsubjectrulesreviews"} in [
        set(r["resources"]) for r in answer["resourceRules"]
    ]
    assert "/api" in answer["nonResourceRules"][0]["nonResourceURLs"]


def test_every_review_kind_has_a_handler(authenticator: auth.Authenticator, store: Store) -> None:
    assert len(review_handlers(authenticator, Authorizer(store))) == 6
