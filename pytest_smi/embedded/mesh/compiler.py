"""Snapshot -> Policy, with the decisions of a `Semantics`. The same input gives the same policy."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh import topology
from pytest_smi.embedded.mesh.model import ANYONE, Grant, Notice, Policy, Route
from pytest_smi.spec.read import Unreadable, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_smi.embedded.mesh.model import Pod, PodKey, PodPort, ServiceKey, ServicePort
    from pytest_smi.embedded.mesh.semantics import Semantics
    from pytest_smi.embedded.mesh.semantics_access import Allowance
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot
    from pytest_smi.embedded.mesh.topology import Topology

_log = logging.getLogger(__name__)

_MALFORMED = (TypeError, KeyError, AttributeError, ValueError)
_OPEN = (Grant(frozenset({ANYONE})),)


def compile_policy(snapshot: Snapshot, semantics: Semantics, known: Topology | None = None) -> Policy:
    """Everything the data plane must do for the objects of a snapshot; `known`: its topology, when read already."""
    view = semantics.view(snapshot)
    place = known if known and known.is_of(view) else topology.read(view)
    pods, services = place.pods, place.services
    inbound = _inbound(view, semantics, place)
    guards: Mapping[ServiceKey, tuple[Grant, ...]] = _egress(view, semantics, pods, services)
    if semantics.side() == "client":
        guards = _guards(pods, services, inbound)
        inbound = dict.fromkeys(inbound, _OPEN)
    readable = [split for split in view.all("TrafficSplit") if _readable(split)]
    splits = [split for split in readable if semantics.sound(split)]
    routes = {key: _routes(view, semantics, services, splits, service) for key, service in services.items()}
    plain = {key: semantics.outside(services, splits, service) for key, service in services.items()}
    notices = (*_circles(split for split in readable if split not in splits), *_notices(semantics, services, splits))
    lazy = (semantics.unavailable(), semantics.answers(), semantics.leak(), semantics.taken_away())
    return Policy(pods, services, inbound, routes, guards, plain, notices, *lazy)


def _egress(
    view: Snapshot, semantics: Semantics, pods: Sequence[Pod], services: Mapping[ServiceKey, ServicePort]
) -> dict[ServiceKey, tuple[Grant, ...]]:
    """What the client's side lets out to Services behind which nobody is in the mesh; nothing is held back by us."""
    allowed = semantics.leaving(view, pods)
    outside = (key for key, one in services.items() if not any(endpoint.meshed for endpoint in one.endpoints))
    return {} if allowed is None else dict.fromkeys(outside, allowed)


def _inbound(view: Snapshot, semantics: Semantics, place: Topology) -> dict[PodPort, tuple[Grant, ...]]:
    allowances = _allowances(view, semantics, place.pods)
    found: dict[PodPort, tuple[Grant, ...]] = {}
    for pod in place.pods:
        if not pod.meshed:
            continue
        combined = semantics.combine(allowances.get(pod.key, ()))
        replicas = [one for one in place.pods if (one.namespace, one.account) == (pod.namespace, pod.account)]
        for (number, _), protocol in sorted(place.ports[pod.key].items()):
            grants = tuple(grant for one in combined if (grant := semantics.grant(one, number, protocol)))
            found[pod.key, number, protocol] = semantics.enforced(pod, replicas, grants)
    return found


def _allowances(view: Snapshot, semantics: Semantics, pods: Sequence[Pod]) -> dict[PodKey, list[Allowance]]:
    found: defaultdict[PodKey, list[Allowance]] = defaultdict(list)
    for target in view.all("TrafficTarget"):
        try:
            destinations = semantics.destinations(view, target, pods) if semantics.valid(target) else []
            allowance = semantics.allowance(view, target, pods) if destinations else None
        except _MALFORMED as wrong:
            # Schemas should have kept it out. It grants nothing, and does no harm to others.
            _log.warning("TrafficTarget %s cannot be read: %r", target["metadata"]["name"], wrong)
            continue
        for pod in destinations:
            if allowance is not None:
                found[pod.key].append(allowance)
    return found


def _readable(split: Manifest) -> bool:
    try:
        parse(split)
    except Unreadable as wrong:
        _log.warning("TrafficSplit has no effect: %s", wrong)
        return False
    return True


def _guards(
    pods: Sequence[Pod],
    services: Mapping[ServiceKey, ServicePort],
    inbound: Mapping[PodPort, tuple[Grant, ...]],
) -> dict[ServiceKey, tuple[Grant, ...]]:
    """The grants of the pods behind each Service port, for a mesh that enforces them at the client's side."""
    keys = {pod.ip: pod.key for pod in pods}
    return {
        key: tuple(
            grant
            for endpoint in service.endpoints
            for grant in inbound.get((keys[endpoint.ip], endpoint.port, service.protocol), _OPEN)
        )
        for key, service in services.items()
    }


def _routes(
    view: Snapshot,
    semantics: Semantics,
    services: Mapping[ServiceKey, ServicePort],
    splits: Sequence[Manifest],
    root: ServicePort,
) -> tuple[Route, ...]:
    governing = semantics.splits_of(splits, root)
    if not governing:
        return (Route(None, semantics.unsplit(services, splits, root)),)
    routes: list[Route] = []
    for split in governing:
        shares = semantics.shares(services, split, root) or semantics.empty(split, root)
        conditions = semantics.conditions(view, split)
        if conditions is None:
            return (*routes, Route(None, shares, semantics.choice()))
        if root.protocol == "http":  # nothing else can meet conditions about HTTP requests (TS-092, open)
            routes += [Route(condition, shares, semantics.choice()) for condition in conditions]
    return (*routes, Route(None, semantics.unmatched(governing[0], root)))


def _circles(splits: Iterable[Manifest]) -> Iterator[Notice]:
    """SPL §Tradeoffs: an operator should know why a split that refers to itself does nothing (TS-066)."""
    for split in splits:
        metadata, root = split["metadata"], split["spec"]["service"]
        about = ("TrafficSplit", metadata["namespace"], metadata["name"])
        message = f"the split has no effect: its root {root} is among its backends"
        yield Notice(about, metadata.get("uid", ""), "SelfReference", message)


def _notices(
    semantics: Semantics, services: Mapping[ServiceKey, ServicePort], splits: Sequence[Manifest]
) -> Iterator[Notice]:
    """SPL §Ports: an operator should be told of a backend that is left out (TS-056)."""
    names = {(service.namespace, service.service) for service in services.values()}
    for split in splits:
        metadata = split["metadata"]
        roots = [service for service in services.values() if semantics.is_root(split, service)]
        for backend in split["spec"].get("backends") or ():
            if (metadata["namespace"], backend["service"]) not in names:
                continue
            for root in roots:
                key = (root.namespace, backend["service"], root.port, root.protocol == "udp")
                if not semantics.takes(services, key):
                    about = ("TrafficSplit", metadata["namespace"], metadata["name"])
                    message = (
                        f"backend {backend['service']} gets no traffic for port {root.port} of {root.service}: "
                        f"Service {backend['service']} does not expose that port"
                    )
                    yield Notice(about, metadata.get("uid", ""), "BackendWithoutPort", message)
