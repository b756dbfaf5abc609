"""What the mesh has understood: pods, services, and who may do what. No Kubernetes and no Envoy in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TRUST_DOMAIN = "cluster.local"

Protocol = Literal["http", "tcp", "udp"]
PodKey = tuple[str, str]
"""Namespace and name of a pod."""
ServiceKey = tuple[str, str, int, bool]
"""Namespace, Service, port, and whether the port is a UDP port."""


def spiffe_id(namespace: str, account: str) -> str:
    """The identity of a ServiceAccount as it stands in its pods' certificates."""
    return f"spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/{account}"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller as its certificate shows it: a SPIFFE id (`uri`), one pod (`dns`), or `any` caller of the mesh."""

    kind: Literal["uri", "dns", "any"]
    value: str = ""


ANYONE = Principal("any")


@dataclass(frozen=True)
class Pod:
    """A pod with an address. `meshed` pods have a sidecar on `ip`; their process listens on `private`."""

    namespace: str
    name: str
    account: str
    ip: str
    private: str
    labels: Mapping[str, str] = field(hash=False)
    meshed: bool = True

    @property
    def key(self) -> PodKey:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def dns_name(self) -> str:
        """The name that its certificate carries besides the SPIFFE id; it tells pods of one ServiceAccount apart."""
        return f"{self.name}.{self.namespace}.pod.{TRUST_DOMAIN}"

    @property
    def principals(self) -> frozenset[Principal]:
        """Everything its certificate proves."""
        return frozenset(
            {Principal("uri", spiffe_id(self.namespace, self.account)), Principal("dns", self.dns_name), ANYONE}
        )


@dataclass(frozen=True, slots=True)
class HttpMatch:
    """Conditions on one request; all must hold. Patterns are RE2 and must match the whole of what they are given.

    `path` is matched against the path without the query; None stands for any path, `methods` None for any method.
    With `any_header` one of `headers` suffices, and the header `absent` must not be there (no document says so; faults
    do).
    """

    path: str | None = None
    methods: frozenset[str] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    any_header: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Callers that may use a port: for requests with one of the `matches`, or for everything when that is None."""

    principals: frozenset[Principal]
    matches: tuple[HttpMatch, ...] | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ready pod behind a Service port; `meshed` tells whether a sidecar answers there."""

    ip: str
    port: int
    meshed: bool


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one Service."""

    namespace: str
    service: str
    port: int
    protocol: Protocol
    cluster_ip: str
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def key(self) -> ServiceKey:
        """What routes refer to it by."""
        return self.namespace, self.service, self.port, self.protocol == "udp"


Shares = tuple[tuple[ServiceKey, int], ...]
"""Service ports and their positive weights; empty: nobody may take the traffic."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where requests to a Service port go: those with `match` (None: all) are shared out by weight.

    `choice` says how often: for each request, or once for a connection or a client (no document says so; faults do).
    """

    match: HttpMatch | None
    shares: Shares
    choice: Literal["request", "connection", "client"] = "request"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator should hear of, to be told as an Event on the object `about` (kind, namespace, name)."""

    about: tuple[str, str, str]
    uid: str
    reason: str
    message: str


Answers = Literal["application", "proxy", "forger"]
"""The application, its proxy by itself, or its proxy in the application's words."""

PodPort = tuple[PodKey, int, Protocol]


@dataclass(frozen=True)
class Policy:
    """Everything the data plane must do.

    `inbound` has an entry for each port of each meshed pod, empty where nobody is let in. `guards` holds what the
    client side enforces in addition (nothing, unless a fault says so). `plain` has the endpoints of each Service for
    clients outside of the mesh. The rest is as it should be unless a fault says otherwise. `unavailable`: servers
    answer 503 to everything; `answers`: who answers what is let in; `leak`: percent of requests that nobody judges;
    `taken_away`: headers that requests lose on their way.
    """

    pods: tuple[Pod, ...] = ()
    services: Mapping[ServiceKey, ServicePort] = field(default_factory=dict)
    inbound: Mapping[PodPort, tuple[Grant, ...]] = field(default_factory=dict)
    routes: Mapping[ServiceKey, tuple[Route, ...]] = field(default_factory=dict)
    guards: Mapping[ServiceKey, tuple[Grant, ...]] = field(default_factory=dict)
    plain: Mapping[ServiceKey, tuple[Endpoint, ...]] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    unavailable: bool = False
    answers: Answers = "application"
    leak: int = 0
    taken_away: tuple[str, ...] = ()
