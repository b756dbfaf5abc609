"""Faults about who may reach whom, and on which ports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.model import ANYONE, Grant, Principal, spiffe_id
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.semantics_access import Allowance, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_smi.embedded.mesh.model import Pod, Protocol
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

_ANYTHING = Grant(frozenset({ANYONE}))
_GRANTING = frozenset({"TA-", "TSC-", "TM-", "XG-"})


@fault(
    "allow-all",
    "Servers let in every client of the mesh",
    kills={"TA-001", "TA-002", "TA-003", "TA-005", "TA-006", "TA-007", "TA-008"},
    may_touch=_GRANTING,
)
class _AllowAll(Semantics):
    def enforced(self, pod: Pod, replicas: Sequence[Pod], grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        return (_ANYTHING,)


@fault("deny-all", "Servers let nobody in", kills={"TA-004", "TA-024", "TA-043", "TA-050"}, may_touch=EVERYTHING)
class _DenyAll(Semantics):
    def enforced(self, pod: Pod, replicas: Sequence[Pod], grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        return ()


@fault(
    "503-for-everything",
    "Sidecars of servers answer 503 to everything, allowed or not",
    kills={"TA-004", "TA-024", "TA-050"},
    may_touch=EVERYTHING,
)
class _Unavailable(Semantics):
    def unavailable(self) -> bool:
        return True


@fault(
    "client-side-only-enforcement",
    "Access is enforced by clients' sidecars alone; servers let in whatever reaches them",
    kills={"TA-090"},
    may_touch={"TA-0", "XG-"},
)
class _ClientSide(Semantics):
    def side(self) -> Literal["server", "client"]:
        return "client"


@fault(
    "first-replica-only",
    "Only the oldest pod of a ServiceAccount enforces; its replicas let everybody in",
    kills={"TA-013"},
    may_touch={"TA-01", "TA-115", "TS-04"},
)
class _FirstReplica(Semantics):
    def enforced(self, pod: Pod, replicas: Sequence[Pod], grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        return grants if pod == replicas[0] else (_ANYTHING,)


@fault(
    "ignore-source",
    "A TrafficTarget opens its routes to every client of the mesh",
    kills={"TA-005", "TA-010", "TA-026", "TA-053"},
    may_touch=_GRANTING,
)
class _IgnoreSource(Semantics):
    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        return frozenset({ANYONE})


@fault(
    "ignore-source-namespace",
    "A source ServiceAccount counts in every namespace",
    kills={"TA-010", "TA-080"},
    may_touch={"TA-0", "TA-15", "XG-"},
)
class _IgnoreSourceNamespace(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        for where in {namespace, *(pod.namespace for pod in pods)}:
            yield from super().principals(snapshot, subject, where, pods)


@fault(
    "ignore-destination",
    "A TrafficTarget opens every pod of its namespace",
    kills={"TA-008", "TA-012", "TA-035"},
    may_touch=_GRANTING,
)
class _IgnoreDestination(Semantics):
    def holds(self, snapshot: Snapshot, subject: Manifest, namespace: str, pod: Pod) -> bool:
        return pod.namespace == namespace


@fault(
    "identity-from-labels",
    "A pod is taken for the ServiceAccount that its label app names",
    kills={"TA-009"},
    may_touch={"TA-0", "TA-117"},
)
class _IdentityFromLabels(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        yield from super().principals(snapshot, subject, namespace, pods)
        for pod in pods:
            if pod.namespace == namespace and pod.labels.get("app") == subject["name"]:
                yield Principal("dns", pod.dns_name)


@fault(
    "empty-sources-means-anyone",
    "A TrafficTarget without sources lets everybody in",
    kills={"TA-062"},
    may_touch={"TA-06"},
)
class _EmptySources(Semantics):
    def valid(self, target: Manifest) -> bool:
        return super().valid({**target, "spec": {**(target.get("spec") or {}), "sources": ["anyone"]}})

    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        named = target["spec"].get("sources")
        return super().sources(snapshot, target, pods) if named else frozenset({ANYONE})


@fault(
    "directionless-grants",
    "A grant works in both directions",
    kills={"TA-030"},
    may_touch={"TA-03"},
)
class _Directionless(Semantics):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        sources = super().sources(snapshot, target, pods) - {ANYONE}
        callers = [pod for pod in pods if pod.principals & sources]
        return [*super().destinations(snapshot, target, pods), *callers]

    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        servers = super().destinations(snapshot, target, pods)
        back = {Principal("uri", spiffe_id(pod.namespace, pod.account)) for pod in servers}
        return super().sources(snapshot, target, pods) | back


@fault(
    "transitive-grants",
    "Whoever may call a source may call what that source may call",
    kills={"TA-031"},
    may_touch={"TA-03"},
)
class _Transitive(Semantics):
    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        direct = super().sources(snapshot, target, pods)
        before = [
            other
            for other in snapshot.all("TrafficTarget")
            if self.valid(other) and any(pod.principals & direct for pod in self.destinations(snapshot, other, pods))
        ]
        return direct.union(*(super(_Transitive, self).sources(snapshot, other, pods) for other in before))


@fault(
    "first-target-only",
    "Of several TrafficTargets for one destination only the oldest counts",
    kills={"TA-025"},
    may_touch=_GRANTING | {"TS-"},
)
class _FirstTarget(Semantics):
    def combine(self, allowances: Sequence[Allowance]) -> Sequence[Allowance]:
        return allowances[:1]


@fault(
    "cross-product",
    "Sources and rules of all TrafficTargets for one destination are mixed",
    kills={"TA-026"},
    may_touch={"TA-02", "TA-05", "TA-06", "TA-117", "TA-119", "TA-16", "TA-17", "TSC-", "XG-"},
)
class _CrossProduct(Semantics):
    def combine(self, allowances: Sequence[Allowance]) -> Sequence[Allowance]:
        everybody = frozenset().union(*(one.principals for one in allowances))
        return [replace(one, principals=everybody) for one in allowances]


@fault(
    "first-source-only",
    "Of several sources only the first is let in",
    kills={"TA-024"},
    may_touch=_GRANTING | {"TS-"},
)
class _FirstSource(Semantics):
    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        spec = {**target["spec"], "sources": target["spec"]["sources"][:1]}
        return super().sources(snapshot, {**target, "spec": spec}, pods)


@fault(
    "first-rule-only",
    "Of several rules only the first counts",
    kills={"TA-023", "TA-033", "TA-056"},
    may_touch=_GRANTING | {"TS-"},
)
class _FirstRule(Semantics):
    def allowance(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> Allowance:
        spec = {**target["spec"], "rules": target["spec"]["rules"][:1]}
        return super().allowance(snapshot, {**target, "spec": spec}, pods)


@fault(
    "ignore-ports",
    "Ports of routes and destinations are ignored",
    kills={"TA-042", "TA-048", "TA-053", "TSC-061", "TSC-064"},
    may_touch={"TA-04", "TA-05", "TA-114", "TSC-06", "TSC-070"},
)
class _IgnorePorts(Semantics):
    def ports(self, route: Manifest) -> Ports:
        return Ports()

    def destination_port(self, target: Manifest) -> Ports:
        return Ports()


@fault(
    "tcproute-opens-http",
    "A TCPRoute beside an HTTPRouteGroup opens its ports to every request",
    kills={"TA-048"},
    may_touch={"TA-04", "TA-05", "TA-06", "TA-077"},
)
class _RoutesOrPorts(Semantics):
    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        if protocol == "http" and allowance.tcp is not None and port in allowance.tcp and port in allowance.port:
            return Grant(allowance.principals)
        return super().grant(allowance, port, protocol)


@fault(
    "tcproute-opens-udp",
    "Ports of a TCPRoute are opened for UDP too, and the other way round",
    kills={"TA-047", "TSC-066"},
    may_touch={"TA-04", "TA-05", "TSC-06"},
)
class _AnyTransport(Semantics):
    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        ports = [one for one in (allowance.tcp, allowance.udp) if one is not None]
        both = ports[0] | ports[-1] if ports else None
        return super().grant(replace(allowance, tcp=both, udp=both), port, protocol)


@fault(
    "udproute-ignored",
    "UDPRoutes open nothing",
    kills={"TA-046", "TSC-064", "TSC-065"},
    may_touch={"TA-003", "TA-04", "TA-05", "TSC-06"},
)
class _NoDatagrams(Semantics):
    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        return None if protocol == "udp" else super().grant(allowance, port, protocol)


@fault(
    "binding-of-any-namespace",
    "IdentityBindings are looked up by name in every namespace",
    kills={"TA-158"},
    may_touch={"TA-15", "TA-16", "TA-17"},
)
class _BindingAnywhere(Semantics):
    def schemes(self, snapshot: Snapshot, subject: Manifest, namespace: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for binding in snapshot.all("IdentityBinding"):
            where, name = binding["metadata"]["namespace"], binding["metadata"]["name"]
            if subject.get("kind") == "IdentityBinding" and name == subject.get("name"):
                merged |= super().schemes(snapshot, subject, where)
        return merged
