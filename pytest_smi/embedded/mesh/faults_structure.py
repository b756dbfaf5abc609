"""Faults about what a split may look like, and whose traffic it shares."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_smi.embedded.mesh.model import Endpoint, ServiceKey, ServicePort
    from pytest_smi.embedded.mesh.snapshot import Manifest, Objects

_SPLITS = frozenset({"TS-0", "TM-", "XG-"})


def changed(crds: list[dict[str, Any]], kind: str, change: Callable[[dict[str, Any], str], None]) -> list[Any]:
    """The CRDs with `change(properties of the version's schema, version)` done to each version of one kind."""
    found = copy.deepcopy(crds)
    for crd in found:
        if crd["spec"]["names"]["kind"] == kind:
            for version in crd["spec"]["versions"]:
                change(version["schema"]["openAPIV3Schema"]["properties"], version["name"])
    return found


class Stuck(Semantics):
    """As long as there is a split of some sort, no change of any split is followed: one that cannot be read stops all.

    A control plane that decodes whole lists into strict types behaves so.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: Mapping[tuple[str, str], Manifest] = {}

    def stops(self, split: Manifest) -> bool:
        """Whether this split stops the mesh."""
        raise NotImplementedError

    def view(self, snapshot: Snapshot) -> Snapshot:
        """The objects, with the splits as they were before one stopped the mesh."""
        splits = snapshot.objects.get("TrafficSplit", {})
        if not any(self.stops(split) for split in splits.values()):
            self._last = dict(splits)
        objects: Objects = dict(self._last)
        return super().view(Snapshot({**snapshot.objects, "TrafficSplit": objects}))


@fault(
    "fraction-stops-the-mesh",
    "The CRD takes fractions as weights, and while there is one no change of a split is followed",
    kills={"TS-006"},
    may_touch={"API-023"},
)
class _Fraction(Stuck):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], version: str) -> None:
            if version != "v1alpha1":
                backend = properties["spec"]["properties"]["backends"]["items"]["properties"]
                backend["weight"] = {"type": "number"}

        return changed(super().crds(crds), "TrafficSplit", loosen)

    def stops(self, split: Manifest) -> bool:
        return any(isinstance(one.get("weight"), float) for one in split["spec"].get("backends") or ())


@fault(
    "self-reference-stops-the-mesh",
    "While a split has its root among its backends no change of any split is followed",
    kills={"TS-066"},
)
class _Circle(Stuck):
    def stops(self, split: Manifest) -> bool:
        return not self.sound(split)


@fault(
    "zero-weight-lifts-the-split",
    "A split with a weight of 0 has no effect",
    kills={"TS-026", "TS-039"},
    may_touch=_SPLITS,
)
class _ZeroLifts(Semantics):
    def sound(self, split: Manifest) -> bool:
        return super().sound(split) and all(self.weight(one) for one in split["spec"].get("backends") or ())


@fault(
    "one-split-per-root",
    "Of several splits with one root only the oldest counts, whatever they match",
    kills={"TS-093"},
)
class _OnePerRoot(Semantics):
    def splits_of(self, splits: Sequence[Manifest], root: ServicePort) -> list[Manifest]:
        own = [split for split in splits if self.is_root(split, root)]
        return own[:1]


@fault(
    "split-needs-matches",
    "A split without matches has no effect",
    kills={"TS-094"},
    may_touch=_SPLITS,
)
class _NeedsMatches(Semantics):
    def splits_of(self, splits: Sequence[Manifest], root: ServicePort) -> list[Manifest]:
        return [split for split in super().splits_of(splits, root) if split["spec"].get("matches")]


@fault(
    "split-http-only",
    "TCP connections are not split",
    kills={"TS-042"},
)
class _HttpOnly(Semantics):
    def splits_of(self, splits: Sequence[Manifest], root: ServicePort) -> list[Manifest]:
        return super().splits_of(splits, root) if root.protocol == "http" else []


@fault(
    "split-for-everyone",
    "Clients without a proxy are sent to a split's heaviest backend",
    kills={"TS-025"},
)
class _ForEveryone(Semantics):
    def outside(
        self, services: Mapping[ServiceKey, ServicePort], splits: Sequence[Manifest], root: ServicePort
    ) -> tuple[Endpoint, ...]:
        for split in self.splits_of(splits, root):
            shares = self.shares(services, split, root)
            if shares:
                return services[max(shares, key=lambda share: share[1])[0]].endpoints
        return super().outside(services, splits, root)


@fault(
    "split-by-client",
    "Each client pod always gets the same backend; only over many clients the shares are right",
    kills={"TS-001", "TS-014", "TS-015"},
    may_touch=_SPLITS,
)
class _ByClient(Semantics):
    def choice(self) -> Literal["request", "connection", "client"]:
        return "client"


@fault(
    "split-by-connection",
    "A backend is chosen once for each connection, also where a connection carries many requests",
    kills={"TS-041", "TS-043"},
    may_touch={"XG-010"},
)
class _ByConnection(Semantics):
    def choice(self) -> Literal["request", "connection", "client"]:
        return "connection"


@fault(
    "ports-matched-by-name",
    "A backend takes part only if its port has the name of the root's",
    kills={"TS-055"},
    may_touch={"TS-05", "TS-06"},
)
class _PortNames(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._names: dict[tuple[str, str, int, bool], str] = {}

    def view(self, snapshot: Snapshot) -> Snapshot:
        self._names = {
            (one["metadata"]["namespace"], one["metadata"]["name"], port["port"], port.get("protocol") == "UDP"): str(
                port.get("name")
            )
            for one in snapshot.all("Service")
            for port in one["spec"].get("ports") or ()
        }
        return super().view(snapshot)

    def backends(
        self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort
    ) -> list[tuple[ServiceKey, int]]:
        wanted = self._names.get(root.key)
        found = super().backends(services, split, root)
        return [(key, weight) for key, weight in found if self._names.get(key) == wanted]


@fault(
    "split-port-field",
    "The CRD takes a port under a backend, and the root's traffic goes to that port",
    kills={"TS-058"},
)
class _PortField(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def add(properties: dict[str, Any], _version: str) -> None:
            backend = properties["spec"]["properties"]["backends"]["items"]["properties"]
            backend["port"] = {"type": "integer"}

        return changed(super().crds(crds), "TrafficSplit", add)

    def backends(
        self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort
    ) -> list[tuple[ServiceKey, int]]:
        ports = {one["service"]: one.get("port", root.port) for one in split["spec"].get("backends") or ()}
        found = super().backends(services, split, root)
        return [((key[0], key[1], ports[key[1]], key[3]), weight) for key, weight in found]


def _matches_of(properties: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = properties["spec"]["properties"]
    return found


@fault(
    "split-any-kind-in-matches",
    "The CRD of TrafficSplit takes any kind under matches",
    kills={"TS-089", "API-025"},
)
class _AnyKind(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], _version: str) -> None:
            matches = _matches_of(properties).get("matches")
            if matches:
                del matches["items"]["properties"]["kind"]["enum"]

        return changed(super().crds(crds), "TrafficSplit", loosen)


@fault(
    "split-singles-out-matches",
    "A split may name single matches of a group, and the others do not count",
    kills={"TS-091"},
)
class _SinglesOut(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def add(properties: dict[str, Any], _version: str) -> None:
            matches = _matches_of(properties).get("matches")
            if matches:
                matches["items"]["properties"]["matches"] = {"type": "array", "items": {"type": "string"}}

        return changed(super().crds(crds), "TrafficSplit", add)

    def group_matches(self, snapshot: Snapshot, split: Manifest, reference: Manifest) -> Sequence[Manifest]:
        found, names = super().group_matches(snapshot, split, reference), reference.get("matches")
        return found if names is None else [match for match in found if match.get("name") in names]


@fault(
    "oldest-splits-have-matches",
    "Splits of v1alpha1 and v1alpha2 take matches too, and are restricted by them",
    kills={"TS-096"},
    release="all",
)
class _OldMatches(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def add(properties: dict[str, Any], _version: str) -> None:
            item = {"type": "object", "properties": {"kind": {"type": "string"}, "name": {"type": "string"}}}
            _matches_of(properties).setdefault("matches", {"type": "array", "items": item})

        return changed(super().crds(crds), "TrafficSplit", add)
