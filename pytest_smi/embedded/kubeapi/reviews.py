"""The create-only kinds that answer questions about access (authorization.k8s.io/v1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import User
from pytest_smi.embedded.kubeapi.routing import Attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.embedded.kubeapi.auth import Authenticator
    from pytest_smi.embedded.kubeapi.http import Request
    from pytest_smi.embedded.kubeapi.rbac import Authorizer

    Review = Callable[[dict[str, Any], Request], dict[str, Any]]

GROUP = "authorization.k8s.io"


def review_handlers(authenticator: Authenticator, authorizer: Authorizer) -> dict[tuple[str, str], Review]:
    """Handlers by (group, plural), ready for `ApiServer.reviews`."""
    access = AccessReviews(authorizer)
    return {
        (GROUP, "selfsubjectaccessreviews"): access.own,
        (GROUP, "subjectaccessreviews"): access.other,
        (GROUP, "localsubjectaccessreviews"): access.local,
        (GROUP, "selfsubjectrulesreviews"): access.rules,
        ("authentication.k8s.io", "tokenreviews"): authenticator.token_review,
        ("authentication.k8s.io", "selfsubjectreviews"): authenticator.self_review,
    }


class AccessReviews:
    """May I, may they, and what may I: answered by the authorizer that decides on requests too."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def own(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """SelfSubjectAccessReview (`kubectl auth can-i`)."""
        return self._judge("SelfSubjectAccessReview", body, request.user)

    def other(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """SubjectAccessReview: about the user and groups that its spec names."""
        return self._judge("SubjectAccessReview", body, _named_user("SubjectAccessReview", body))

    def local(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """LocalSubjectAccessReview: the same within the namespace it is posted to."""
        attributes = (body.get("spec") or {}).get("resourceAttributes") or {}
        if attributes.get("namespace") != body.get("metadata", {}).get("namespace"):
            raise _invalid("LocalSubjectAccessReview", "spec.resourceAttributes.namespace", "must match the namespace")
        return self._judge("LocalSubjectAccessReview", body, _named_user("LocalSubjectAccessReview", body))

    def rules(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """SelfSubjectRulesReview (`kubectl auth can-i --list`)."""
        namespace = (body.get("spec") or {}).get("namespace")
        if not namespace:
            raise status.bad_request("no namespace on request")
        held = self._authorizer.rules_of(request.user, namespace)
        answer = {
            "resourceRules": [rule for rule in held if rule.get("resources")],
            "nonResourceRules": [rule for rule in held if rule.get("nonResourceURLs")],
            "incomplete": False,
        }
        return body | {"status": answer}

    def _judge(self, kind: str, body: dict[str, Any], user: User) -> dict[str, Any]:
        allowed, reason = self._authorizer.authorize(_access(kind, body, user))
        return body | {"status": {"allowed": allowed} | ({"reason": reason} if reason else {})}


def _access(kind: str, body: dict[str, Any], user: User) -> Attributes:
    spec = body.get("spec") or {}
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (other is None):
        raise _invalid(kind, "spec", "exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if resource is None:
        other = other or {}
        return Attributes(user, other.get("verb", ""), path=other.get("path", ""))
    wanted = {key: resource.get(key, "") for key in ("group", "resource", "subresource", "namespace", "name")}
    return Attributes(user, resource.get("verb", ""), **wanted, is_resource=True)


def _named_user(kind: str, body: dict[str, Any]) -> User:
    spec = body.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        raise _invalid(kind, "spec.user", "at least one of user or group must be specified")
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _invalid(kind: str, field: str, why: str) -> status.ApiError:
    return status.invalid(kind, GROUP, "", [status.Cause("FieldValueInvalid", f"Invalid value: {why}", field)])
