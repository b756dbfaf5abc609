"""What an answer of the API server other than success means, in one line, and what to do about it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: API servers and webhooks mark with these that they could not, not that they would not.
BROKEN = frozenset({429, 500, 502, 503, 504})
_RIGHTS = "grant what `pytest-smi rbac` prints, or name another user's context with --smi-context"

# A field that the definition of a kind does not have: the one refusal of an object that comes as a 500.
_NOT_TYPED = "failed to create typed patch object"
_MISSING_RIGHT = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_MISSING_PATH = re.compile(r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) path "(?P<path>[^"]+)"')
_WEBHOOK_DOWN = re.compile(r'failed calling webhook "(?P<name>[^"]+)": (?P<why>.*)', re.DOTALL)
_WEBHOOK_DENIES = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request(?:[:.] ?(?P<why>.*))?', re.DOTALL)
_WEBHOOK_SERVICE = re.compile(r"https://(?P<service>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc\b")


class Line(NamedTuple):
    """What is wrong and where, and what to do about it; each fits one line."""

    what: str
    advice: str = ""


def explain(code: int, status: Mapping[str, Any], request: str) -> Line:
    """What this answer to this request (`GET /api/v1/nodes`) means; `status` is its Kubernetes `Status` object."""
    message = " ".join(str(status.get("message", "")).split())
    plain = f"{request}: {code} {status.get('reason', '')}".rstrip() + (f": {message}" if message else "")
    if code == 401:
        return Line(
            f"the API server does not accept our credentials: {plain}",
            "they are wrong or have lapsed: try kubectl with the same kubeconfig and context, log in again",
        )
    return _of_webhook(message, plain) or (_forbidden(message, plain) if code == 403 else _failing(code, plain))


def concerns_object(code: int, status: Mapping[str, Any]) -> bool:
    """Whether an error status is a judgement of the object that was sent, and not of the sender or the server."""
    message = str(status.get("message", ""))
    missing = code == 403 and (_MISSING_RIGHT.search(message) or _MISSING_PATH.search(message))
    return _untyped(code, message) or (400 <= code < 500 and code not in (401, 429) and not missing)


def _untyped(code: int, message: str) -> bool:
    return code == 500 and _NOT_TYPED in message


def _of_webhook(message: str, plain: str) -> Line | None:
    if found := _WEBHOOK_DOWN.search(message):
        return Line(f"admission webhook {found['name']} does not answer: {plain}", _look_at_webhook(found["why"]))
    if found := _WEBHOOK_DENIES.search(message):
        return Line(
            f"admission webhook {found['name']} refuses it: {plain}", "does the profile fit this version of the mesh?"
        )
    return None


def _look_at_webhook(why: str) -> str:
    where = _WEBHOOK_SERVICE.search(why)
    if not where:
        return "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations tells who serves it"
    return (
        f"are the pods of service {where['service']} ready? "
        f"kubectl get pods,endpoints -n {where['namespace']} and their logs tell"
    )


def _forbidden(message: str, plain: str) -> Line:
    if found := _MISSING_RIGHT.search(message):
        group = f" of {found['group']}" if found["group"] else ""
        scope = f"in namespace {found['namespace']}" if found["namespace"] else "in the whole cluster"
        return Line(f"no right to {found['verb']} {found['resource']}{group} {scope}: {plain}", _RIGHTS)
    if found := _MISSING_PATH.search(message):
        return Line(f"no right to {found['verb']} {found['path']}: {plain}", _RIGHTS)
    if "exceeded quota" in message:
        return Line(f"a resource quota is used up: {plain}", "raise it, or run where there is none")
    if "violates PodSecurity" in message:
        return Line(f"pod security forbids it: {plain}", "label the namespace through the profile's onboarding")
    return Line(plain, "policy of the cluster refuses it")


def _failing(code: int, plain: str) -> Line:
    if code == 429:
        return Line(f"the API server is too busy: {plain}", "try again when it has less to do")
    if _untyped(code, plain):
        return Line(plain, "the kind's definition on the cluster is older, or not what the specification says")
    if code in BROKEN:
        return Line(f"the API server cannot answer: {plain}", "kubectl get --raw='/readyz?verbose' tells its health")
    return Line(plain)


def unreachable(fault: BaseException) -> Line:
    """Why a request got no answer at all, by the exception of the HTTP client; without the server's name."""
    words = _chain(fault)
    if "CERTIFICATE_VERIFY_FAILED" in words:
        reason = re.search(r"certificate verify failed:? ?([^(\[]*)", words)
        why = reason[1].strip(" .:") if reason else ""
        return Line(
            "its certificate is not one that we trust" + (f": {why}" if why else ""),
            "was the cluster made anew? fetch its kubeconfig again; is certificate-authority the right one?",
        )
    if "WRONG_VERSION_NUMBER" in words or "record layer failure" in words:
        return Line("it does not speak TLS", "does the kubeconfig say https:// where http:// is served?")
    if "SSLError" in words or "ssl." in words or "SSL:" in words:
        return Line(f"TLS failed: {_last(fault)}", "check certificates of the kubeconfig: its own and the server's")
    known = {
        ("NameResolutionError", "gaierror"): "its name cannot be resolved",
        ("ConnectTimeout",): "no connection within the time limit",
        ("ReadTimeout", "TimeoutError"): "no answer within the time limit",
        ("Connection refused",): "connection refused",
        ("No route to host", "Network is unreachable"): "no route to it",
        ("reset by peer", "RemoteDisconnected", "IncompleteRead", "ProtocolError"): "the connection broke",
    }
    for marks, what in known.items():
        if any(mark in words for mark in marks):
            return Line(what, "is the cluster running and the kubeconfig current?")
    return Line(_last(fault), "is the cluster running and the kubeconfig current?")


def never_arrived(fault: BaseException) -> bool:
    """Whether the request cannot have reached the API server, so that sending it again repeats nothing."""
    words = _chain(fault)
    return any(mark in words for mark in ("NewConnectionError", "NameResolutionError", "ConnectTimeout", "SSLError"))


def _chain(fault: BaseException) -> str:
    seen: list[str] = []
    while fault and len(seen) < 8:
        seen.append(f"{type(fault).__name__} {fault}")
        fault = fault.__cause__ or fault.__context__  # type: ignore[assignment]
    return " | ".join(seen)


def _last(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"[:300]
