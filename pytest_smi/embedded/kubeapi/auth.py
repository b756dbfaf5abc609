"""Who is asking: bearer tokens, tokens of ServiceAccounts, impersonation, and the reviews about tokens.

A ServiceAccount token is a JSON Web Token with the claims of a real cluster's, signed with HS256 by a key that lives as
long as the cluster (a real one signs with a key pair, so that others can verify). It stops being valid with its
ServiceAccount, and with the pod it was bound to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pytest_smi.embedded.kubeapi import objects, status
from pytest_smi.embedded.kubeapi.http import ANONYMOUS, User
from pytest_smi.embedded.kubeapi.rbac import MASTERS
from pytest_smi.embedded.kubeapi.routing import Attributes
from pytest_smi.embedded.kubeapi.values import invalid_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_smi.embedded.kubeapi.http import Request
    from pytest_smi.embedded.kubeapi.rbac import Authorizer
    from pytest_smi.embedded.kubeapi.reader import Reader

AUTHENTICATED = "system:authenticated"
ADMIN = User("kubernetes-admin", "kubernetes-admin", groups=(MASTERS, AUTHENTICATED))
ISSUER = "https://kubernetes.default.svc.cluster.local"
DEFAULT_SECONDS = 3600
LEAST_SECONDS = 600
MOST_SECONDS = 1 << 32


class InvalidToken(Exception):
    """A bearer token that is not accepted; the text says why."""


def new_token() -> str:
    """A random bearer token."""
    return secrets.token_urlsafe(24)


def encode_jwt(claims: Mapping[str, Any], key: bytes) -> str:
    """A compact JSON Web Token signed with HMAC-SHA256 (RFC 7515, RFC 7519)."""
    head = _b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{_b64(json.dumps(claims, separators=(',', ':')).encode())}"
    return f"{signed}.{_b64(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def decode_jwt(token: str, key: bytes, now: float) -> dict[str, Any]:
    """The claims of a token of ours. Raises InvalidToken for a wrong signature, another format, or an expired one."""
    signed, _, signature = token.rpartition(".")
    try:
        genuine = hmac.compare_digest(_unb64(signature), hmac.digest(key, signed.encode(), hashlib.sha256))
        if not genuine:
            raise InvalidToken("invalid bearer token")
        claims: dict[str, Any] = json.loads(_unb64(signed.split(".")[1]))
    except (ValueError, IndexError, binascii.Error):
        raise InvalidToken("invalid bearer token") from None
    if claims["exp"] <= now:
        raise InvalidToken("token has expired")
    return claims


class Authenticator:
    """Turns requests into users, and makes tokens for ServiceAccounts."""

    def __init__(self, reader: Reader, authorizer: Authorizer, tokens: Mapping[str, User]) -> None:
        """`tokens` are the static bearer tokens, e.g. `{admin_token: ADMIN}`."""
        self._reader = reader
        self._authorizer = authorizer
        self._tokens = dict(tokens)
        self._key = secrets.token_bytes(32)

    def authenticate(self, request: Request) -> User | None:
        """The user of a request after impersonation; None (401) for a bad token. Raises ApiError (403)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self._impersonated(ANONYMOUS, request)
        try:
            user = self.user_of(token.strip(), [ISSUER])
        except InvalidToken:
            return None
        return self._impersonated(user, request)

    def user_of(self, token: str, audiences: Sequence[str]) -> User:
        """The owner of a token that is meant for one of `audiences`. Raises InvalidToken."""
        if token in self._tokens:
            return self._tokens[token]
        claims = decode_jwt(token, self._key, time.time())
        if not set(claims["aud"]) & set(audiences):
            raise InvalidToken(f"token audiences {claims['aud']} is invalid for the target audiences {list(audiences)}")
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        self._must_live("serviceaccounts", namespace, account)
        extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims['jti']}",)}
        if pod := bound.get("pod"):
            self._must_live("pods", namespace, pod)
            extra["authentication.kubernetes.io/pod-name"] = (pod["name"],)
            extra["authentication.kubernetes.io/pod-uid"] = (pod["uid"],)
        return service_account_user(namespace, account["name"], account["uid"], extra)

    def token_request(self, account: dict[str, Any], body: dict[str, Any], request: Request) -> dict[str, Any]:
        """Answer `POST serviceaccounts/NAME/token`: the TokenRequest with status.token (TokenRequest v1)."""
        spec = dict(body["spec"])
        seconds = spec["expirationSeconds"] = spec.get("expirationSeconds") or DEFAULT_SECONDS
        audiences = spec["audiences"] = spec.get("audiences") or [ISSUER]
        self._check_duration(seconds)
        metadata, now = account["metadata"], int(time.time())
        bound: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        if reference := spec.get("boundObjectRef"):
            bound["pod"] = self._bound_pod(metadata["namespace"], metadata["name"], reference)
        claims = {
            "aud": audiences or [ISSUER],
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": secrets.token_hex(16),
            "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
            "kubernetes.io": bound,
        }
        expires = datetime.fromtimestamp(now + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        whose = {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
        return {
            **body,
            "metadata": {**body["metadata"], **whose, "creationTimestamp": objects.now()},
            "spec": spec,
            "status": {"token": encode_jwt(claims, self._key), "expirationTimestamp": expires},
        }

    def token_review(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """Answer a TokenReview: whose token is this?"""
        spec = body["spec"]
        if not spec.get("token"):
            raise status.bad_request("token is required for TokenReview in authentication")
        audiences = spec.get("audiences") or [ISSUER]
        try:
            user = self.user_of(spec["token"], audiences)
        except InvalidToken as refusal:
            return body | {"status": {"error": str(refusal)}}
        return body | {"status": {"authenticated": True, "user": user_info(user), "audiences": list(audiences)}}

    def self_review(self, body: dict[str, Any], request: Request) -> dict[str, Any]:
        """Answer a SelfSubjectReview: who am I? (`kubectl auth whoami`)."""
        return body | {
            "metadata": {"creationTimestamp": objects.now()},
            "status": {"userInfo": user_info(request.user)},
        }

    def _must_live(self, plural: str, namespace: str, reference: Mapping[str, str]) -> None:
        found = self._reader.object("", plural, namespace, reference["name"])
        if found is None or found["metadata"]["uid"] != reference["uid"]:
            raise InvalidToken(f"{plural} {namespace}/{reference['name']} of the token does not exist any more")

    @staticmethod
    def _check_duration(seconds: int) -> None:
        why = ""
        if seconds < LEAST_SECONDS:
            why = "may not specify a duration less than 10 minutes"
        elif seconds > MOST_SECONDS:
            why = "may not specify a duration larger than 2^32 seconds"
        if why:
            cause = invalid_value("spec.expirationSeconds", seconds, why)
            raise status.invalid("TokenRequest", "authentication.k8s.io", "", [cause])

    def _bound_pod(self, namespace: str, account: str, reference: Mapping[str, str]) -> dict[str, str]:
        if reference.get("kind") != "Pod":
            raise status.bad_request(
                f"cannot bind token for serviceaccount {account!r}: only pods can be bound to here"
            )
        pod = self._reader.object("", "pods", namespace, reference.get("name", ""))
        if pod is None:
            raise status.not_found("pods", reference.get("name", ""))
        if reference.get("uid", pod["metadata"]["uid"]) != pod["metadata"]["uid"]:
            raise status.conflict("pods", reference["name"], "", "the UID in the bound object reference does not match")
        if pod["spec"].get("serviceAccountName", "default") != account:
            raise status.bad_request(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        return {"name": reference["name"], "uid": pod["metadata"]["uid"]}

    def _impersonated(self, user: User, request: Request) -> User:
        """Apply the Impersonate-* headers, each of which the real user must be allowed to use."""
        headers = request.headers
        name = headers.get("impersonate-user", "")
        groups = [item.strip() for item in headers.get("impersonate-group", "").split(",") if item.strip()]
        uid = headers.get("impersonate-uid", "")
        prefix = "impersonate-extra-"
        extra = {unquote(key[len(prefix) :]): (value,) for key, value in headers.items() if key.startswith(prefix)}
        if not name:
            if wanted := [f"{{Group  {one}    }}" for one in groups] or [key for key in (uid, *extra) if key]:
                text = f"requested [{' '.join(wanted)}] without impersonating a user"
                raise status.plain(500, f'Internal Server Error: "{request.target}": {text}')
            return user
        namespace, account = _split_account(name)
        if account:
            self._check_impersonation(user, "serviceaccounts", account, namespace)
            groups = groups or list(service_account_user(namespace, account, "", {}).groups)
        else:
            self._check_impersonation(user, "users", name)
        for group in groups:
            if not (account and group.startswith("system:serviceaccounts")) and group != AUTHENTICATED:
                self._check_impersonation(user, "groups", group)
        if uid:
            self._check_impersonation(user, "uids", uid, group="authentication.k8s.io")
        for key, values in extra.items():
            self._check_impersonation(user, "userextras", values[0], group="authentication.k8s.io", subresource=key)
        if AUTHENTICATED not in groups and name != ANONYMOUS.name:
            groups.append(AUTHENTICATED)
        return User(name, uid, tuple(groups), extra)

    def _check_impersonation(
        self, user: User, resource: str, name: str, namespace: str = "", *, group: str = "", subresource: str = ""
    ) -> None:
        wish = Attributes(
            user,
            "impersonate",
            group=group,
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=name,
            is_resource=True,
        )
        allowed, reason = self._authorizer.authorize(wish)
        if not allowed:
            place = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            why = f'User "{user.name}" cannot impersonate resource "{resource}" in API group "{group}"{place}'
            raise status.forbidden(resource, name, group, f"{why}: {reason}" if reason else why)


def service_account_user(namespace: str, name: str, uid: str, extra: Mapping[str, tuple[str, ...]]) -> User:
    """The user that a ServiceAccount is to the API."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", uid, groups, extra)


def user_info(user: User) -> dict[str, Any]:
    """`UserInfo` (authentication.k8s.io/v1) of a user, without empty fields."""
    extra = {key: list(values) for key, values in user.extra.items()}
    info = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return {key: value for key, value in info.items() if value}


def _split_account(name: str) -> tuple[str, str]:
    parts = name.split(":")
    if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"]:
        return parts[2], parts[3]
    return "", ""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
