"""Faults of a mesh that does not follow changes. They forget as soon as they may, or every later test would fall."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.snapshot import Manifest, Objects

_ROUTES = ("HTTPRouteGroup", "TCPRoute", "UDPRoute")


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("uid") or manifest["metadata"]["name"])


def _with(snapshot: Snapshot, kind: str, objects: Objects) -> Snapshot:
    return Snapshot({**snapshot.objects, kind: objects})


class Frozen(Semantics):
    """Objects of some kinds stay as they were first seen, until they are deleted."""

    kinds: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[str, Manifest] = {}

    def view(self, snapshot: Snapshot) -> Snapshot:
        """The objects, with those of the kinds as they were first seen."""
        found = super().view(snapshot)
        for kind in self.kinds:
            seen = {key: self._first.setdefault(_uid(one), one) for key, one in snapshot.objects.get(kind, {}).items()}
            found = _with(found, kind, seen)
        return found


@fault(
    "stale-route-edit",
    "Edits of route objects are not followed",
    kills={"TA-114", "TS-090"},
    may_touch={"TA-06", "TA-113", "TA-121", "TSC-"},
)
class _StaleRoutes(Frozen):
    kinds = _ROUTES


@fault(
    "stale-target-edit",
    "Edits of TrafficTargets are not followed",
    kills={"TA-112", "TA-113"},
    may_touch={"TA-"},
)
class _StaleTargets(Frozen):
    kinds = ("TrafficTarget",)


@fault(
    "stale-split-edit",
    "Edits of TrafficSplits are not followed",
    kills={"TS-035", "TS-040"},
    may_touch={"TS-0", "XG-"},
)
class _StaleSplits(Frozen):
    kinds = ("TrafficSplit",)


class _Lasting(Semantics):
    """Deleted objects of one kind, and earlier states, stay in force until another is created in their namespace."""

    kind = ""

    def __init__(self) -> None:
        super().__init__()
        self._states: defaultdict[str, dict[str, dict[str, Manifest]]] = defaultdict(dict)

    def view(self, snapshot: Snapshot) -> Snapshot:
        current = snapshot.objects.get(self.kind, {})
        for (namespace, _), manifest in current.items():
            states = self._states[namespace]
            if _uid(manifest) not in states:
                alive = {_uid(one) for (where, _), one in current.items() if where == namespace}
                self._states[namespace] = states = {uid: states[uid] for uid in states.keys() & alive}
            version = str(manifest["metadata"].get("resourceVersion"))
            states.setdefault(_uid(manifest), {})[version] = manifest
        kept = {
            (namespace, f"{uid}@{version}"): manifest
            for namespace, states in self._states.items()
            for uid, versions in states.items()
            for version, manifest in versions.items()
        }
        return _with(super().view(snapshot), self.kind, kept)


@fault(
    "never-revoke",
    "What a TrafficTarget has once granted stays granted when it is edited or deleted",
    kills={"TA-029", "TA-111", "TA-112", "TA-113"},
    may_touch={"TA-", "TSC-", "XG-"},
)
class _NeverRevoke(_Lasting):
    kind = "TrafficTarget"


@fault(
    "nothing-is-forgotten",
    "TrafficTargets, and the routes they refer to, stay in force when they are deleted",
    kills={"XG-009"},
    may_touch={"TA-", "TSC-", "XG-"},
)
class _NothingForgotten(_NeverRevoke):
    def __init__(self) -> None:
        super().__init__()
        self._routes: dict[str, Objects] = {kind: {} for kind in _ROUTES}

    def view(self, snapshot: Snapshot) -> Snapshot:
        found = super().view(snapshot)
        for kind, seen in self._routes.items():
            seen.update(snapshot.objects.get(kind, {}))
            found = _with(found, kind, dict(seen))
        return found


@fault(
    "split-survives-deletion",
    "A TrafficSplit stays in force when it is deleted",
    kills={"TS-036"},
    may_touch={"TS-", "XG-"},
)
class _SplitSurvives(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Objects] = {}

    def view(self, snapshot: Snapshot) -> Snapshot:
        current = snapshot.objects.get("TrafficSplit", {})
        for namespace in {where for where, _ in current}:
            self._last[namespace] = {key: one for key, one in current.items() if key[0] == namespace}
        kept = {key: one for objects in self._last.values() for key, one in objects.items()}
        return _with(super().view(snapshot), "TrafficSplit", kept)
