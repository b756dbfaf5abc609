"""Neutral resources -> manifests of one API version, the way the documents of that version write them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.spec.expand import expand, route_kind
from pytest_smi.spec.kinds import KINDS, version_number
from pytest_smi.spec.quantities import quantity
from pytest_smi.spec.resources import (
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Match,
    Raw,
    Rule,
    TCPRoute,
    TrafficSplit,
    TrafficTarget,
    UDPRoute,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.spec.releases import ApiVersions
    from pytest_smi.spec.resources import Resource

Manifest = dict[str, Any]
HeaderEncoding = Literal["array", "map"]
"""How header filters are written: an array of single-key maps (documents to v0.6.0, SDK) or one map (main)."""


class NotExpressible(ValueError):
    """The API version has no words for the resource. `reason` says which part, and what says it instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def render(
    resource: Resource, versions: ApiVersions, *, namespace: str, header_encoding: HeaderEncoding = "array"
) -> list[Manifest]:
    """The manifests to apply for `resource`, in this order; routes come before what refers to them.

    Every namespace is written out: `namespace` wherever the resource names none. Raises NotExpressible when the API
    version in `versions` (or the absence of one) cannot say it, ValueError when the resource contradicts itself.
    """
    return [_manifest(plain, versions, header_encoding) for plain in expand(resource, namespace)]


def _manifest(resource: Resource, versions: ApiVersions, encoding: HeaderEncoding) -> Manifest:
    if isinstance(resource, Raw):
        return copy.deepcopy(resource.manifest)
    kind = KINDS[type(resource).__name__]
    version: str | None = getattr(versions, kind.area)
    if version is None:
        raise NotExpressible(f"{kind.kind}: no API version of {kind.area} is available here")
    if version not in kind.versions:
        raise NotExpressible(f"{kind.kind} does not exist in {kind.area} {version}, only in {', '.join(kind.versions)}")
    body = _BODIES[kind.kind](resource, version_number(version), encoding)
    head: Manifest = {
        "apiVersion": kind.api_version(version),
        "kind": kind.kind,
        "metadata": {"name": resource.name, "namespace": resource.namespace},
    }
    return head | body


def _traffic_target(target: TrafficTarget, version: int, _encoding: HeaderEncoding) -> Manifest:
    destination = _subject(target.destination, version)
    if target.port is not None:
        if version > 2:
            raise NotExpressible(f"destination.port left in access v1alpha3: write a TCPRoute rule for {target.port}")
        destination["port"] = target.port
    rules = [_rule(rule, version) for rule in target.rules if isinstance(rule, Rule)]
    sources = [_subject(source, version) for source in target.sources]
    if version == 1:
        return {"destination": destination, "specs": rules, "sources": sources}
    return {"spec": {"destination": destination, "rules": rules, "sources": sources}}


def _subject(identity: Identity, version: int) -> Manifest:
    if identity.kind == "IdentityBinding" and version < 4:
        raise NotExpressible(f"access v1alpha{version} has no IdentityBinding subjects; they came with v1alpha4")
    subject = {"kind": identity.kind, "name": identity.name}
    if identity.group:
        if version < 4:
            raise NotExpressible(f"a subject has no group in access v1alpha{version}")
        subject["group"] = identity.group
    if identity.namespace:
        subject["namespace"] = identity.namespace
    return subject


def _rule(rule: Rule, version: int) -> Manifest:
    kind = route_kind(rule.route)
    if kind == "UDPRoute" and version < 3:
        raise NotExpressible(f"access v1alpha{version} has no UDPRoute rules; they came with v1alpha3")
    written: Manifest = {"kind": kind, "name": rule.route.name}
    if rule.matches is not None:
        written["matches"] = list(rule.matches)
    return written


def _http_route_group(group: HTTPRouteGroup, version: int, encoding: HeaderEncoding) -> Manifest:
    matches = [_match(match, version, encoding) for match in group.matches]
    return {"matches": matches} if version < 3 else {"spec": {"matches": matches}}


def _match(match: Match, version: int, encoding: HeaderEncoding) -> Manifest:
    if version == 1 and match.headers is not None:
        raise NotExpressible("specs v1alpha1 has no header filters; they came with v1alpha2")
    if version == 1 and (match.path is None or match.methods is None):
        raise NotExpressible("specs v1alpha1 requires pathRegex and methods in every match")
    written: Manifest = {"name": match.name}
    if match.path is not None:
        written["pathRegex"] = match.path
    if match.methods is not None:
        written["methods"] = list(match.methods)
    if match.headers is not None:
        written["headers"] = _headers(match.headers, encoding)
    return written


def _headers(headers: tuple[tuple[str, str], ...], encoding: HeaderEncoding) -> Any:
    if encoding == "array":
        return [{name: value} for name, value in headers]
    if len({name for name, _ in headers}) < len(headers):
        raise NotExpressible("a map of header filters cannot hold two filters of one header name")
    return dict(headers)


def _port_route(route: TCPRoute | UDPRoute, version: int, _encoding: HeaderEncoding) -> Manifest:
    if version < 4 and route.ports:
        kind = type(route).__name__
        raise NotExpressible(f"a {kind} cannot name ports in specs v1alpha{version}, only from v1alpha4 on")
    if version < 3:
        return {}
    # The documents let `ports` be absent, the SDK's schema does not; an empty list means the same to both.
    return {"spec": {} if version == 3 else {"matches": {"ports": list(route.ports or ())}}}


def _traffic_split(split: TrafficSplit, version: int, _encoding: HeaderEncoding) -> Manifest:
    weigh = (lambda weight: weight) if version == 1 else _whole
    spec: Manifest = {
        "service": split.service,
        "backends": [{"service": backend.service, "weight": weigh(backend.weight)} for backend in split.backends],
    }
    if split.matches is not None:
        if version < 3:
            raise NotExpressible(f"split v1alpha{version} has no matches; they came with v1alpha3")
        spec["matches"] = [{"kind": route_kind(match), "name": match.name} for match in split.matches]
    return {"spec": spec}


def _whole(weight: int | str) -> int:
    value = quantity(weight)
    if value.denominator != 1:
        raise NotExpressible(f"weight {weight!r} is not a whole number; fractions exist in split v1alpha1 only")
    return int(value)


def _identity_binding(binding: IdentityBinding, _version: int, _encoding: HeaderEncoding) -> Manifest:
    schemes: Manifest = {}
    if binding.service_account is not None:
        schemes["serviceAccount"] = binding.service_account
    if binding.spiffe is not None:
        schemes["spiffeIdentities"] = list(binding.spiffe)
    if binding.match_labels is not None:
        schemes["podLabelSelector"] = {"matchLabels": dict(binding.match_labels)}
    return {"spec": {"schemes": schemes}}


_BODIES: dict[str, Callable[[Any, int, HeaderEncoding], Manifest]] = {
    "TrafficTarget": _traffic_target,
    "IdentityBinding": _identity_binding,
    "HTTPRouteGroup": _http_route_group,
    "TCPRoute": _port_route,
    "UDPRoute": _port_route,
    "TrafficSplit": _traffic_split,
}
