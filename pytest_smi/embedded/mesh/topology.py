"""Pods and Service ports out of a snapshot, as a node's proxy and a sidecar injector would see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.model import Endpoint, Pod, ServicePort

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_smi.embedded.mesh.model import PodKey, Protocol, ServiceKey
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot

SIDECAR = "embedded.pytest-smi.dev/sidecar"
"""Pod annotation `"true"`: the pod is in the mesh."""
PRIVATE_ADDRESS = "embedded.pytest-smi.dev/private-address"
"""Pod annotation written by the node: where the pod's process listens."""

_SOURCES = ("Pod", "Service", "EndpointSlice")
_HTTP = ("http", "http2", "h2c", "grpc", "ws", "kubernetes.io/h2c", "kubernetes.io/ws")


@dataclass(frozen=True, slots=True)
class Topology:
    """What there is to reach, whatever policy says of it."""

    pods: tuple[Pod, ...]
    services: Mapping[ServiceKey, ServicePort]
    ports: Mapping[PodKey, Mapping[tuple[int, bool], Protocol]]
    read_from: tuple[Any, ...] = field(compare=False)

    def is_of(self, snapshot: Snapshot) -> bool:
        """Whether it was read from these very objects; nobody may have changed them since."""
        return all(one is other for one, other in zip(self.read_from, _sources(snapshot), strict=True))


def read(snapshot: Snapshot) -> Topology:
    """The topology of a snapshot."""
    known = pods(snapshot)
    return Topology(known, service_ports(snapshot, known), pod_ports(snapshot, known), _sources(snapshot))


def _sources(snapshot: Snapshot) -> tuple[Any, ...]:
    return tuple(snapshot.objects.get(kind) for kind in _SOURCES)


def pods(snapshot: Snapshot) -> tuple[Pod, ...]:
    """Pods that have an address and have not ended."""
    return tuple(pod for manifest in snapshot.all("Pod") if (pod := _pod(manifest)))


def _pod(manifest: Manifest) -> Pod | None:
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    ip = status.get("podIP")
    if not ip or status.get("phase") in ("Succeeded", "Failed"):
        return None
    annotations = metadata.get("annotations") or {}
    private = annotations.get(PRIVATE_ADDRESS) or ip
    return Pod(
        metadata["namespace"],
        metadata["name"],
        manifest["spec"].get("serviceAccountName") or "default",
        ip,
        private,
        metadata.get("labels") or {},
        meshed=annotations.get(SIDECAR) == "true" and private != ip,
    )


def service_ports(snapshot: Snapshot, known: Iterable[Pod]) -> dict[ServiceKey, ServicePort]:
    """Ports of all Services that have a ClusterIP, with their ready endpoints."""
    meshed = {pod.ip for pod in known if pod.meshed}
    slices = _slices(snapshot)
    found = {}
    for service in snapshot.all("Service"):
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        cluster_ip = service["spec"].get("clusterIP")
        if not cluster_ip or cluster_ip == "None":
            continue  # a headless Service is only a name for its pods
        for port in service["spec"].get("ports") or ():
            endpoints = _endpoints(slices.get((namespace, name), ()), port, meshed)
            one = ServicePort(namespace, name, port["port"], protocol(port), cluster_ip, endpoints)
            found[one.key] = one
    return found


def protocol(port: Manifest) -> Protocol:
    """What a Service port speaks: its protocol, then `appProtocol`, then the prefix of its name; else plain TCP."""
    if port.get("protocol") == "UDP":
        return "udp"
    hint = port.get("appProtocol") or str(port.get("name") or "").split("-")[0]
    return "http" if hint.lower() in _HTTP else "tcp"


_Slice = tuple[dict[tuple[str, str], int], list[str]]
"""What a service's port needs of an EndpointSlice: (port name, protocol) -> number, and the ready addresses."""


def _slices(snapshot: Snapshot) -> dict[tuple[str, str], list[_Slice]]:
    found: dict[tuple[str, str], list[_Slice]] = {}
    for manifest in snapshot.all("EndpointSlice"):
        metadata = manifest["metadata"]
        service = (metadata.get("labels") or {}).get("kubernetes.io/service-name")
        if service:
            found.setdefault((metadata["namespace"], service), []).append(_slice(manifest))
    return found


def _slice(manifest: Manifest) -> _Slice:
    numbers = {_named(entry): entry["port"] for entry in manifest.get("ports") or () if entry.get("port")}
    ready = [
        address
        for endpoint in manifest.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]
    return numbers, ready


def _named(port: Manifest) -> tuple[str, str]:
    return port.get("name") or "", port.get("protocol") or "TCP"


def _endpoints(slices: Iterable[_Slice], port: Manifest, meshed: set[str]) -> tuple[Endpoint, ...]:
    name = _named(port)
    found = {(address, numbers[name]) for numbers, ready in slices if name in numbers for address in ready}
    return tuple(Endpoint(address, number, address in meshed) for address, number in sorted(found))


def pod_ports(snapshot: Snapshot, known: Iterable[Pod]) -> dict[PodKey, dict[tuple[int, bool], Protocol]]:
    """The ports on which pods take traffic: (number, whether UDP) -> protocol, from the Services that select them.

    They come from selectors rather than endpoints, so that a pod is guarded before it is ready. Where Services differ
    about a port, HTTP wins: it lets less through.
    """
    services = [service for service in snapshot.all("Service") if service["spec"].get("selector")]
    numbers = {_key(manifest): _named_ports(manifest) for manifest in snapshot.all("Pod")}
    found: dict[PodKey, dict[tuple[int, bool], Protocol]] = {}
    for pod in known:
        ports = found.setdefault(pod.key, {})
        for service in services:
            if service["metadata"]["namespace"] == pod.namespace and _selects(service["spec"]["selector"], pod.labels):
                _add(ports, service, numbers.get(pod.key, {}))
    return found


def _key(manifest: Manifest) -> PodKey:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def _add(ports: dict[tuple[int, bool], Protocol], service: Manifest, named: dict[str, int]) -> None:
    for port in service["spec"].get("ports") or ():
        spoken = protocol(port)
        target = port.get("targetPort") or port["port"]
        number = named.get(target) if isinstance(target, str) else target
        if number and ports.get((number, spoken == "udp")) != "http":
            ports[number, spoken == "udp"] = spoken


def _named_ports(manifest: Manifest) -> dict[str, int]:
    containers = manifest["spec"].get("containers") or ()
    return {
        port["name"]: port["containerPort"]
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name")
    }
