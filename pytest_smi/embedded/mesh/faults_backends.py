"""Faults about what may be a backend of a split, and by which of its names a root is split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.faults_structure import Stuck
from pytest_smi.embedded.mesh.model import HttpMatch
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_smi.embedded.mesh.model import ServiceKey, ServicePort, Shares
    from pytest_smi.embedded.mesh.snapshot import Manifest

_SPLITS = frozenset({"TS-", "TM-", "XG-"})
_LABEL = "kubernetes.io/service-name"


@fault(
    "weights-fill-up-to-100",
    "What the weights lack of 100 goes to the root itself",
    kills={"TS-004", "TS-007"},
    may_touch=_SPLITS,
)
class _FillUp(Semantics):
    def shares(self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort) -> Shares:
        found = super().shares(services, split, root)
        rest = 100 - sum(weight for _, weight in found)
        return (*found, (root.key, rest)) if found and rest > 0 else found


class _SomeNames(Semantics):
    """Splits only requests that name the root in some way; the others go where the root leads."""

    pattern = ""
    """What the Host header must be like."""

    def conditions(self, snapshot: Snapshot, split: Manifest) -> tuple[HttpMatch, ...] | None:
        found = super().conditions(snapshot, split)
        return found if found is not None else (HttpMatch(headers=(("host", self.pattern),)),)


@fault(
    "split-short-names-only",
    "Requests that name the root by its full name are not split",
    kills={"TS-020"},
    may_touch=_SPLITS,
)
class _ShortNames(_SomeNames):
    pattern = r"[^.]+(\.[^.]+)?(\.svc)?(:\d+)?"


@fault(
    "split-full-name-only",
    "Only requests that name the root by its full name are split",
    kills={"TS-021"},
    may_touch=_SPLITS,
)
class _FullName(_SomeNames):
    pattern = r".*\.svc\.cluster\.local(:\d+)?"


@fault(
    "missing-backend-voids-the-split",
    "A split has no effect while one of its backends does not exist",
    kills={"TS-037", "TS-038"},
    may_touch=_SPLITS,
)
class _MissingVoids(Semantics):
    def shares(self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort) -> Shares:
        there = {(one.namespace, one.service) for one in services.values()}
        named = {(root.namespace, backend["service"]) for backend in split["spec"].get("backends") or ()}
        return super().shares(services, split, root) if named <= there else ((root.key, 1),)


@fault(
    "weights-count-pods",
    "The weight of a backend is multiplied by the number of its pods",
    kills={"TS-044"},
    may_touch=_SPLITS,
)
class _CountPods(Semantics):
    def backends(
        self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort
    ) -> list[tuple[ServiceKey, int]]:
        found = super().backends(services, split, root)
        return [(key, weight * len(services[key].endpoints)) for key, weight in found]


@fault(
    "backend-needs-every-port",
    "A backend that lacks any port of the root takes part on none",
    kills={"TS-053"},
    may_touch={"TS-05", "TS-06", "TS-07"},
)
class _EveryPort(Semantics):
    def backends(
        self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort
    ) -> list[tuple[ServiceKey, int]]:
        wanted = {(port, udp) for namespace, name, port, udp in services if (namespace, name) == root.key[:2]}
        return [
            (key, weight)
            for key, weight in super().backends(services, split, root)
            if wanted <= {(port, udp) for namespace, name, port, udp in services if (namespace, name) == key[:2]}
        ]


@fault(
    "target-ports-ignored",
    "A Service leads to the port of its pods that has its own port's number",
    kills={"TS-054"},
    may_touch={"TA-055", "TS-05"},
)
class _NoTargetPorts(Semantics):
    def view(self, snapshot: Snapshot) -> Snapshot:
        slices = {}
        for key, one in snapshot.objects.get("EndpointSlice", {}).items():
            name = (one["metadata"].get("labels") or {}).get(_LABEL, "")
            service = snapshot.get("Service", key[0], name) or {"spec": {}}
            own = {port.get("name") or "": port["port"] for port in service["spec"].get("ports") or ()}
            ports = [{**port, "port": own.get(port.get("name") or "", port.get("port"))} for port in one["ports"] or ()]
            slices[key] = {**one, "ports": ports}
        return super().view(Snapshot({**snapshot.objects, "EndpointSlice": slices}))


@fault(
    "backend-must-be-of-root",
    "A backend whose pods the root does not select gets no traffic",
    kills={"TS-070"},
    may_touch=_SPLITS,
)
class _OfRoot(Semantics):
    def backends(
        self, services: Mapping[ServiceKey, ServicePort], split: Manifest, root: ServicePort
    ) -> list[tuple[ServiceKey, int]]:
        behind = {one.ip for one in root.endpoints}
        found = super().backends(services, split, root)
        return [(key, weight) for key, weight in found if {one.ip for one in services[key].endpoints} <= behind]


@fault(
    "lost-root-stops-the-mesh",
    "While a split names a root that does not exist no change of any split is followed",
    kills={"TS-075"},
)
class _LostRoot(Stuck):
    def __init__(self) -> None:
        super().__init__()
        self._services: set[tuple[str, str]] = set()

    def view(self, snapshot: Snapshot) -> Snapshot:
        self._services = set(snapshot.objects.get("Service", {}))
        return super().view(snapshot)

    def stops(self, split: Manifest) -> bool:
        return (split["metadata"]["namespace"], split["spec"]["service"].partition(".")[0]) not in self._services


@fault(
    "split-with-matches-ignored",
    "A split with matches has no effect",
    kills={"TS-080", "TS-082"},
    may_touch={"TS-08", "TS-09"},
)
class _MatchesIgnored(Semantics):
    def splits_of(self, splits: Sequence[Manifest], root: ServicePort) -> list[Manifest]:
        return [one for one in super().splits_of(splits, root) if not one["spec"].get("matches")]
