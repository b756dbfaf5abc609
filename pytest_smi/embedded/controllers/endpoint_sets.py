"""From a Service and its Pods to Endpoints subsets and EndpointSlices. Pure."""

from __future__ import annotations

from typing import Any

from pytest_smi.embedded.controllers import podstate
from pytest_smi.embedded.controllers.ownership import deleting

Object = dict[str, Any]
Ports = tuple[tuple[str, int, str, str], ...]  # name, number, protocol, application protocol


def backs(pod: Object) -> bool:
    """Whether a selected pod can stand in Endpoints at all: it has an address and has not finished."""
    status = pod.get("status", {})
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")


def resolved_ports(service: Object, pod: Object) -> Ports:
    """The Service's ports as numbers of this pod; a named target port that the pod lacks is left out."""
    found = []
    for port in service["spec"].get("ports") or []:
        protocol = port.get("protocol", "TCP")
        number = _target(port.get("targetPort") or port["port"], protocol, pod)
        if number is not None:
            found.append((port.get("name", ""), number, protocol, port.get("appProtocol", "")))
    return tuple(found)


def _target(target: int | str, protocol: str, pod: Object) -> int | None:
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return int(target) if target.isdigit() else None


def subsets(service: Object, pods: list[Object]) -> list[Object]:
    """The subsets of an Endpoints object: pods that are ending are in none, pods not ready in notReadyAddresses."""
    grouped: dict[Ports, dict[str, list[Object]]] = {}
    for pod in sorted(pods, key=lambda pod: str(pod["status"].get("podIP"))):
        anyway = service["spec"].get("publishNotReadyAddresses", False)
        if deleting(pod) and not anyway:
            continue
        part = "addresses" if podstate.ready(pod) or anyway else "notReadyAddresses"
        address = {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": _reference(pod)}
        if name := _hostname(service, pod):
            address["hostname"] = name
        grouped.setdefault(resolved_ports(service, pod), {}).setdefault(part, []).append(address)
    return [{**parts, **({"ports": _ports(ports)} if ports else {})} for ports, parts in sorted(grouped.items())]


def slices(service: Object, pods: list[Object]) -> list[tuple[list[Object], list[Object]]]:
    """(ports, endpoints) of each EndpointSlice: one for every set of resolved ports, in a steady order."""
    grouped: dict[Ports, list[Object]] = {}
    for pod in sorted(pods, key=lambda pod: str(pod["status"].get("podIP"))):
        grouped.setdefault(resolved_ports(service, pod), []).append(_endpoint(service, pod))
    return [(_ports(ports), endpoints) for ports, endpoints in sorted(grouped.items())]


def _endpoint(service: Object, pod: Object) -> Object:
    serving, ending = podstate.ready(pod), deleting(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not ending)
    endpoint: Object = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": ending},
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": _reference(pod),
    }
    if name := _hostname(service, pod):
        endpoint["hostname"] = name
    return endpoint


def _hostname(service: Object, pod: Object) -> str:
    name = pod["spec"].get("hostname", "")
    return name if pod["spec"].get("subdomain") == service["metadata"]["name"] else ""


def _reference(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def _ports(ports: Ports) -> list[Object]:
    fields = ("name", "port", "protocol", "appProtocol")
    return [{field: value for field, value in zip(fields, port, strict=True) if value} for port in ports]
