"""SMI objects without an API version: what a test author writes and the reference mesh reads.

    TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[GET("/pour$")])

`render` turns them into manifests of one API version, `read.parse` turns manifests back. All are frozen and compare by
value; lists given by the author are kept as tuples. `namespace=None` means: where the suite applies it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pytest_smi.spec.kinds import group
from pytest_smi.spec.matches import ANY, CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE, Match, all_named

__all__ = [
    "ANY",
    "CONNECT",
    "DELETE",
    "GET",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "POST",
    "PUT",
    "TRACE",
    "Backend",
    "HTTPRouteGroup",
    "Identity",
    "IdentityBinding",
    "Match",
    "Raw",
    "Resource",
    "Route",
    "RouteRef",
    "Rule",
    "Subject",
    "TCPRoute",
    "TrafficSplit",
    "TrafficTarget",
    "UDPRoute",
]

_set = object.__setattr__


@dataclass(frozen=True)
class Identity:
    """Whom a TrafficTarget names as source or destination.

    `namespace` None: the TrafficTarget's own, written out when rendered; the empty string leaves the field out of the
    manifest (whose meaning the documents leave open, TA-082). `group` is written for IdentityBinding subjects only.
    """

    name: str
    namespace: str | None = None
    kind: str = "ServiceAccount"
    group: str | None = None


@runtime_checkable
class HasIdentity(Protocol):
    """A workload of the scene, an IdentityBinding, or anything else with an `identity`."""

    @property
    def identity(self) -> Identity:
        """Whom it runs as."""


@runtime_checkable
class HasService(Protocol):
    """Anything that stands behind one Kubernetes Service."""

    @property
    def service_name(self) -> str:
        """Name of that Service."""


Subject = Identity | HasIdentity


@dataclass(frozen=True, init=False)
class HTTPRouteGroup:
    """HTTP routes: alternatives of path, methods and headers. `matches` in the author's order."""

    name: str
    matches: tuple[Match, ...]
    namespace: str | None

    def __init__(self, name: str, matches: Iterable[Match] = (), namespace: str | None = None) -> None:
        _set(self, "name", name)
        _set(self, "matches", tuple(matches))
        _set(self, "namespace", namespace)

    @property
    def reference(self) -> Rule:
        """A rule that names each match and does not write the group: it is there already, or must be absent."""
        return Rule(RouteRef("HTTPRouteGroup", self.name), all_named(self.matches))


@dataclass(frozen=True, init=False)
class _PortRoute:
    """Traffic of one transport on `ports` (1 to 65535). None or no port at all: every port (TSC-060, 062, 065)."""

    name: str
    ports: tuple[int, ...] | None
    namespace: str | None

    def __init__(self, name: str, ports: Iterable[int] | None = None, namespace: str | None = None) -> None:
        _set(self, "name", name)
        _set(self, "ports", None if ports is None else tuple(ports))
        _set(self, "namespace", namespace)


class TCPRoute(_PortRoute):
    """TCP traffic on `ports`; None or empty: every TCP port. Only specs v1alpha4 can name ports."""


class UDPRoute(_PortRoute):
    """UDP traffic on `ports`; None or empty: every UDP port. Exists in specs v1alpha4 only."""


Route = HTTPRouteGroup | TCPRoute | UDPRoute


@dataclass(frozen=True)
class RouteRef:
    """A reference to a route object that the test does not want rendered (it is there already, or must be absent)."""

    kind: str
    name: str


@dataclass(frozen=True, init=False)
class Rule:
    """One rule of a TrafficTarget: a route object and, for HTTP, the names of the matches that count (None: all).

    A route object given in full is rendered too; a `RouteRef` is not. `matches` takes names or named `Match` objects.
    """

    route: Route | RouteRef
    matches: tuple[str, ...] | None

    def __init__(self, route: Route | RouteRef, matches: Iterable[str | Match] | None = None) -> None:
        _set(self, "route", route)
        _set(self, "matches", None if matches is None else tuple(_match_name(match) for match in matches))


def _match_name(match: str | Match) -> str:
    name = match.name if isinstance(match, Match) else match
    if not name:
        raise ValueError("a rule refers to matches by name: give the Match a name")
    return name


@dataclass(frozen=True, init=False)
class TrafficTarget:
    """Who (`sources`) may reach whom (`destination`) on which routes (`rules`).

    Bare `Match` items in `rules` are gathered in one HTTPRouteGroup named `<name>-routes`, and one rule names each of
    them; a whole HTTPRouteGroup becomes such a rule too. `Rule(group)`, another route object or a `RouteRef` is a rule
    without `matches`, which several meshes take for none: that is for TA-020 alone to judge. `port` exists in access
    v1alpha1 and v1alpha2.
    """

    name: str
    sources: tuple[Identity, ...]
    destination: Identity
    rules: tuple[Rule | Match, ...]
    port: int | None
    namespace: str | None

    def __init__(
        self,
        name: str,
        sources: Iterable[Subject],
        destination: Subject,
        rules: Iterable[Rule | Match | Route | RouteRef],
        port: int | None = None,
        namespace: str | None = None,
    ) -> None:
        _set(self, "name", name)
        _set(self, "sources", tuple(_identity(source) for source in sources))
        _set(self, "destination", _identity(destination))
        _set(self, "rules", tuple(rule if isinstance(rule, Match) else _rule(rule) for rule in rules))
        _set(self, "port", port)
        _set(self, "namespace", namespace)


def _rule(item: Rule | Route | RouteRef) -> Rule:
    if isinstance(item, Rule):
        return item
    named = isinstance(item, HTTPRouteGroup) and item.matches
    return Rule(item, all_named(item.matches)) if named else Rule(item)  # type: ignore[union-attr]


def _identity(subject: Subject) -> Identity:
    if isinstance(subject, Identity):
        return subject
    if isinstance(subject, HasIdentity):
        return subject.identity
    raise TypeError(f"{subject!r} is no subject: give an Identity or a workload with an identity")


@dataclass(frozen=True, init=False)
class Backend:
    """A Service and its weight in a TrafficSplit: a whole number, or in split v1alpha1 a quantity such as `500m`."""

    service: str
    weight: int | str

    def __init__(self, service: str | HasService, weight: int | str) -> None:
        _set(self, "service", service if isinstance(service, str) else service.service_name)
        _set(self, "weight", weight)


@dataclass(frozen=True, init=False)
class TrafficSplit:
    """Traffic to `service` is shared between `backends` by weight.

    `backends` also takes a mapping of Service (or workload) to weight. `matches` restricts the split to requests that
    match one of these HTTPRouteGroups (split v1alpha3 and later); None leaves the field out.
    """

    name: str
    service: str
    backends: tuple[Backend, ...]
    matches: tuple[HTTPRouteGroup | RouteRef, ...] | None
    namespace: str | None

    def __init__(
        self,
        name: str,
        service: str | HasService,
        backends: Iterable[Backend] | Mapping[Any, int] | Mapping[Any, str],
        matches: Iterable[HTTPRouteGroup | RouteRef] | None = None,
        namespace: str | None = None,
    ) -> None:
        if isinstance(backends, Mapping):
            backends = [Backend(backend, weight) for backend, weight in backends.items()]
        _set(self, "name", name)
        _set(self, "service", service if isinstance(service, str) else service.service_name)
        _set(self, "backends", tuple(backends))
        _set(self, "matches", None if matches is None else tuple(matches))
        _set(self, "namespace", namespace)


@dataclass(frozen=True, init=False)
class IdentityBinding:
    """Which pods of its namespace one policy identity stands for (access v1alpha4). The schemes given are alternatives.

    `spiffe` holds SPIFFE ids; `match_labels` is kept as pairs in order of key. It may be used as a subject itself.
    """

    name: str
    service_account: str | None
    spiffe: tuple[str, ...] | None
    match_labels: tuple[tuple[str, str], ...] | None
    namespace: str | None

    def __init__(
        self,
        name: str,
        service_account: str | None = None,
        spiffe: Iterable[str] | None = None,
        match_labels: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        namespace: str | None = None,
    ) -> None:
        if match_labels is not None:
            items = match_labels.items() if isinstance(match_labels, Mapping) else match_labels
            match_labels = tuple(sorted(items))
        _set(self, "name", name)
        _set(self, "service_account", service_account)
        _set(self, "spiffe", None if spiffe is None else tuple(spiffe))
        _set(self, "match_labels", match_labels)
        _set(self, "namespace", namespace)

    @property
    def identity(self) -> Identity:
        """The subject that refers to this binding."""
        return Identity(self.name, self.namespace, "IdentityBinding", group("access"))


@dataclass(frozen=True)
class Raw:
    """A manifest that passes through untouched, for objects that are malformed on purpose."""

    manifest: dict[str, Any]


Resource = TrafficTarget | HTTPRouteGroup | TCPRoute | UDPRoute | TrafficSplit | IdentityBinding | Raw
