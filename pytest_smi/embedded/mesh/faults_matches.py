"""Faults about what a match of a route group says of a request, and whose a route object is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.faults_structure import changed
from pytest_smi.embedded.mesh.model import HttpMatch
from pytest_smi.embedded.mesh.semantics import Semantics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.mesh.model import Pod
    from pytest_smi.embedded.mesh.semantics_access import Allowance
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

_GRANTING = frozenset({"TA-", "TSC-", "TM-", "XG-"})
_GROUP = "HTTPRouteGroup"
_KINDS = (_GROUP, "TCPRoute", "UDPRoute")


@fault(
    "every-group-counts",
    "A rule for a route group grants what any group of the namespace says",
    kills={"TSC-001"},
    may_touch=_GRANTING,
)
class _EveryGroup(Semantics):
    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        found = super().route(snapshot, rule, own)
        if rule["kind"] != _GROUP or found is None:
            return found
        names = rule.get("matches") or ["any"]
        others = [one for one in snapshot.all(_GROUP) if one["metadata"]["namespace"] == own and one is not found]
        matches = [
            {**match, "name": names[0]} for one in others for match in (one.get("spec") or {}).get("matches") or ()
        ]
        return {**found, "spec": {"matches": [*(found.get("spec") or {}).get("matches", ()), *matches]}}


@fault(
    "route-kinds-share-names",
    "A rule for a TCPRoute is satisfied by any route object of its name, and opens every port then",
    kills={"TA-076"},
    may_touch={"TA-07"},
)
class _AnyKind(Semantics):
    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        found = super().route(snapshot, rule, own)
        if found is None and rule["kind"] == "TCPRoute":
            return {"spec": {}} if any(snapshot.get(kind, own, rule["name"]) for kind in _KINDS) else None
        return found


@fault(
    "route-names-are-unique",
    "Of route objects of several kinds that share a name only one is found",
    kills={"TA-077"},
    may_touch={"TA-076"},
)
class _UniqueNames(Semantics):
    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        first = next((kind for kind in _KINDS if snapshot.get(kind, own, rule["name"])), rule["kind"])
        return super().route(snapshot, rule, own) if rule["kind"] == first else None


@fault(
    "route-serves-one-target",
    "A route object that several TrafficTargets name serves only the first of them",
    kills={"TA-035", "TSC-071"},
    may_touch=_GRANTING | {"TS-0"},
)
class _OneTarget(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._target = ""

    def allowance(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> Allowance:
        self._target = target["metadata"]["name"]
        return super().allowance(snapshot, target, pods)

    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        users = [
            one["metadata"]["name"]
            for one in snapshot.all("TrafficTarget")
            if one["metadata"]["namespace"] == own and any(self._same(rule, other) for other in one["spec"]["rules"])
        ]
        return super().route(snapshot, rule, own) if users[:1] == [self._target] else None

    def _same(self, one: Manifest, other: Manifest) -> bool:
        return (one["kind"], one["name"]) == (other["kind"], other["name"])


@fault(
    "path-anchors-dropped",
    "A path pattern loses the anchors that are written in it",
    kills={"TSC-013"},
    may_touch={"TA-02", "TA-033", "TA-09", "TSC-01"},
)
class _NoAnchors(Semantics):
    def path(self, pattern: str) -> str:
        return super().path(pattern.removeprefix("^").removesuffix("$"))


@fault(
    "bodies-open-every-path",
    "Who is granted a route may take any, with any method, in a request that has a body",
    kills={"TSC-021"},
    may_touch={"TA-094", "TA-096"},
)
class _Bodies(Semantics):
    def allowance(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> Allowance:
        found = super().allowance(snapshot, target, pods)
        body = HttpMatch(headers=(("content-length", "[1-9][0-9]*"),))
        return replace(found, http=(*found.http, body)) if found.http else found


@fault(
    "uncommon-methods-unknown",
    "TRACE and PATCH are never let in",
    kills={"TSC-031", "TSC-038"},
    may_touch={"TSC-03"},
)
class _Uncommon(Semantics):
    def methods(self, listed: Sequence[str]) -> frozenset[str] | None:
        common = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT")
        return frozenset(common if "*" in listed else (set(listed) & set(common)) or {"NONE"})


@fault(
    "header-anchors-dropped",
    "The pattern of a header filter may match anywhere in the value, whatever anchors it has",
    kills={"TSC-049"},
    may_touch={"TSC-04", "TSC-05"},
)
class _NoHeaderAnchors(Semantics):
    def header_value(self, pattern: str) -> str:
        return f"(?s:.*)(?:{pattern.removeprefix('^').removesuffix('$')})(?s:.*)"


@fault(
    "literal-header-values",
    "The pattern of a header filter is taken as plain text",
    kills={"TSC-040", "TS-080"},
    may_touch={"TA-034", "TSC-", "TS-08", "TS-09", "XG-"},
)
class _LiteralValues(Semantics):
    def header_value(self, pattern: str) -> str:
        return f"\\Q{pattern.strip('^$')}\\E"


@fault(
    "first-filtered-match-only",
    "Of several matches with header filters only the first counts",
    kills={"TSC-042"},
    may_touch={"TSC-04"},
)
class _FirstFiltered(Semantics):
    def selected(self, rule: Manifest, group: Manifest) -> Sequence[Manifest]:
        found = super().selected(rule, group)
        filtered = [match for match in found if self.header_filters(match)]
        return [match for match in found if match not in filtered[1:]]


@fault(
    "half-a-match-grants-nothing",
    "A match with a path and no methods, or the reverse, grants nothing",
    kills={"TSC-053"},
    may_touch={"TSC-005"},
)
class _HalfMatch(Semantics):
    def http_match(self, match: Manifest) -> HttpMatch | None:
        half = bool(match.get("pathRegex")) != bool(match.get("methods"))
        return None if half and not self.header_filters(match) else super().http_match(match)


@fault(
    "oldest-groups-have-filters",
    "Groups of v1alpha1 take header filters too, and are restricted by them",
    kills={"TSC-056"},
    release="all",
)
class _OldFilters(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def add(properties: dict[str, Any], version: str) -> None:
            if version == "v1alpha1":
                filters = {"type": "object", "additionalProperties": {"type": "string"}}
                properties["matches"]["items"]["properties"]["headers"] = {"type": "array", "items": filters}

        return changed(super().crds(crds), _GROUP, add)
