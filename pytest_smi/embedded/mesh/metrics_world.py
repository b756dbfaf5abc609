"""Who called whom: the calls of the access log with pods and Services for addresses, and who holds which pods."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh import topology
from pytest_smi.embedded.mesh.model import TRUST_DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_smi.embedded.mesh.metrics_log import Passage, Side
    from pytest_smi.embedded.mesh.model import PodKey
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot
    from pytest_smi.spec.metrics import Measured

ObjectKey = tuple[str, str]
"""Namespace (empty for what belongs to none) and name."""
Holders = dict["PodKey", tuple[ObjectKey, ...]]
"""Pod -> the objects of one kind that contain it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the sidecar at `side` saw it; None for an end that is no pod or Service of today.

    `root` is the Service that the client called, `backend` the one whose endpoints got the call: client's side only.
    """

    side: Side
    source: PodKey | None
    target: PodKey | None
    success: bool
    seconds: float
    root: ObjectKey | None = None
    backend: ObjectKey | None = None


class World:
    """Pods, Services and owners at one moment. `replica_sets` are needed for Deployments only."""

    def __init__(self, snapshot: Snapshot, replica_sets: Iterable[Manifest] = ()) -> None:
        self._snapshot = snapshot
        self._replica_sets = {_key(one): one for one in replica_sets}
        self._by_ip = {pod.ip: pod.key for pod in topology.pods(snapshot)}

    @cached_property
    def _by_cluster_ip(self) -> dict[str, ObjectKey]:
        services = self._snapshot.all("Service")
        return {one["spec"]["clusterIP"]: _key(one) for one in services if one["spec"].get("clusterIP")}

    def call(self, passage: Passage, *, success: bool) -> Call:
        """A line of the log with names for addresses."""
        host = passage.target.rpartition(":")[0]
        if passage.side == "server":
            source = _pod_of(passage.source)
            return Call("server", source, self._by_ip.get(host), success, passage.seconds)
        return Call(
            "client",
            self._by_ip.get(passage.source.rpartition(":")[0]),
            self._by_ip.get(passage.upstream.rpartition(":")[0]),
            success,
            passage.seconds,
            self._by_cluster_ip.get(host),
            _service_of(passage.cluster),
        )

    def holders(self, measured: Measured) -> Holders:
        """Which objects of a kind contain which pods (MET §Specification: higher-level resources are aggregates)."""
        found: Holders = {}
        for pod in self._snapshot.all("Pod"):
            if held := tuple(self._holders_of(pod, measured)):
                found[_key(pod)] = held
        return found

    def _holders_of(self, pod: Manifest, measured: Measured) -> Iterable[ObjectKey]:
        namespace = pod["metadata"]["namespace"]
        match measured.kind:
            case "Pod":
                return [_key(pod)]
            case "Namespace":
                return [("", namespace)]
            case "Node":
                return [("", name)] if (name := pod["spec"].get("nodeName")) else []
            case "Service":
                return self._services_of(namespace, pod["metadata"].get("labels") or {})
            case "Deployment":
                sets = (self._replica_sets.get((namespace, name)) for name in _owners(pod, "ReplicaSet"))
                return [(namespace, name) for one in sets if one for name in _owners(one, "Deployment")]
        return [(namespace, name) for name in _owners(pod, measured.kind)]

    def _services_of(self, namespace: str, labels: Mapping[str, str]) -> list[ObjectKey]:
        services = (one for one in self._snapshot.all("Service") if one["metadata"]["namespace"] == namespace)
        return [
            _key(one)
            for one in services
            if (chosen := one["spec"].get("selector")) and chosen.items() <= labels.items()
        ]


def _key(manifest: Manifest) -> ObjectKey:
    return manifest["metadata"].get("namespace") or "", manifest["metadata"]["name"]


def _owners(manifest: Manifest, kind: str) -> list[str]:
    owners = manifest["metadata"].get("ownerReferences") or ()
    return [owner["name"] for owner in owners if owner["kind"] == kind and owner.get("controller")]


def _pod_of(dns_name: str) -> PodKey | None:
    """The pod whose certificate has this name. A pod's name may have dots in it, a namespace's never."""
    name, _, namespace = dns_name.removesuffix(f".pod.{TRUST_DOMAIN}").rpartition(".")
    return (namespace, name) if name else None


def _service_of(cluster: str) -> ObjectKey | None:
    kind, *rest = cluster.split("|")
    return (rest[0], rest[1]) if kind == "service" and len(rest) == 3 else None
