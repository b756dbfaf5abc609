"""Structural schemas of the SMI kinds, one per API version, written from the documents' text.

Where a document and the SDK's published CRDs differ the document decides; each such place says so. One thing stays out
on purpose, although the documents call an object without it invalid: at least one rule and one source. No published
schema checks that, and a mesh has to treat such an object as granting nothing (TA-061, TA-062).
"""

from __future__ import annotations

from typing import Any, Literal

from pytest_smi.spec.kinds import version_number
from pytest_smi.spec.quantities import PATTERN

Schema = dict[str, Any]

# The documents speak of "methods" without listing them; the list is the SDK's: every verb of HTTP and PATCH.
METHODS = ("*", "GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


def schema(kind: str, version: str, header_encoding: Literal["array", "map"]) -> Schema:
    """The `openAPIV3Schema` of one version of one kind. Raises KeyError for a kind or version that no document has."""
    number = version_number(version)
    description, body = {
        "TrafficTarget": _traffic_target,
        "IdentityBinding": _identity_binding,
        "HTTPRouteGroup": lambda at: _http_route_group(at, header_encoding),
        "TCPRoute": lambda at: _port_route("TCP", at),
        "UDPRoute": lambda at: _port_route("UDP", at),
        "TrafficSplit": _traffic_split,
    }[kind](number)
    head = {
        "apiVersion": _text("Version of the schema this object follows."),
        "kind": _text("Kind of this object."),
        "metadata": {"type": "object"},
    }
    required = body.get("required", [])
    return _object(description, head | body["properties"], required)


def _text(description: str, **rules: Any) -> Schema:
    return {"type": "string", "description": description, **rules}


def _object(description: str, properties: Schema, required: list[str] | None = None, **rules: Any) -> Schema:
    made: Schema = {"type": "object", "description": description, "properties": properties, **rules}
    if required:
        made["required"] = required
    return made


def _array(description: str, items: Schema, **rules: Any) -> Schema:
    return {"type": "array", "description": description, "items": items, **rules}


def _spec(description: str, properties: Schema, required: list[str] | None = None) -> Schema:
    """A body that consists of a required `spec`."""
    return {"properties": {"spec": _object(description, properties, required)}, "required": ["spec"]}


def _traffic_target(version: int) -> tuple[str, Schema]:
    description = "Allows pods of the source identities to reach pods of the destination identity on the given routes."
    rules = "specs" if version == 1 else "rules"
    properties = {
        "destination": _destination(version),
        rules: _array("Routes that are allowed; any of them suffices.", _rule(version)),
        "sources": _array("Identities that are allowed.", _subject("Identity of a caller.", version)),
    }
    # From v1alpha3 on the document wants a destination, rules and sources; before, only the destination is certain.
    required = ["destination", rules, "sources"] if version > 2 else ["destination"]
    if version == 1:
        return description, {"properties": properties, "required": required}
    return description, _spec("Who may reach whom on which routes.", properties, required)


def _subject(description: str, version: int, **more: Schema) -> Schema:
    # v1alpha4 names exactly two kinds; earlier documents name ServiceAccount, and no schema ever enforced it.
    rules = {"enum": ["ServiceAccount", "IdentityBinding"]} if version == 4 else {}
    properties = {
        "kind": _text("Kind of the identity, normally ServiceAccount.", **rules),
        "name": _text("Name of the identity."),
        "namespace": _text("Namespace of the identity."),
    }
    if version == 4:
        properties["group"] = _text("API group of the identity's kind, for IdentityBinding.")
    return _object(description, properties | more, ["kind", "name"])


def _destination(version: int) -> Schema:
    description = "Identity of the pods that are reached."
    if version > 2:
        return _subject(description, version)
    # Optional and an integer, as the documents say; the SDK requires it in v1alpha1 and takes fractions.
    port = {"type": "integer", "description": "Port that the traffic is restricted to; absent: every port."}
    return _subject(description, version, port=port)


def _rule(version: int) -> Schema:
    kinds = ["HTTPRouteGroup", "TCPRoute"] if version < 3 else ["HTTPRouteGroup", "TCPRoute", "UDPRoute"]
    matches = _array("Names of the matches that count; absent: all of the group.", _text("Name of a match."))
    return _object(
        "A route object of this namespace.",
        {
            "kind": _text("Kind of the route object.", enum=kinds),
            "name": _text("Name of the route object."),
            "matches": matches,
        },
        ["kind", "name"],
    )


def _identity_binding(_version: int) -> tuple[str, Schema]:
    selector = _object(
        "Pods of this namespace that carry all these labels.",
        {"matchLabels": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}},
        ["matchLabels"],
    )
    ids = _array("SPIFFE ids; any of them suffices.", {"type": "string", "minLength": 1}, minItems=1)
    schemes = _object(
        "Ways to recognise the workload; any of them suffices.",
        {
            "podLabelSelector": selector,
            "spiffeIdentities": ids,
            "serviceAccount": _text("ServiceAccount in this namespace.", minLength=1),
        },
        minProperties=1,
    )
    # The document's text; its own example sets both.
    schemes["not"] = {"required": ["podLabelSelector", "serviceAccount"]}
    return "Identities that belong to one workload of this namespace.", _spec(
        "How the workload is recognised.", {"schemes": schemes}, ["schemes"]
    )


def _http_route_group(version: int, header_encoding: str) -> tuple[str, Schema]:
    description = "HTTP routes that policies refer to; without effect of its own."
    properties = {
        "name": _text("Name that rules refer to."),
        "pathRegex": _text("Regular expression for the path, anchored at its start."),
        "methods": _array("HTTP methods, or * for all.", _text("HTTP method.", enum=list(METHODS))),
    }
    if version > 1:
        properties["headers"] = _headers(header_encoding)
    # v1alpha1 requires all three; later documents let path and methods be absent beside header filters.
    required = ["name", "pathRegex", "methods"] if version == 1 else ["name"]
    matches = _array("Routes; any of them suffices.", _object("One route: all its fields hold.", properties, required))
    if version < 3:
        return description, {"properties": {"matches": matches}, "required": ["matches"]}
    return description, _spec("The routes.", {"matches": matches}, ["matches"])


def _headers(encoding: str) -> Schema:
    description = "Regular expressions for request headers; all of them hold."
    filters = {"type": "object", "additionalProperties": {"type": "string"}}
    if encoding == "map":
        return filters | {"description": description}
    return _array(description, filters)


def _port_route(transport: str, version: int) -> tuple[str, Schema]:
    description = f"{transport} traffic that policies refer to; without effect of its own."
    if version < 3:
        return description, {"properties": {}}
    if version == 3:
        return description, {"properties": {"spec": _object("Has no fields.", {})}}
    # The document says what an absent list means, so it may be absent; the SDK requires it. The range is left to the
    # mesh, as everywhere (TSC-070).
    ports = _array("Ports; empty or absent: every port.", {"type": "integer"})
    matches = _object("What traffic is meant.", {"ports": ports})
    return description, {"properties": {"spec": _object("The traffic.", {"matches": matches})}}


def _traffic_split(version: int) -> tuple[str, Schema]:
    backend = _object(
        "A Service and its part of the traffic.",
        {"service": _text("Name of a Service in this namespace."), "weight": _weight(version)},
        ["service", "weight"],
    )
    properties = {
        "service": _text("The Service that clients address."),
        "backends": _array("Services that share the traffic.", backend),
    }
    if version > 2:
        group = {
            "kind": _text("Kind of the route object.", enum=["HTTPRouteGroup"]),
            "name": _text("Name of the route object."),
        }
        properties["matches"] = _array(
            "Only requests that match one of these are split; absent: all.",
            _object("An HTTPRouteGroup of this namespace.", group, ["kind", "name"]),
        )
    return "Shares traffic to one Service between others by weight.", _spec(
        "What is split, and how.", properties, ["service", "backends"]
    )


def _weight(version: int) -> Schema:
    if version == 1:
        description = "Weight as a quantity: 1 is 1000m."
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "description": description,
            "pattern": PATTERN,
            "x-kubernetes-int-or-string": True,
        }
    # Whole numbers in the documents; the SDK takes any number.
    return {"type": "integer", "minimum": 0, "description": "Weight relative to the other backends."}
