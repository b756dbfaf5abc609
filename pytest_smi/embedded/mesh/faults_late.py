"""Faults of a mesh for which it matters what came first, or what there was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.faults_memory import Frozen
from pytest_smi.embedded.mesh.model import Principal
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_smi.embedded.mesh.model import Pod, PodKey
    from pytest_smi.embedded.mesh.semantics_access import Allowance
    from pytest_smi.embedded.mesh.snapshot import Manifest, Objects

_TARGETS = frozenset({"TA-", "TSC-", "TM-", "TS-", "XG-"})
_MOST = 8


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("uid") or manifest["metadata"]["name"])


class _Targets(Semantics):
    """Sees only some of the TrafficTargets."""

    def chosen(self, targets: Objects) -> Objects:
        """Those that it sees."""
        raise NotImplementedError

    def view(self, snapshot: Snapshot) -> Snapshot:
        targets = self.chosen(dict(snapshot.objects.get("TrafficTarget", {})))
        return super().view(Snapshot({**snapshot.objects, "TrafficTarget": targets}))


@fault(
    "deletion-takes-others-along",
    "Deleting a TrafficTarget cuts its sources off, whatever another grants them, until one is created",
    kills={"TA-029", "TA-032"},
    may_touch=_TARGETS,
)
class _TakesAlong(_Targets):
    def __init__(self) -> None:
        super().__init__()
        self._seen: Objects = {}
        self._hidden: set[str] = set()

    def chosen(self, targets: Objects) -> Objects:
        known, now = ({_uid(one) for one in some.values()} for some in (self._seen, targets))
        if now - known:
            self._hidden = set()
        for gone in (one for one in self._seen.values() if _uid(one) not in now):
            self._hidden |= {_uid(one) for one in targets.values() if _alike(one, gone)}
        self._seen = targets
        return {key: one for key, one in targets.items() if _uid(one) not in self._hidden}


def _alike(one: Manifest, other: Manifest) -> bool:
    """Whether two TrafficTargets open the same destination to a common source."""
    if one["spec"].get("destination") != other["spec"].get("destination"):
        return False
    return any(source in (other["spec"].get("sources") or ()) for source in one["spec"].get("sources") or ())


@fault(
    "recreated-target-ignored",
    "A TrafficTarget that is created again as it was deleted has no effect, until there is a different one",
    kills={"TA-120"},
    may_touch=_TARGETS,
)
class _RecreatedIgnored(_Targets):
    def __init__(self) -> None:
        super().__init__()
        self._seen: Objects = {}
        self._deleted: list[Manifest] = []
        self._ignored: set[str] = set()

    def chosen(self, targets: Objects) -> Objects:
        known, now = ({_uid(one) for one in some.values()} for some in (self._seen, targets))
        self._deleted += [one["spec"] for one in self._seen.values() if _uid(one) not in now]
        for new in (one for one in targets.values() if _uid(one) not in known):
            if new["spec"] in self._deleted:
                self._ignored.add(_uid(new))
            else:
                self._deleted = []
        self._seen = targets
        return {key: one for key, one in targets.items() if _uid(one) not in self._ignored}


@fault(
    "eight-targets-at-most",
    "Of more than eight TrafficTargets in a namespace the oldest are forgotten",
    kills={"TA-121"},
)
class _AtMost(_Targets):
    def chosen(self, targets: Objects) -> Objects:
        found: Objects = {}
        for namespace in {where for where, _ in targets}:
            own = [(key, one) for key, one in targets.items() if key[0] == namespace]
            own.sort(key=lambda pair: int(pair[1]["metadata"].get("resourceVersion") or 0))
            found.update(own[-_MOST:])
        return found


class _FirstPods(Semantics):
    """Knows which pods there were when it first saw a TrafficTarget."""

    def __init__(self) -> None:
        super().__init__()
        self._there: dict[str, set[PodKey]] = {}

    def older(self, target: Manifest, pods: Sequence[Pod]) -> set[PodKey]:
        """The pods that are older than the TrafficTarget."""
        return self._there.setdefault(_uid(target), {one.key for one in pods})


@fault(
    "late-pods-stay-closed",
    "A TrafficTarget opens only pods that were there when it was created",
    kills={"TA-074", "TA-115"},
    may_touch={"TA-013", "TS-03", "TS-04"},
)
class _LateClosed(_FirstPods):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        older = self.older(target, pods)
        return [pod for pod in super().destinations(snapshot, target, pods) if pod.key in older]


@fault(
    "pods-need-a-restart",
    "A TrafficTarget opens only pods that start after it was created",
    kills={"TA-110"},
    may_touch=EVERYTHING,
)
class _NeedRestart(_FirstPods):
    def destinations(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> list[Pod]:
        older = self.older(target, pods)
        return [pod for pod in super().destinations(snapshot, target, pods) if pod.key not in older]


@fault(
    "late-routes-unseen",
    "A route object that is created after the TrafficTarget which names it is not found",
    kills={"TA-069"},
    may_touch={"TA-06", "TA-07", "TA-11", "TSC-"},
)
class _LateRoutes(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._target = ""
        self._missing: set[tuple[str, str, str]] = set()

    def allowance(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> Allowance:
        self._target = _uid(target)
        return super().allowance(snapshot, target, pods)

    def route(self, snapshot: Snapshot, rule: Manifest, own: str) -> Manifest | None:
        found, asked = super().route(snapshot, rule, own), (self._target, rule["kind"], rule["name"])
        if found is None:
            self._missing.add(asked)
        return None if asked in self._missing else found


@fault(
    "identity-sticks-to-the-name",
    "A workload keeps the ServiceAccount under which it was first deployed",
    kills={"TA-117"},
    may_touch={"TA-11"},
)
class _Sticks(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._first: dict[tuple[str, str], str] = {}

    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        yield from super().principals(snapshot, subject, namespace, pods)
        for pod in pods:
            workload = pod.namespace, pod.name.rsplit("-", 2)[0]
            first = self._first.setdefault(workload, pod.account)
            if subject.get("kind") == "ServiceAccount" and (workload[0], first) == (namespace, subject["name"]):
                yield Principal("dns", pod.dns_name)


@fault(
    "stale-binding-edit",
    "Edits of IdentityBindings are not followed",
    kills={"TA-164"},
    may_touch={"TA-15", "TA-16", "TA-17"},
)
class _StaleBindings(Frozen):
    kinds = ("IdentityBinding",)


@fault(
    "stale-service-ports",
    "A Service keeps the ports that it had first",
    kills={"TS-059"},
    may_touch={"TS-05"},
)
class _StaleServices(Frozen):
    kinds = ("Service",)
