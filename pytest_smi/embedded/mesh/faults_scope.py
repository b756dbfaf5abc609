"""Faults about where a policy ends: outside of the mesh, and at a restart of the control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.model import Grant, Principal
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.mesh.model import Pod


@fault(
    "sources-are-held-back",
    "A pod that a TrafficTarget lists as a source may call nothing outside of the mesh any more",
    kills={"TA-130"},
)
class _HeldBack(Semantics):
    def leaving(self, snapshot: Snapshot, pods: Sequence[Pod]) -> tuple[Grant, ...] | None:
        targets = [target for target in snapshot.all("TrafficTarget") if self.valid(target)]
        listed = frozenset[Principal]().union(*(self.sources(snapshot, target, pods) for target in targets))
        free = frozenset(Principal("dns", pod.dns_name) for pod in pods if pod.meshed and not pod.principals & listed)
        return (Grant(free),) if free else ()


@fault(
    "restart-begins-empty",
    "A control plane that is restarted takes the data plane's configuration away until it knows better",
    kills={"TA-119", "TS-045"},
)
class _BeginsEmpty(Semantics):
    def resumes(self) -> bool:
        return False


class _Forgets(Semantics):
    """After a restart the objects of some kinds that were there before are not seen any more."""

    kinds: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self._resumed = False
        self._before: frozenset[str] | None = None

    def resumes(self) -> bool:
        self._resumed = True
        return super().resumes()

    def view(self, snapshot: Snapshot) -> Snapshot:
        if not self._resumed:
            return super().view(snapshot)
        if self._before is None:
            found = (one for kind in self.kinds for one in snapshot.objects.get(kind, {}).values())
            self._before = frozenset(one["metadata"]["uid"] for one in found)
        forgotten = self._before
        kept = {
            kind: {key: one for key, one in objects.items() if one["metadata"].get("uid") not in forgotten}
            for kind, objects in snapshot.objects.items()
        }
        return super().view(Snapshot({**snapshot.objects, **kept}))


@fault(
    "restart-forgets-targets",
    "A control plane that is restarted only sees TrafficTargets that are created afterwards",
    kills={"TA-119"},
)
class _ForgetsTargets(_Forgets):
    kinds = ("TrafficTarget",)


@fault(
    "restart-forgets-splits",
    "A control plane that is restarted only sees TrafficSplits that are created afterwards",
    kills={"TS-045"},
)
class _ForgetsSplits(_Forgets):
    kinds = ("TrafficSplit",)
