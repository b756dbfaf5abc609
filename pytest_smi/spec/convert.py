"""Lossless conversion between the API versions of a kind, for the conversion webhook of our CRDs.

Every conversion goes through v1alpha4. What the target version has no field for is kept in an annotation below
`smi.pytest-smi.dev/` and comes back from there, so that an object read and written in another version still says the
same; a `destination.port` that got lost on the way would open every port (XG-006). What the target has a field for but
would not admit (a UDPRoute rule before v1alpha3) stays in view.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from pytest_smi.spec.kinds import KINDS, Kind, version_number
from pytest_smi.spec.quantities import milli, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Manifest = dict[str, Any]

PREFIX = "smi.pytest-smi.dev/"
"""Annotations below it belong to the conversion."""

DESTINATION_PORT = f"{PREFIX}destination-port"
"""On a TrafficTarget of v1alpha3 or later: the port of its v1alpha1 or v1alpha2 destination, in decimal."""

_GROUPS = f"{PREFIX}subject-groups"
_HEADERS = f"{PREFIX}header-filters"
_ROUTE = f"{PREFIX}route-spec"
_WEIGHTS = f"{PREFIX}quantity-weights"
_MATCHES = f"{PREFIX}split-matches"

_EVERY_PORT: Manifest = {"matches": {"ports": []}}


class Unconvertible(ValueError):
    """The object cannot be converted: another kind or group, an unknown version, or a value that says nothing."""


def convert(manifest: Manifest, to_api_version: str) -> Manifest:
    """The object in another API version of its group (`split.smi-spec.io/v1alpha1`); `manifest` is left alone.

    Only spec and annotations change. Converting back gives the original, from every version to every other.
    Raises Unconvertible.
    """
    kind, version = _located(manifest, str(manifest.get("apiVersion")))
    target_kind, target = _located(manifest, to_api_version)
    result = copy.deepcopy(manifest)
    try:
        if version != target and kind == target_kind:
            _UP[kind.kind](result, version_number(version))
            _DOWN[kind.kind](result, version_number(target))
    except (ValueError, TypeError, LookupError, AttributeError) as wrong:
        raise Unconvertible(f"{kind.kind} cannot be read as {version}: {wrong}") from wrong
    return result | {"apiVersion": to_api_version}


def convert_review(review: Manifest) -> Manifest:
    """The answer to a ConversionReview (apiextensions.k8s.io/v1): every object converted, or the first failure."""
    request = review.get("request") or {}
    response: Manifest = {"uid": request.get("uid", "")}
    try:
        objects = [convert(manifest, request["desiredAPIVersion"]) for manifest in request["objects"]]
        response |= {"convertedObjects": objects, "result": {"status": "Success"}}
    except (Unconvertible, KeyError) as wrong:
        response |= {"convertedObjects": [], "result": {"status": "Failed", "message": str(wrong)}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}


def _located(manifest: Manifest, api_version: str) -> tuple[Kind, str]:
    group, _, version = api_version.partition("/")
    kind = KINDS.get(str(manifest.get("kind")))
    if kind is None or kind.group != group or version not in kind.versions:
        raise Unconvertible(f"{manifest.get('kind')} does not exist in {api_version}")
    return kind, version


def _keep(manifest: Manifest, key: str, value: object) -> None:
    """Set an annotation; a value of None removes what may be left from an earlier conversion."""
    _take(manifest, key)
    if value is None:
        return
    annotations = manifest.setdefault("metadata", {}).setdefault("annotations", {})
    annotations[key] = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _take(manifest: Manifest, key: str) -> str | None:
    """Remove an annotation, and the annotations altogether with the last one."""
    metadata = manifest.get("metadata", {})
    annotations = metadata.get("annotations") or {}
    value: str | None = annotations.pop(key, None)
    if value is not None and not annotations:
        del metadata["annotations"]
    return value


def _in_order(pairs: Iterable[list[Any]]) -> Callable[[object], Any]:
    """Look up kept values by key; several of one key come out in the order they were kept, then None."""
    rest = list(pairs)

    def look_up(key: object) -> Any:
        found = next((pair for pair in rest if pair[0] == key), None)
        if found is None:
            return None
        rest.remove(found)
        return found[1]

    return look_up


def _move(manifest: Manifest, names: dict[str, str], *, into_spec: bool) -> None:
    """Fields between the top level (keys of `names`) and `spec` (values)."""
    if into_spec:
        spec = {inner: manifest.pop(outer) for outer, inner in names.items() if outer in manifest}
        if spec:
            manifest["spec"] = spec
    else:
        spec = manifest.pop("spec", None) or {}
        manifest |= {outer: spec[inner] for outer, inner in names.items() if inner in spec}


_TARGET_FIELDS = {"destination": "destination", "specs": "rules", "sources": "sources"}


def _subjects(spec: Manifest) -> list[Manifest]:
    destination = spec.get("destination")
    return [*([destination] if destination else []), *(spec.get("sources") or ())]


def _subject_key(subject: Manifest) -> list[Any]:
    return [subject.get("kind"), subject.get("name"), subject.get("namespace")]


def _target_up(target: Manifest, version: int) -> None:
    if version == 1:
        _move(target, _TARGET_FIELDS, into_spec=True)
    spec = target.get("spec") or {}
    if version < 3 and "port" in (spec.get("destination") or {}):
        _keep(target, DESTINATION_PORT, str(spec["destination"].pop("port")))
    groups = _in_order(json.loads((version < 4 and _take(target, _GROUPS)) or "[]"))
    for subject in _subjects(spec):
        if (group := groups(_subject_key(subject))) is not None:
            subject["group"] = group


def _target_down(target: Manifest, version: int) -> None:
    spec = target.get("spec") or {}
    subjects = _subjects(spec)
    if version < 4:
        some = any("group" in subject for subject in subjects)
        groups = [[_subject_key(subject), subject.pop("group", None)] for subject in subjects]
        _keep(target, _GROUPS, groups if some else None)
    port = target.get("metadata", {}).get("annotations", {}).get(DESTINATION_PORT, "")
    if version < 3 and port.isdecimal() and str(int(port)) == port and spec.get("destination"):
        _take(target, DESTINATION_PORT)
        spec["destination"]["port"] = int(port)
    if version == 1:
        _move(target, _TARGET_FIELDS, into_spec=False)


def _group_up(group: Manifest, version: int) -> None:
    if version < 3:
        _move(group, {"matches": "matches"}, into_spec=True)
    headers = _in_order(json.loads((version == 1 and _take(group, _HEADERS)) or "[]"))
    for match in (group.get("spec") or {}).get("matches") or ():
        if (filters := headers(match.get("name"))) is not None:
            match["headers"] = filters


def _group_down(group: Manifest, version: int) -> None:
    matches = (group.get("spec") or {}).get("matches") or ()
    if version == 1:
        some = any("headers" in match for match in matches)
        headers = [[match.get("name"), match.pop("headers", None)] for match in matches]
        _keep(group, _HEADERS, headers if some else None)
    if version < 3:
        _move(group, {"matches": "matches"}, into_spec=False)


def _route_up(route: Manifest, version: int) -> None:
    if version == 4:
        return
    kept = _take(route, _ROUTE)
    absent = version == 3 and "spec" not in route
    route.pop("spec", None)
    spec = json.loads(kept) if kept is not None else None if absent else copy.deepcopy(_EVERY_PORT)
    if spec is not None:
        route["spec"] = spec


def _route_down(route: Manifest, version: int) -> None:
    if version == 4:
        return
    spec = route.pop("spec", None)
    plain = spec == _EVERY_PORT or (version == 3 and spec is None)
    _keep(route, _ROUTE, None if plain else json.dumps(spec, separators=(",", ":")))
    if version == 3 and spec is not None:
        route["spec"] = {}


def _split_up(split: Manifest, version: int) -> None:
    spec = split.get("spec") or {}
    backends = spec.get("backends") or ()
    if version == 1:
        written = [[backend["service"], backend["weight"]] for backend in backends]
        if any(weight != f"{milli(weight)}m" for _, weight in written):
            _keep(split, _WEIGHTS, written)
        for backend in backends:
            backend["weight"] = milli(backend["weight"])
    if version < 3 and (matches := _take(split, _MATCHES)) is not None:
        spec["matches"] = json.loads(matches)


def _split_down(split: Manifest, version: int) -> None:
    spec = split.get("spec") or {}
    if version < 3:
        _keep(split, _MATCHES, spec.pop("matches", None))
    if version == 1:
        written = _in_order(_written_weights(_take(split, _WEIGHTS)))
        for backend in spec.get("backends") or ():
            weight, original = backend["weight"], written(backend["service"])
            # A weight edited in a newer version no longer is what was written in v1alpha1.
            same = original is not None and milli(original) == weight
            backend["weight"] = original if same else f"{weight}m"


def _written_weights(kept: str | None) -> list[list[Any]]:
    """What the annotation holds; nothing when somebody spoilt it, for a stored object must stay readable."""
    try:
        pairs = [[service, weight] for service, weight in json.loads(kept or "[]")]
        return pairs if all(quantity(weight) is not None for _, weight in pairs) else []
    except (ValueError, TypeError):
        return []


_UP: dict[str, Callable[[Manifest, int], None]] = {
    "TrafficTarget": _target_up,
    "HTTPRouteGroup": _group_up,
    "TCPRoute": _route_up,
    "TrafficSplit": _split_up,
}
_DOWN: dict[str, Callable[[Manifest, int], None]] = {
    "TrafficTarget": _target_down,
    "HTTPRouteGroup": _group_down,
    "TCPRoute": _route_down,
    "TrafficSplit": _split_down,
}
