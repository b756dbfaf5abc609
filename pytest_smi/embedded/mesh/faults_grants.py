"""Faults about what a grant is: for which pods, on which ports, and what several of them make together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.faults_structure import changed
from pytest_smi.embedded.mesh.model import ANYONE, Grant, HttpMatch, Principal
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.semantics_access import Allowance, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_smi.embedded.mesh.model import Pod, Protocol
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

_GRANTING = frozenset({"TA-", "TSC-", "TM-", "XG-"})


@fault(
    "one-pod-of-destination",
    "A TrafficTarget opens only the oldest pod of its destination",
    kills={"TA-011", "TA-115", "TS-044"},
    may_touch={"TA-", "TS-0", "XG-"},
)
class _OnePod(Semantics):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        return super().destinations(snapshot, target, pods)[:1]


@fault(
    "one-pod-of-source",
    "Of the pods of a source ServiceAccount only the oldest is let in",
    kills={"TA-014", "TA-116"},
    may_touch={"TA-0", "TA-11", "TS-015"},
)
class _OneCaller(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        if subject.get("kind") != "ServiceAccount":
            yield from super().principals(snapshot, subject, namespace, pods)
            return
        own = [pod for pod in pods if pod.meshed and (pod.namespace, pod.account) == (namespace, subject["name"])]
        yield from (Principal("dns", pod.dns_name) for pod in own[:1])


@fault("default-is-nobody", "Pods that name no ServiceAccount cannot be granted anything", kills={"TA-015"})
class _DefaultIsNobody(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        if subject.get("name") != "default":
            yield from super().principals(snapshot, subject, namespace, pods)


@fault(
    "home-sources-only",
    "Sources of another namespace than the TrafficTarget's are not let in",
    kills={"TA-080", "TS-030"},
    may_touch={"TA-0", "TA-15", "TA-17", "TS-028", "XG-"},
)
class _HomeOnly(Semantics):
    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        own = target["metadata"]["namespace"]
        home = [one for one in target["spec"].get("sources") or () if self.namespace_of(one, own) == own]
        return super().sources(snapshot, {**target, "spec": {**target["spec"], "sources": home}}, pods)


@fault(
    "written-namespace-is-foreign",
    "A destination that writes out the TrafficTarget's own namespace is not found",
    kills={"TA-084"},
    may_touch=EVERYTHING,
)
class _WrittenOut(Semantics):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        written = (target["spec"].get("destination") or {}).get("namespace")
        return [] if written else super().destinations(snapshot, target, pods)


@fault(
    "fewest-routes-win",
    "Of several TrafficTargets for one destination only the one with the fewest routes counts",
    kills={"TA-028"},
    may_touch=_GRANTING | {"API-017", "TS-0"},
)
class _FewestWin(Semantics):
    def combine(self, allowances: Sequence[Allowance]) -> Sequence[Allowance]:
        return sorted(allowances, key=lambda one: len(one.http or ()))[:1]


@fault(
    "absent-port-means-8080",
    "A TrafficTarget that names no port opens 8080 alone",
    kills={"TA-041", "TA-049"},
    may_touch=EVERYTHING,
    release="all",
)
class _OnlyOnePort(Semantics):
    def destination_port(self, target: Manifest) -> Ports:
        found = super().destination_port(target)
        return Ports([8080]) if all(port in found for port in (1, 8080)) else found


@fault(
    "first-port-only",
    "Of several ports of a route only the first is open",
    kills={"TA-044", "TA-045", "TA-046"},
    may_touch={"TA-04", "TA-05", "TSC-06"},
)
class _FirstPort(Semantics):
    def ports(self, route: Manifest) -> Ports:
        spec = route.get("spec") or {}
        listed = (spec.get("matches") or {}).get("ports") or []
        return super().ports({**route, "spec": {**spec, "matches": {"ports": listed[:1]}}})


@fault(
    "tcproute-without-ports-opens-none",
    "A TCPRoute that lists no ports opens none",
    kills={"TA-043", "TA-050", "TSC-060", "TSC-062"},
    may_touch=EVERYTHING,
    release="all",
)
class _NoneListed(Semantics):
    def ports(self, route: Manifest) -> Ports:
        listed = ((route.get("spec") or {}).get("matches") or {}).get("ports")
        return super().ports(route) if listed else Ports(())


@fault(
    "impossible-port-means-every",
    "A TCPRoute with a port that cannot be opens every port",
    kills={"TSC-070"},
)
class _ImpossiblePort(Semantics):
    def ports(self, route: Manifest) -> Ports:
        listed = ((route.get("spec") or {}).get("matches") or {}).get("ports") or []
        return super().ports(route) if all(0 < port < 2**16 for port in listed) else Ports()


@fault(
    "tcproute-ignored",
    "TCPRoutes open nothing",
    kills={"TSC-067", "TSC-068"},
    may_touch=EVERYTHING,
)
class _NoStreams(Semantics):
    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        return None if protocol == "tcp" else super().grant(allowance, port, protocol)


def _looser(crds: list[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """TrafficTargets may lack a field in every version."""

    def loosen(properties: dict[str, Any], _version: str) -> None:
        spec = properties.get("spec", {})
        spec["required"] = [one for one in spec.get("required", ()) if one != field]

    return changed(crds, "TrafficTarget", loosen)


@fault(
    "no-destination-means-every",
    "A TrafficTarget may lack its destination, and opens every pod of its namespace then",
    kills={"TA-060"},
    may_touch={"API-011"},
)
class _EveryDestination(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return _looser(super().crds(crds), "destination")

    def valid(self, target: Manifest) -> bool:
        return super().valid({**target, "spec": {"destination": "any", **(target.get("spec") or {})}})

    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        if target["spec"].get("destination"):
            return super().destinations(snapshot, target, pods)
        return [pod for pod in pods if pod.namespace == target["metadata"]["namespace"]]


@fault(
    "no-rules-mean-everything",
    "A TrafficTarget without rules allows everything to its sources",
    kills={"TA-061"},
    may_touch={"TA-063", "API-011"},
)
class _NoRules(Semantics):
    def valid(self, target: Manifest) -> bool:
        spec = target.get("spec") or {}
        return super().valid({**target, "spec": {**spec, "rules": spec.get("rules") or ["anything"]}})

    def allowance(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> Allowance:
        found = super().allowance(snapshot, target, pods)
        if target["spec"].get("rules"):
            return found
        return replace(found, http=(HttpMatch(),), tcp=Ports(), udp=Ports())


@fault(
    "groups-are-everyone",
    "A source of kind Group stands for everybody",
    kills={"TA-078"},
    may_touch={"API-"},
    release="all",
)
class _Groups(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        if subject.get("kind") == "Group":
            yield ANYONE
        else:
            yield from super().principals(snapshot, subject, namespace, pods)


@fault(
    "missing-source-voids-the-target",
    "A TrafficTarget that lists a ServiceAccount without pods lets nobody in",
    kills={"TA-072"},
    may_touch={"TA-0", "TA-11"},
)
class _MissingSource(Semantics):
    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        own = target["metadata"]["namespace"]
        known = {(pod.namespace, pod.account) for pod in pods}
        named = [one for one in target["spec"]["sources"] if one.get("kind") == "ServiceAccount"]
        complete = all((self.namespace_of(one, own), one["name"]) in known for one in named)
        return super().sources(snapshot, target, pods) if complete else frozenset()


@fault(
    "missing-destination-stops-the-namespace",
    "While a TrafficTarget has a destination without pods, none of its namespace counts",
    kills={"TA-073"},
    may_touch={"TA-0", "TA-15", "TA-16", "TA-17", "TS-039"},
)
class _MissingDestination(Semantics):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        own = target["metadata"]["namespace"]
        beside = [one for one in snapshot.all("TrafficTarget") if one["metadata"]["namespace"] == own]
        found = [super(_MissingDestination, self).destinations(snapshot, one, pods) for one in beside]
        return super().destinations(snapshot, target, pods) if all(found) else []


@fault(
    "address-opens-every-path",
    "Who is granted a route may take any, if it calls the server by an address",
    kills={"TA-093"},
    may_touch={"TA-09"},
)
class _ByAddress(Semantics):
    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        found = super().grant(allowance, port, protocol)
        if found is None or protocol != "http":
            return found
        return replace(found, matches=(*(found.matches or ()), HttpMatch(headers=(("host", "[0-9.:]+"),))))


@fault(
    "split-grants-backends",
    "A client that may reach one backend of a split may reach the others too",
    kills={"XG-001"},
    may_touch={"XG-", "TS-"},
)
class _SplitGrants(Semantics):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        found = super().destinations(snapshot, target, pods)
        for split in snapshot.all("TrafficSplit"):
            names = {backend["service"] for backend in split["spec"].get("backends") or ()}
            behind = [pod for pod in pods if self._is_behind(snapshot, split["metadata"]["namespace"], names, pod)]
            if any(pod in found for pod in behind):
                found += [pod for pod in behind if pod not in found]
        return found

    def _is_behind(self, snapshot: Snapshot, namespace: str, names: set[str], pod: Pod) -> bool:
        services = [snapshot.get("Service", namespace, name) for name in names]
        selectors = [one["spec"].get("selector") for one in services if one]
        return pod.namespace == namespace and any(one and one.items() <= pod.labels.items() for one in selectors)
