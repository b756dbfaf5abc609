"""Faults about traffic splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.semantics import Semantics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_smi.embedded.mesh.model import HttpMatch, ServiceKey, ServicePort, Shares
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

_WEIGHING = frozenset({"TS-0", "TM-", "XG-"})
_LEAK = 20
"""One in so many requests goes to a backend that should get none."""


@fault(
    "ignore-splits",
    "TrafficSplits have no effect",
    kills={"TS-001", "TS-003", "TS-035", "XG-003"},
    may_touch=_WEIGHING,
)
class _IgnoreSplits(Semantics):
    def is_root(self, split: Manifest, service: ServicePort) -> bool:
        return False


@fault(
    "ignore-weights",
    "Every backend with a positive weight gets the same share",
    kills={"TS-001", "TS-002", "TS-004", "TS-008", "XG-002"},
    may_touch=_WEIGHING,
)
class _IgnoreWeights(Semantics):
    def weight(self, backend: Manifest) -> int:
        return min(1, super().weight(backend))


@fault(
    "weights-as-percent",
    "Weights are read as percentages; the last backend takes what is left of 100",
    kills={"TS-004"},
    may_touch=_WEIGHING,
)
class _Percent(Semantics):
    def scaled(self, shares: Mapping[ServiceKey, int]) -> Shares:
        left, found = 100, []
        for number, (key, weight) in enumerate(shares.items(), 1):
            part = left if number == len(shares) else min(weight, left)
            left -= part
            found.append((key, part))
        return tuple((key, part) for key, part in found if part)


@fault(
    "leak-zero-weight",
    "A backend of weight 0 still gets a little",
    kills={"TS-003", "TS-038"},
    may_touch=_WEIGHING,
)
class _Leak(Semantics):
    def shares(self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort) -> Shares:
        weights = self.backends(services, split, root)
        if not any(weight for _, weight in weights):
            return super().shares(services, split, root)
        total = sum(weight for _, weight in weights)
        return self.scaled({key: weight * _LEAK if weight else total for key, weight in weights})


@fault(
    "sticky-split",
    "All traffic of a split goes to its heaviest backend",
    kills={"TS-001", "TS-002", "TS-008"},
    may_touch=_WEIGHING,
)
class _Sticky(Semantics):
    def scaled(self, shares: Mapping[ServiceKey, int]) -> Shares:
        return super().scaled(dict(sorted(shares.items(), key=lambda share: -share[1])[:1]))


@fault(
    "split-first-port-only",
    "Of the ports of a root that speak one protocol only the lowest is split",
    kills={"TS-052"},
    may_touch={"TS-04", "TS-05", "XG-010"},
)
class _FirstPort(Semantics):
    def shares(self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort) -> Shares:
        of_root = [one for one in services.values() if (one.namespace, one.service) == (root.namespace, root.service)]
        lowest = min(one.port for one in of_root if one.protocol == root.protocol)
        return super().shares(services, split, root) if root.port == lowest else ((root.key, 1),)


@fault(
    "split-all-namespaces",
    "A split acts on Services of its root's name in every namespace",
    kills={"TS-028"},
    may_touch={"TS-02"},
)
class _AllNamespaces(Semantics):
    def is_root(self, split: Manifest, service: ServicePort) -> bool:
        return self.names(split, service)

    def takes(self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey) -> bool:
        return bool(self._candidates(services, key))

    def resolved(
        self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey, weight: int
    ) -> list[tuple[ServiceKey, int]]:
        return [(self._candidates(services, key)[0], weight)]

    def _candidates(self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey) -> list[ServiceKey]:
        return [key] if key in services else [other for other in services if other[1:] == key[1:]]


@fault(
    "direct-backend-is-split",
    "A backend that is called directly is split like its root",
    kills={"TS-023"},
    may_touch={"TS-0", "XG-"},
)
class _DirectBackend(Semantics):
    def unsplit(
        self, services: Mapping[ServiceKey, ServicePort], splits: Sequence[Manifest], root: ServicePort
    ) -> Shares:
        for split in splits:
            backends = [backend["service"] for backend in split["spec"].get("backends") or ()]
            if split["metadata"]["namespace"] == root.namespace and root.service in backends:
                return self.shares(services, split, root) or ((root.key, 1),)
        return super().unsplit(services, splits, root)


@fault(
    "same-pods-are-split",
    "A Service whose pods are those of a split's root is split too",
    kills={"TS-024"},
    may_touch={"TS-0", "XG-"},
)
class _SamePods(Semantics):
    def unsplit(
        self, services: Mapping[ServiceKey, ServicePort], splits: Sequence[Manifest], root: ServicePort
    ) -> Shares:
        alike = [one for one in services.values() if one.endpoints and one.endpoints == root.endpoints]
        for split in splits:
            if any(self.is_root(split, one) for one in alike):
                return self.shares(services, split, root) or ((root.key, 1),)
        return super().unsplit(services, splits, root)


@fault(
    "missing-backend-kept",
    "A backend whose Service does not exist keeps its share, which is lost",
    kills={"TS-050", "TS-051"},
    may_touch={"TS-03", "TS-05", "TS-07"},
)
class _MissingKept(Semantics):
    def takes(self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey) -> bool:
        return True


@fault(
    "backend-without-port-kept",
    "A backend that lacks the root's port keeps its share, on another of its ports",
    kills={"TS-050", "TS-051"},
    may_touch={"TS-05", "TS-07"},
)
class _PortlessKept(Semantics):
    def takes(self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey) -> bool:
        return bool(self._ports(services, key))

    def resolved(
        self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey, weight: int
    ) -> list[tuple[ServiceKey, int]]:
        return [(key if key in services else self._ports(services, key)[0], weight)]

    def _ports(self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey) -> list[ServiceKey]:
        return [other for other in services if other[:2] == key[:2] and other[3] == key[3]]


@fault(
    "nested-split-resolved",
    "A backend that is the root of another split is split again",
    kills={"TS-065"},
    may_touch={"TS-06"},
)
class _Nested(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._splits: list[Manifest] = []

    def view(self, snapshot: Snapshot) -> Snapshot:
        self._splits = snapshot.all("TrafficSplit")
        return super().view(snapshot)

    def resolved(
        self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey, weight: int
    ) -> list[tuple[ServiceKey, int]]:
        inner = self.splits_of(self._splits, services[key])
        if not inner:
            return [(key, weight)]
        return [(leaf, weight * part) for leaf, part in self.backends(services, inner[0], services[key])]


@fault(
    "split-ignores-matches",
    "A split with matches acts on every request",
    kills={"TS-081"},
    may_touch={"TS-08", "TS-09"},
)
class _IgnoreMatches(Semantics):
    def conditions(self, snapshot: Snapshot, split: Manifest) -> tuple[HttpMatch, ...] | None:
        return None


@fault(
    "split-first-group-only",
    "Of several groups in a split's matches only the first counts",
    kills={"TS-083"},
    may_touch={"TS-08"},
)
class _FirstGroup(Semantics):
    def conditions(self, snapshot: Snapshot, split: Manifest) -> tuple[HttpMatch, ...] | None:
        first = {**split["spec"], "matches": (split["spec"].get("matches") or [])[:1]}
        return super().conditions(snapshot, {**split, "spec": first})


@fault(
    "unmatched-goes-to-backends",
    "Requests that a split does not match are spread over its backends",
    kills={"TS-081"},
    may_touch={"TS-08", "TS-09"},
)
class _Unmatched(Semantics):
    def unmatched(self, split: Manifest, root: ServicePort) -> Shares:
        names = [backend["service"] for backend in split["spec"]["backends"]]
        return tuple(((root.namespace, name, root.port, root.protocol == "udp"), 1) for name in dict.fromkeys(names))


@fault(
    "split-group-of-any-namespace",
    "The groups of a split's matches are looked up by name in every namespace",
    kills={"TS-088"},
    may_touch={"TS-08"},
)
class _GroupAnywhere(Semantics):
    def group_matches(self, snapshot: Snapshot, split: Manifest, reference: Manifest) -> Sequence[Manifest]:
        return [
            match
            for group in snapshot.all("HTTPRouteGroup")
            if group["metadata"]["name"] == reference["name"]
            for match in (group.get("spec") or {}).get("matches") or ()
        ]
