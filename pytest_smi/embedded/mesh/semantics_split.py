"""What TrafficSplits mean: each decision of the split document ("SPL") is one small method, see `semantics_access`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_smi.embedded.mesh.semantics_access import AccessSemantics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_smi.embedded.mesh.model import Endpoint, HttpMatch, ServiceKey, ServicePort, Shares
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot


class SplitSemantics(AccessSemantics):
    """Traffic splitting as the document has it; it reads route groups as access control does."""

    def sound(self, split: Manifest) -> bool:
        """SPL §Tradeoffs: a split cannot refer to itself (TS-066); one that does has no effect."""
        root = split["spec"]["service"].partition(".")[0]
        return all(backend["service"] != root for backend in split["spec"].get("backends") or ())

    def splits_of(self, splits: Sequence[Manifest], root: ServicePort) -> list[Manifest]:
        """The splits that govern a Service, in the order in which a request is held against them.

        Those with matches each have their own requests (TS-093), the oldest first. Open (TS-067): of several without
        matches the oldest has the rest.
        """
        own = [split for split in splits if self.is_root(split, root)]
        plain = [split for split in own if not split["spec"].get("matches")]
        return [*(split for split in own if split["spec"].get("matches")), *plain[:1]]

    def is_root(self, split: Manifest, service: ServicePort) -> bool:
        """SPL §Specification: traffic addressed to the root, in the split's namespace (TS-020, TS-028)."""
        return split["metadata"]["namespace"] == service.namespace and self.names(split, service)

    def names(self, split: Manifest, service: ServicePort) -> bool:
        """Whether the split's root is the Service, written as its name or as one of its DNS names."""
        short = f"{service.service}.{service.namespace}"
        return split["spec"].get("service") in (service.service, short, f"{short}.svc", f"{short}.svc.cluster.local")

    def conditions(self, snapshot: Snapshot, split: Manifest) -> tuple[HttpMatch, ...] | None:
        """SPL A/B testing: requests that any route of any named group matches (TS-083); None when all are split.

        Path and method count when the group gives them (TS-085, open). A group that is missing matches nothing
        (TS-087, open), an empty list of matches is none (TS-086, open).
        """
        references = split["spec"].get("matches")
        if not references:
            return None
        return tuple(
            found
            for reference in references
            for match in self.group_matches(snapshot, split, reference)
            if (found := self.http_match(match))
        )

    def group_matches(self, snapshot: Snapshot, split: Manifest, reference: Manifest) -> Sequence[Manifest]:
        """The matches of a group in the split's own namespace (TS-088)."""
        group = snapshot.get("HTTPRouteGroup", split["metadata"]["namespace"], reference["name"]) or {}
        return (group.get("spec") or {}).get("matches") or ()

    def shares(self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort) -> Shares:
        """SPL §Specification: backends by relative weight (TS-004); a backend twice counts twice (TS-012, open)."""
        found: dict[ServiceKey, int] = {}
        for key, weight in self.backends(services, split, root):
            for target, part in self.resolved(services, key, weight):
                found[target] = found.get(target, 0) + part
        return self.scaled({key: weight for key, weight in found.items() if weight > 0})

    def backends(
        self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort
    ) -> list[tuple[ServiceKey, int]]:
        """The backends that can take the root's port, with their weights (TS-050 to TS-053).

        A backend whose Service does not exist (yet) is passed over like one without the port (TS-037; TS-071, open).
        """
        keys = [
            ((root.namespace, backend["service"], root.port, root.protocol == "udp"), self.weight(backend))
            for backend in split["spec"].get("backends") or ()
        ]
        return [(key, weight) for key, weight in keys if self.takes(services, key)]

    def takes(self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey) -> bool:
        """SPL §Ports: a backend must expose the root's port."""
        return key in services

    def weight(self, backend: Manifest) -> int:
        """SPL §Specification: a whole number. Less than nothing counts as nothing (TS-010)."""
        return max(0, int(backend.get("weight") or 0))

    def resolved(
        self, services: Mapping[ServiceKey, ServicePort], key: ServiceKey, weight: int
    ) -> list[tuple[ServiceKey, int]]:
        """SPL §Tradeoffs: splits are not hierarchical; a backend is its own endpoints (TS-065)."""
        return [(key, weight)]

    def scaled(self, shares: Mapping[ServiceKey, int]) -> Shares:
        """The same ratios in the 32 bits that the data plane has for their sum (TS-011)."""
        total, room = sum(shares.values()), 2**32 - 1 - len(shares)
        if total <= room:
            return tuple(shares.items())
        return tuple((key, max(1, weight * room // total)) for key, weight in shares.items())

    def unmatched(self, split: Manifest, root: ServicePort) -> Shares:
        """SPL A/B testing: what does not match goes to the root Service itself (TS-081)."""
        return ((root.key, 1),)

    def choice(self) -> Literal["request", "connection", "client"]:
        """How often a backend is chosen: for each request (TS-041), so that shares hold for each client (TS-014)."""
        return "request"

    def outside(
        self, services: Mapping[ServiceKey, ServicePort], splits: Sequence[Manifest], root: ServicePort
    ) -> tuple[Endpoint, ...]:
        """SPL §Specification: for clients without a proxy a Service is what Kubernetes makes of it (TS-025)."""
        return root.endpoints

    def unsplit(
        self, services: Mapping[ServiceKey, ServicePort], splits: Sequence[Manifest], root: ServicePort
    ) -> Shares:
        """Without a split a Service is its own endpoints; so is a backend that is called directly (TS-023)."""
        return ((root.key, 1),)

    def empty(self, split: Manifest, root: ServicePort) -> Shares:
        """No backend may take traffic. Open: all weights 0 refuses it (TS-009), no backends split nothing (TS-013)."""
        return () if split["spec"].get("backends") else ((root.key, 1),)
