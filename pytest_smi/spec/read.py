"""Manifests of any API version and shape -> neutral resources; the inverse of `render`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.spec.kinds import KINDS
from pytest_smi.spec.quantities import milli
from pytest_smi.spec.resources import (
    Backend,
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Match,
    RouteRef,
    Rule,
    TCPRoute,
    TrafficSplit,
    TrafficTarget,
    UDPRoute,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Parsed = TrafficTarget | HTTPRouteGroup | TCPRoute | UDPRoute | TrafficSplit | IdentityBinding


class Unreadable(ValueError):
    """The manifest is not an SMI object that says anything; the text tells which part is wrong."""


def parse(manifest: dict[str, Any]) -> Parsed:
    """The resource that a manifest describes, as `expand` would leave it: references only, namespaces as written.

    A subject whose namespace is not written has the empty string there. Header filters are read as array and as map.
    Weights of split v1alpha1 become whole numbers in thousandths (`1` -> 1000), so that they compare with each other.
    Absent lists read as None where the neutral resource tells absent from empty. Raises Unreadable.
    """
    try:
        return _parse(manifest)
    except (KeyError, TypeError, AttributeError, ValueError) as wrong:
        missing = f"{wrong.args[0]} is missing" if isinstance(wrong, KeyError) else str(wrong)
        raise Unreadable(f"{_title(manifest)}: {missing}") from wrong


def _parse(manifest: dict[str, Any]) -> Parsed:
    group, _, version = str(manifest["apiVersion"]).partition("/")
    kind = KINDS.get(manifest["kind"])
    if kind is None or kind.group != group or version not in kind.versions:
        raise ValueError(f"{manifest['apiVersion']} {manifest['kind']} is no SMI kind")
    metadata = manifest["metadata"]
    reader = _READERS[kind.kind]
    # v1alpha1 TrafficTargets and v1alpha1/2 HTTPRouteGroups have their fields at the top.
    top = version == "v1alpha1" and kind.kind == "TrafficTarget"
    top = top or (version in ("v1alpha1", "v1alpha2") and kind.kind == "HTTPRouteGroup")
    body = manifest if top else manifest.get("spec") or {}
    return reader(metadata["name"], metadata.get("namespace"), body, version)


def _traffic_target(name: str, namespace: str | None, body: dict[str, Any], version: str) -> TrafficTarget:
    rules = body.get("specs" if version == "v1alpha1" else "rules") or ()
    return TrafficTarget(
        name,
        [_identity(source) for source in body.get("sources") or ()],
        _identity(body["destination"]),
        [Rule(RouteRef(rule["kind"], rule["name"]), rule.get("matches")) for rule in rules],
        body["destination"].get("port") if version in ("v1alpha1", "v1alpha2") else None,
        namespace,
    )


def _identity(subject: dict[str, Any]) -> Identity:
    return Identity(subject["name"], subject.get("namespace") or "", subject["kind"], subject.get("group"))


def _http_route_group(name: str, namespace: str | None, body: dict[str, Any], _version: str) -> HTTPRouteGroup:
    return HTTPRouteGroup(name, [_match(match) for match in body.get("matches") or ()], namespace)


def _match(match: dict[str, Any]) -> Match:
    headers = match.get("headers")
    if isinstance(headers, list):
        # Two filters of one header in separate elements must both hold, so pairs are kept and nothing is merged.
        headers = [pair for element in headers for pair in element.items()]
    return Match(match.get("name"), match.get("pathRegex"), match.get("methods"), headers)


def _ports(body: dict[str, Any]) -> list[int] | None:
    ports = (body.get("matches") or {}).get("ports")
    return None if ports is None else [_integer(port) for port in ports]


def _integer(port: object) -> int:
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"port {port!r} is not an integer")
    return port


def _tcp_route(name: str, namespace: str | None, body: dict[str, Any], _version: str) -> TCPRoute:
    return TCPRoute(name, _ports(body), namespace)


def _udp_route(name: str, namespace: str | None, body: dict[str, Any], _version: str) -> UDPRoute:
    return UDPRoute(name, _ports(body), namespace)


def _traffic_split(name: str, namespace: str | None, body: dict[str, Any], version: str) -> TrafficSplit:
    weigh = milli if version == "v1alpha1" else _integer
    matches = body.get("matches")
    return TrafficSplit(
        name,
        body["service"],
        [Backend(backend["service"], weigh(backend["weight"])) for backend in body.get("backends") or ()],
        None if matches is None else [RouteRef(match["kind"], match["name"]) for match in matches],
        namespace,
    )


def _identity_binding(name: str, namespace: str | None, body: dict[str, Any], _version: str) -> IdentityBinding:
    schemes = body.get("schemes") or {}
    selector = schemes.get("podLabelSelector") or {}
    return IdentityBinding(
        name, schemes.get("serviceAccount"), schemes.get("spiffeIdentities"), selector.get("matchLabels"), namespace
    )


def _title(manifest: object) -> str:
    if not isinstance(manifest, dict):
        return "not a manifest"
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{manifest.get('kind', 'object')} {name or '(without name)'}"


_READERS: dict[str, Callable[[str, str | None, dict[str, Any], str], Parsed]] = {
    "TrafficTarget": _traffic_target,
    "IdentityBinding": _identity_binding,
    "HTTPRouteGroup": _http_route_group,
    "TCPRoute": _tcp_route,
    "UDPRoute": _udp_route,
    "TrafficSplit": _traffic_split,
}
