"""Faults about routes: which matches count, and what a request must be like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh import regex
from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.semantics_access import Ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.mesh.model import HttpMatch
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

_ROUTING = frozenset({"TA-", "TSC-", "TM-", "XG-"})


@fault(
    "ignore-path",
    "Requests are let in whatever their path",
    kills={"TA-006", "TSC-002", "TSC-010", "TSC-011", "TSC-016"},
    may_touch=_ROUTING,
)
class _IgnorePath(Semantics):
    def path(self, pattern: str) -> str:
        return "(?s:.*)"


@fault(
    "unanchored-path",
    "A path pattern may match anywhere in the path",
    kills={"TSC-011"},
    may_touch={"TSC-01", "TA-098"},
)
class _UnanchoredPath(Semantics):
    def path(self, pattern: str) -> str:
        return f"(?s:.*)(?:{pattern})(?s:.*)"


@fault(
    "case-insensitive-path",
    "Paths are compared without regard to case",
    kills={"TSC-016"},
    may_touch={"TSC-01"},
)
class _CaseInsensitivePath(Semantics):
    def path(self, pattern: str) -> str:
        return f"(?i:{pattern})(?s:.*)"


@fault(
    "literal-path",
    "Path patterns are taken as plain prefixes",
    kills={"TSC-010", "TSC-014", "TSC-015"},
    may_touch=EVERYTHING,
)
class _LiteralPath(Semantics):
    def path(self, pattern: str) -> str:
        return f"\\Q{pattern.strip('^$')}\\E(?s:.*)"


@fault(
    "ignore-methods",
    "Requests are let in whatever their method",
    kills={"TA-007", "TA-027", "TSC-030", "TSC-032", "TSC-034"},
    may_touch={"TA-007", "TA-027", "TA-096", "TA-114", "TSC-03", "TSC-044", "TSC-053", "TSC-055"},
)
class _IgnoreMethods(Semantics):
    def methods(self, listed: Sequence[str]) -> frozenset[str] | None:
        return None


@fault(
    "get-implies-head",
    "Where GET is allowed HEAD is too",
    kills={"TSC-032"},
    may_touch={"TA-007", "TA-027", "TSC-03"},
)
class _GetImpliesHead(Semantics):
    def methods(self, listed: Sequence[str]) -> frozenset[str] | None:
        return super().methods([*listed, "HEAD"] if "GET" in listed else listed)


@fault(
    "first-method-only",
    "Of several methods only the first is let in",
    kills={"TSC-033"},
    may_touch={"TA-", "TSC-03", "TS-05"},
)
class _FirstMethod(Semantics):
    def methods(self, listed: Sequence[str]) -> frozenset[str] | None:
        return super().methods(listed[:1])


@fault(
    "star-is-a-method",
    "The method * stands for itself",
    kills={"TSC-014", "TSC-031"},
    may_touch=EVERYTHING,
)
class _LiteralStar(Semantics):
    def methods(self, listed: Sequence[str]) -> frozenset[str] | None:
        return frozenset(listed)


@fault(
    "ignore-headers",
    "Header filters are ignored",
    kills={"TA-034", "TSC-040", "TSC-041", "TSC-042", "TSC-043", "TSC-050", "TSC-051", "TS-081"},
    may_touch={"TA-096", "TSC-04", "TSC-05", "TS-08", "TS-09"},
)
class _IgnoreHeaders(Semantics):
    def http_match(self, match: Manifest) -> HttpMatch | None:
        found = super().http_match(match)
        return found and replace(found, headers=())


@fault(
    "headers-or",
    "One of several header filters suffices",
    kills={"TSC-041", "TS-084"},
    may_touch={"TSC-04", "TS-08"},
)
class _HeadersOr(Semantics):
    def http_match(self, match: Manifest) -> HttpMatch | None:
        found = super().http_match(match)
        return found and replace(found, any_header=True)


@fault(
    "case-sensitive-header-names",
    "A header filter whose name is not written in lower case never matches",
    kills={"TSC-045"},
    may_touch={"TA-034", "TSC-04", "TSC-05", "TS-08", "TS-090"},
)
class _HeaderNames(Semantics):
    def http_match(self, match: Manifest) -> HttpMatch | None:
        if any(name != name.lower() for name, _ in self.header_filters(match)):
            return None
        return super().http_match(match)


@fault(
    "absent-header-matches",
    "A header filter that would match an empty value holds when the header is absent",
    kills={"TSC-046"},
    may_touch={"TSC-04"},
)
class _AbsentHeader(Semantics):
    def header_filters(self, match: Manifest) -> list[tuple[str, str]]:
        return [(name, pattern) for name, pattern in super().header_filters(match) if pattern not in ("", ".*")]

    def http_match(self, match: Manifest) -> HttpMatch | None:
        dropped = super().header_filters(match) and not self.header_filters(match)
        return super().http_match({"pathRegex": ".*", **match} if dropped else match)


@fault(
    "headers-replace-path-and-method",
    "A match with header filters forgets its path and methods",
    kills={"TSC-044"},
    may_touch={"TA-034", "TSC-04"},
)
class _HeadersAlone(Semantics):
    def http_match(self, match: Manifest) -> HttpMatch | None:
        found = super().http_match(match)
        return replace(found, path=None, methods=None) if found and found.headers else found


@fault(
    "matches-omitted-means-none",
    "A rule that names no matches grants nothing",
    kills={"TA-020"},
    may_touch=EVERYTHING,
)
class _OmittedMeansNone(Semantics):
    def selected(self, rule: Manifest, group: Manifest) -> Sequence[Manifest]:
        return super().selected({"matches": [], **rule}, group)


@fault(
    "match-names-ignored",
    "A rule grants every match of its group, whichever it names",
    kills={"TA-021", "TA-067", "TSC-003"},
    may_touch={"TA-02", "TA-06", "TA-113", "TSC-003", "TSC-004"},
)
class _NamesIgnored(Semantics):
    def selected(self, rule: Manifest, group: Manifest) -> Sequence[Manifest]:
        return super().selected({**rule, "matches": None}, group)


@fault(
    "first-match-name-only",
    "Of several matches that a rule names only the first counts",
    kills={"TA-022"},
    may_touch={"TA-02", "TA-03", "TSC-01", "TSC-03", "TSC-04"},
)
class _FirstName(Semantics):
    def selected(self, rule: Manifest, group: Manifest) -> Sequence[Manifest]:
        names = rule.get("matches")
        return super().selected(rule if names is None else {**rule, "matches": names[:1]}, group)


@fault(
    "matches-mixed",
    "Any path of a group goes with any method of it",
    kills={"TSC-035"},
    may_touch={"TA-02", "TA-03", "TSC-020", "TSC-03"},
)
class _MatchesMixed(Semantics):
    def selected(self, rule: Manifest, group: Manifest) -> Sequence[Manifest]:
        matches = super().selected(rule, group)
        methods = sorted({method for match in matches for method in match.get("methods") or ()})
        return [{**match, "methods": methods} if match.get("methods") else match for match in matches]


@fault(
    "missing-route-fails-open",
    "A rule that names an absent route grants everything",
    kills={"TA-066", "TA-068", "TA-070"},
    may_touch={"API-017", "TA-06", "TA-07"},
)
class _MissingRoute(Semantics):
    def missing_route(self, rule: Manifest) -> Manifest | None:
        return {"spec": {"matches": [{"name": name, "pathRegex": ".*"} for name in rule.get("matches") or ["all"]]}}

    def ports(self, route: Manifest) -> Ports:
        return Ports() if isinstance((route.get("spec") or {}).get("matches"), list) else super().ports(route)


@fault(
    "invalid-regex-fails-open",
    "A path pattern that is no regular expression matches every path",
    kills={"TA-075", "TSC-020"},
    may_touch={"TSC-019"},
)
class _InvalidRegex(Semantics):
    def compiles(self, pattern: str) -> bool:
        return True

    def path(self, pattern: str) -> str:
        return super().path(pattern) if regex.acceptable(pattern) else "(?s:.*)"


@fault(
    "ignore-route-namespace",
    "A rule also grants what routes of its name in other namespaces say",
    kills={"TA-081"},
    may_touch={"TA-06", "TA-08"},
)
class _RouteNamespace(Semantics):
    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        routes = [one for one in snapshot.all(rule["kind"]) if one["metadata"]["name"] == rule["name"]]
        if rule["kind"] != "HTTPRouteGroup" or not routes:
            return routes[0] if routes else None
        matches = [match for one in routes for match in (one.get("spec") or {}).get("matches") or ()]
        return {**routes[0], "spec": {"matches": matches}}
