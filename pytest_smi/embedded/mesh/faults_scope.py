"""Faults about where a policy ends: outside of the mesh, and at a restart of the control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.model import Grant, Principal
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot
from pytest_smi.embedded.mesh.topology import PRIVATE_ADDRESS, SIDECAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.mesh.model import Pod, Protocol
    from pytest_smi.embedded.mesh.semantics_access import Allowance
    from pytest_smi.embedded.mesh.snapshot import Manifest


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
    "unmeshed-pods-are-vouched-for",
    "A pod outside of the mesh is taken for its ServiceAccount by its address",
    kills={"TA-090", "TA-092"},
    may_touch={"TA-0", "TS-025"},
)
class _VouchedFor(Semantics):
    def view(self, snapshot: Snapshot) -> Snapshot:
        pods = {key: self._taken_in(snapshot, one) for key, one in snapshot.objects.get("Pod", {}).items()}
        return super().view(Snapshot({**snapshot.objects, "Pod": pods}))

    def _taken_in(self, snapshot: Snapshot, pod: Manifest) -> Manifest:
        """A pod that only calls others, as if it had a sidecar; its private address is made as the node makes them."""
        annotations, ip = pod["metadata"].get("annotations") or {}, (pod.get("status") or {}).get("podIP")
        if not ip or annotations.get(SIDECAR) == "true" or self._serves(snapshot, pod):
            return pod
        first, second, *rest = ip.split(".")
        private = ".".join([first, str(int(second) - 63), *rest])
        taken = {**annotations, SIDECAR: "true", PRIVATE_ADDRESS: private}
        return {**pod, "metadata": {**pod["metadata"], "annotations": taken}}

    def _serves(self, snapshot: Snapshot, pod: Manifest) -> bool:
        labels = (pod["metadata"].get("labels") or {}).items()
        selectors = [one["spec"].get("selector") or {} for one in snapshot.all("Service")]
        return any(selector and selector.items() <= labels for selector in selectors)


@fault(
    "http-carried-as-tcp",
    "Sidecars take HTTP for plain TCP: who is granted any route of a destination has everything on its ports",
    kills={"TA-052", "TA-097"},
    may_touch=EVERYTHING,
)
class _AllTcp(Semantics):
    def view(self, snapshot: Snapshot) -> Snapshot:
        services = {
            key: {
                **one,
                "spec": {**one["spec"], "ports": [self._opaque(port) for port in one["spec"].get("ports") or ()]},
            }
            for key, one in snapshot.objects.get("Service", {}).items()
        }
        return super().view(Snapshot({**snapshot.objects, "Service": services}))

    def _opaque(self, port: Manifest) -> Manifest:
        return port if port.get("protocol") == "UDP" else {**port, "appProtocol": "tcp"}

    def grant(self, allowance: Allowance, port: int, protocol: Protocol) -> Grant | None:
        if protocol == "tcp" and allowance.http and port in allowance.port:
            return Grant(allowance.principals)
        return super().grant(allowance, port, protocol)


@fault(
    "headers-taken-away",
    "Sidecars of clients take the header x-milk away from requests",
    kills={"TS-074"},
    may_touch={"TA-034", "TSC-", "TS-", "XG-"},
)
class _TakenAway(Semantics):
    def taken_away(self) -> tuple[str, ...]:
        return ("x-milk",)


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
