"""The create-only kinds that answer questions about access (authorization.k8s.io/v1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import User
from pytest_smi.embedded.kubeapi.routing import Attributes
from pytest_smi.embedded.kubeapi.values import invalid_value

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
        return self._judge(body, request.user)

    def other(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """SubjectAccessReview: about the user and groups that its spec names."""
        return self._judge(body, _named_user(body))

    def local(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """LocalSubjectAccessReview: the same within the namespace it is posted to."""
        attributes = body["spec"].get("resourceAttributes") or {}
        wanted = attributes.get("namespace", "")
        if wanted != body["metadata"].get("namespace"):
            raise _invalid("spec.resourceAttributes.namespace", wanted, "must match metadata.namespace")
        return self._judge(body, _named_user(body))

    def rules(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """SelfSubjectRulesReview (`kubectl auth can-i --list`)."""
        namespace = body["spec"].get("namespace")
        if not namespace:
            raise status.bad_request("no namespace on request")
        held = self._authorizer.rules_of(request.user, namespace)
        answer = {
            "resourceRules": [rule for rule in held if rule.get("resources")],
            "nonResourceRules": [rule for rule in held if rule.get("nonResourceURLs")],
            "incomplete": False,
        }
        return body | {"spec": {}, "status": answer}

    def _judge(self, body: dict[str, Any], user: User) -> dict[str, Any]:
        allowed, reason = self._authorizer.authorize(_access(body, user))
        return body | {"status": {"allowed": allowed, "reason": reason}}


def _access(body: dict[str, Any], user: User) -> Attributes:
    resource, other = body["spec"].get("resourceAttributes"), body["spec"].get("nonResourceAttributes")
    if resource is not None and other is not None:
        value = {"Path": other.get("path", ""), "Verb": other.get("verb", "")}
        text = "cannot be specified in combination with resourceAttributes"
        raise _invalid("spec.nonResourceAttributes", value, text)
    if resource is not None:
        wanted = {key: resource.get(key, "") for key in ("group", "resource", "subresource", "namespace", "name")}
        return Attributes(user, resource.get("verb", ""), **wanted, is_resource=True)
    if other is not None:
        return Attributes(user, other.get("verb", ""), path=other.get("path", ""))
    text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    raise _invalid("spec.resourceAttributes", None, text)


def _named_user(body: dict[str, Any]) -> User:
    spec = body["spec"]
    if not spec.get("user") and not spec.get("groups"):
        raise _invalid("spec.user", "", "at least one of user or group must be specified")
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _invalid(field: str, value: Any, why: str) -> status.ApiError:
    """422, of no kind: the real server does not name it either."""
    return status.invalid("", GROUP, "", [invalid_value(field, value, why)])
