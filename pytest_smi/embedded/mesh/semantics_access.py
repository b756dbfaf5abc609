"""What TrafficTargets and the routes they name mean: each decision of the documents is one small method.

A fault is a subclass that decides one of them otherwise, so nothing here may be decided twice. "AC" and "SP" are the
access and specs documents; what they leave open is listed in docs/reference-mesh.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.embedded.mesh import regex
from pytest_smi.embedded.mesh.model import Grant, HttpMatch, Pod, Principal, spiffe_id
from pytest_smi.spec.convert import DESTINATION_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_smi.embedded.mesh.model import Answers, Protocol
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Ports:
    """A set of ports that may be all of them."""

    def __init__(self, numbers: Iterable[int] | None = None) -> None:
        self._numbers = None if numbers is None else frozenset(numbers)

    def __contains__(self, number: int) -> bool:
        return self._numbers is None or number in self._numbers

    def __or__(self, other: Ports) -> Ports:
        if self._numbers is None or other._numbers is None:
            return Ports()
        return Ports(self._numbers | other._numbers)


NO_PORTS = Ports(())


@dataclass(frozen=True)
class Allowance:
    """What one TrafficTarget gives its sources: HTTP matches, TCP and UDP ports; None where it has no such rule.

    `port` is the destination port of v1alpha1 and v1alpha2, which restricts everything else.
    """

    principals: frozenset[Principal]
    http: tuple[HttpMatch, ...] | None = None
    tcp: Ports | None = None
    udp: Ports | None = None
    port: Ports = field(default_factory=Ports)


class AccessSemantics:
    """Access control as the documents have it."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        """Patterns that the data plane turned out not to take."""

    # Which TrafficTargets count, and for which pods

    def valid(self, target: Manifest) -> bool:
        """AC §TrafficTarget: a destination, at least one rule and at least one source (TA-060 to TA-062)."""
        spec = target.get("spec") or {}
        return bool(spec.get("destination")) and bool(spec.get("rules")) and bool(spec.get("sources"))

    def namespace_of(self, subject: Manifest, own: str) -> str:
        """The namespace of a subject. Open (TA-082): omitted means the TrafficTarget's own."""
        return subject.get("namespace") or own

    def governs(self, own: str, destination: str) -> bool:
        """Whether a TrafficTarget may open pods of a namespace. Open (TA-083): only those of its own."""
        return own == destination

    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        """AC §TrafficTarget: all pods that hold the destination identity (TA-011)."""
        own = target["metadata"]["namespace"]
        subject = target["spec"].get("destination") or {}
        namespace = self.namespace_of(subject, own)
        if not self.governs(own, namespace):
            return []
        return [pod for pod in pods if self.holds(snapshot, subject, namespace, pod)]

    def holds(self, snapshot: Snapshot, subject: Manifest, namespace: str, pod: Pod) -> bool:
        """Whether a pod is what a destination names: by ServiceAccount, or by an IdentityBinding's schemes."""
        if pod.namespace != namespace:
            return False
        if subject.get("kind") == "ServiceAccount":
            return pod.account == subject.get("name")
        schemes = self.schemes(snapshot, subject, namespace)
        labels = (schemes.get("podLabelSelector") or {}).get("matchLabels")
        return (
            schemes.get("serviceAccount") == pod.account
            or bool(labels and labels.items() <= pod.labels.items())
            or any(
                self.spiffe(text) == spiffe_id(namespace, pod.account) for text in schemes.get("spiffeIdentities") or ()
            )
        )

    # Who is let in

    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        """AC §TrafficTarget: any of the sources. An empty list names nobody."""
        own = target["metadata"]["namespace"]
        return frozenset(
            principal
            for subject in target["spec"].get("sources") or ()
            for principal in self.principals(snapshot, subject, self.namespace_of(subject, own), pods)
        )

    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        """How a subject shows in certificates. Kinds that the documents do not know are nobody (TA-078)."""
        if subject.get("kind") == "ServiceAccount":
            yield Principal("uri", spiffe_id(namespace, subject["name"]))
            return
        schemes = self.schemes(snapshot, subject, namespace)
        if schemes.get("serviceAccount"):
            yield Principal("uri", spiffe_id(namespace, schemes["serviceAccount"]))
        for text in schemes.get("spiffeIdentities") or ():
            # The namespace is the boundary of every scheme (TA-157): ids of other namespaces are not bound.
            if (found := self.spiffe(text)).startswith(spiffe_id(namespace, "")):
                yield Principal("uri", found)
        labels = (schemes.get("podLabelSelector") or {}).get("matchLabels") or {}
        for pod in pods if labels else ():
            if pod.namespace == namespace and labels.items() <= pod.labels.items():
                yield Principal("dns", pod.dns_name)

    def schemes(self, snapshot: Snapshot, subject: Manifest, namespace: str) -> dict[str, Any]:
        """AC v1alpha4 §IdentityBinding: the schemes, OR'd (TA-153); a missing binding binds nobody (TA-163)."""
        if subject.get("kind") != "IdentityBinding":
            return {}
        binding = snapshot.get("IdentityBinding", namespace, subject["name"]) or {}
        return (binding.get("spec") or {}).get("schemes") or {}

    def spiffe(self, text: str) -> str:
        """A SPIFFE id as written. The document's example leaves `spiffe://` out (TA-167, open): both are read."""
        return text if "://" in text else f"spiffe://{text.removeprefix('/')}"

    # What they may do

    def allowance(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> Allowance:
        """Everything that one TrafficTarget gives: its rules OR'd for each protocol (TA-023)."""
        http: tuple[HttpMatch, ...] | None = None
        ports: dict[str, Ports | None] = {"TCPRoute": None, "UDPRoute": None}
        for rule in target["spec"].get("rules") or ():
            route = self.route(snapshot, rule, target["metadata"]["namespace"])
            if rule["kind"] == "HTTPRouteGroup":
                matches = self.selected(rule, route) if route else ()
                http = (*(http or ()), *(found for match in matches if (found := self.http_match(match))))
            elif rule["kind"] in ports:
                ports[rule["kind"]] = (ports[rule["kind"]] or NO_PORTS) | (self.ports(route) if route else NO_PORTS)
        who = self.sources(snapshot, target, pods)
        return Allowance(who, http, ports["TCPRoute"], ports["UDPRoute"], self.destination_port(target))

    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        """The route object of a rule, in the TrafficTarget's namespace (TA-081)."""
        return snapshot.get(rule["kind"], own, rule["name"]) or self.missing_route(rule)

    def missing_route(self, rule: Manifest) -> Manifest | None:
        """A rule that names an absent object grants nothing (TA-066, TA-068)."""
        return None

    def selected(self, rule: Manifest, group: Manifest) -> Sequence[Manifest]:
        """AC §TrafficTarget: the named matches; with `matches` omitted all of the group (TA-020, TA-021)."""
        matches: list[Manifest] = (group.get("spec") or {}).get("matches") or []
        names = rule.get("matches")
        return matches if names is None else [match for match in matches if match.get("name") in names]

    def destination_port(self, target: Manifest) -> Ports:
        """AC v1alpha1, v1alpha2: `destination.port` restricts the grant (TA-040); absent means every port."""
        port = (target["metadata"].get("annotations") or {}).get(DESTINATION_PORT)
        return Ports() if port is None else Ports([int(port)] if port.isdecimal() else ())

    def ports(self, route: Manifest) -> Ports:
        """SP §TCPRoute, §UDPRoute: the ports listed; none listed means every port (TSC-062, TSC-063)."""
        listed = ((route.get("spec") or {}).get("matches") or {}).get("ports")
        return Ports(listed) if listed else Ports()

    # What a request must be like

    def http_match(self, match: Manifest) -> HttpMatch | None:
        """SP §HTTPRouteGroup: path and method and headers must all hold (TSC-034, TSC-044).

        None grants nothing: a pattern that is no regular expression (TSC-020), or a match that states no condition at
        all (TSC-054, open).
        """
        path, methods, headers = match.get("pathRegex"), match.get("methods"), self.header_filters(match)
        if not path and not methods and not headers:
            return None
        patterns = [path or "", *(pattern for _, pattern in headers)]
        if not all(self.compiles(pattern) for pattern in patterns) or not all(_TOKEN.fullmatch(n) for n, _ in headers):
            return None
        return HttpMatch(
            self.path(path) if path else None,
            self.methods(methods) if methods else None,
            tuple((name.lower(), self.header_value(pattern)) for name, pattern in headers),
        )

    def compiles(self, pattern: str) -> bool:
        """Whether a pattern is a regular expression that the data plane takes."""
        return pattern not in self.refused and regex.acceptable(pattern)

    def path(self, pattern: str) -> str:
        """SP §HTTPRouteGroup: anchored at the beginning (TSC-011), at the end only if it says so (TSC-012, open)."""
        return f"(?:{pattern})(?s:.*)"

    def methods(self, listed: Sequence[str]) -> frozenset[str] | None:
        """SP §HTTPRouteGroup: those listed, `*` is any (TSC-030 to TSC-033)."""
        return None if "*" in listed else frozenset(listed)

    def header_filters(self, match: Manifest) -> list[tuple[str, str]]:
        """SP §HTTP header filters, written as a map or as a list of maps (TSC-051)."""
        headers = match.get("headers") or ()
        maps = [headers] if isinstance(headers, dict) else headers
        return [(name, pattern) for one in maps for name, pattern in one.items()]

    def header_value(self, pattern: str) -> str:
        """Open (TSC-047): a value must match as a whole, which is why the document wraps its examples in `.*`."""
        return f"(?:{pattern})"

    # What that makes for one port of one pod

    def combine(self, allowances: Sequence[Allowance]) -> Sequence[Allowance]:
        """AC preamble: grants are additive; each keeps its own sources and rules (TA-025, TA-026)."""
        return allowances

    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        """What an allowance gives on a port. HTTP is allowed on listed ports and routes together (TA-048)."""
        if not allowance.principals or port not in allowance.port:
            return None
        if protocol == "http" and allowance.http is not None:
            limited = allowance.tcp is not None and port not in allowance.tcp
            return None if limited or not allowance.http else Grant(allowance.principals, allowance.http)
        ports = allowance.udp if protocol == "udp" else allowance.tcp
        return Grant(allowance.principals) if ports is not None and port in ports else None

    def enforced(self, pod: Pod, replicas: Sequence[Pod], grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        """What the sidecar of a pod enforces: the grants, at each replica alike (TA-013), and nothing by default."""
        return grants

    def side(self) -> Literal["server", "client"]:
        """AC Note: access is always enforced at the server (TA-090). We leave nothing to the client's side."""
        return "server"

    def leaving(self, snapshot: Snapshot, pods: Sequence[Pod]) -> tuple[Grant, ...] | None:
        """AC §Out of scope: who may call hosts outside of the mesh is nobody's business; None: everybody (TA-130)."""
        return None

    def unavailable(self) -> bool:
        """Whether sidecars answer 503 to everything."""
        return False

    def answers(self) -> Answers:
        """Who answers a request that is let in: the application does, and has it in its log (TA-004)."""
        return "application"

    def leak(self) -> int:
        """Percent of requests that are let in unjudged: none (TA-005)."""
        return 0

    def taken_away(self) -> tuple[str, ...]:
        """Names of headers that requests lose on their way to a Service: none (TS-074)."""
        return ()
