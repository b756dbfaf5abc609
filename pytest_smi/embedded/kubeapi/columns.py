"""Cells of the built-in tables that no JSONPath can express, by the name that kinds.py gives them."""

import json
from collections.abc import Callable
from typing import Any

from pytest_smi.embedded.kubeapi import pod_cells
from pytest_smi.embedded.kubeapi.ages import age

Object = dict[str, Any]


def text(value: Any) -> str:
    """A value as a cell shows it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _pairs(labels: Object | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _containers(obj: Object) -> list[Object]:
    pod = (_spec(obj).get("template") or {}).get("spec") or _spec(obj)
    found: list[Object] = pod.get("containers") or []
    return found


def _node_status(obj: Object) -> str:
    ready = [item for item in _status(obj).get("conditions") or () if item.get("type") == "Ready"]
    shown = ("Ready" if ready[0].get("status") == "True" else "NotReady") if ready else "Unknown"
    return f"{shown},SchedulingDisabled" if _spec(obj).get("unschedulable") else shown


def _node_address(kind: str) -> Callable[[Object], str]:
    def found(obj: Object) -> str:
        addresses = [one for one in _status(obj).get("addresses") or () if one.get("type") == kind]
        return str(addresses[0].get("address")) if addresses else "<none>"

    return found


def _node_info(field: str) -> Callable[[Object], str]:
    return lambda obj: str((_status(obj).get("nodeInfo") or {}).get(field) or "<unknown>")


def _node_roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


def _service_external(obj: Object) -> str:
    if _spec(obj).get("type") == "ExternalName":
        return str(_spec(obj).get("externalName"))
    return ",".join(_spec(obj).get("externalIPs") or ()) or "<none>"


def _service_ports(obj: Object) -> str:
    ports = [f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in _spec(obj).get("ports") or ()]
    return ",".join(ports) or "<none>"


def _addresses(subsets: list[Object]) -> list[str]:
    found: list[str] = []
    for subset in subsets:
        ports = [port.get("port") for port in subset.get("ports") or ()] or [None]
        for port in ports:
            suffix = f":{port}" if port else ""
            found += [f"{address.get('ip')}{suffix}" for address in subset.get("addresses") or ()]
    return found


def _shortened(items: list[str]) -> str:
    if not items:
        return "<none>"
    return ",".join(items[:3]) + (f" + {len(items) - 3} more..." if len(items) > 3 else "")


def _slice_endpoints(obj: Object) -> str:
    return _shortened([address for item in obj.get("endpoints") or () for address in item.get("addresses") or ()])


def _event_first(obj: Object) -> str:
    return age(obj.get("firstTimestamp") or obj.get("eventTime"))


def _event_seen(obj: Object) -> str:
    if series := obj.get("series"):
        return age(series.get("lastObservedTime"))
    return age(obj["lastTimestamp"]) if obj.get("lastTimestamp") else _event_first(obj)


def _event_count(obj: Object) -> int:
    return int((obj.get("series") or obj).get("count") or 1)


def _event_object(obj: Object) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _event_source(obj: Object) -> str:
    source = obj.get("source") or {}
    return ", ".join(filter(None, [source.get("component") or obj.get("reportingComponent"), source.get("host")]))


def _service_address(obj: Object) -> str:
    found = _spec(obj).get("clusterIPs") or [_spec(obj).get("clusterIP")]
    return str(found[0] or "<none>")


def _subjects(kind: str) -> Callable[[Object], str]:
    def names(obj: Object) -> str:
        chosen = [one for one in obj.get("subjects") or () if one.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{one.get('namespace', '')}/{one.get('name', '')}" for one in chosen)
        return ", ".join(one.get("name", "") for one in chosen)

    return names


def _selector(obj: Object) -> str:
    selector = _spec(obj).get("selector") or {}
    parts = [_pairs(selector["matchLabels"])] if selector.get("matchLabels") else []
    for item in selector.get("matchExpressions") or ():
        values = f" ({','.join(item.get('values') or ())})" if item.get("values") else ""
        parts.append(f"{item.get('key')} {str(item.get('operator')).lower()}{values}")
    return ",".join(parts) or "<none>"


def _apiservice_available(obj: Object) -> str:
    found = [item for item in _status(obj).get("conditions") or () if item.get("type") == "Available"]
    if not found:
        return "Unknown"
    shown = str(found[0].get("status"))
    return shown if shown == "True" else f"{shown} ({found[0].get('reason', '')})"


def _apiservice_service(obj: Object) -> str:
    service = _spec(obj).get("service")
    return f"{service.get('namespace')}/{service.get('name')}" if service else "Local"


_COMPUTED: dict[str, Callable[[Object], Any]] = {
    "node_status": _node_status,
    "node_internal": _node_address("InternalIP"),
    "node_external": _node_address("ExternalIP"),
    "node_system": _node_info("osImage"),
    "node_kernel": _node_info("kernelVersion"),
    "node_runtime": _node_info("containerRuntimeVersion"),
    "node_roles": _node_roles,
    "pod_ready": pod_cells.ready,
    "pod_status": pod_cells.status,
    "pod_restarts": pod_cells.restarts,
    "pod_ip": pod_cells.address,
    "pod_node": lambda obj: _spec(obj).get("nodeName") or "<none>",
    "pod_nominated": lambda obj: _status(obj).get("nominatedNodeName") or "<none>",
    "pod_gates": pod_cells.gates,
    "service_ip": _service_address,
    "service_external": _service_external,
    "service_ports": _service_ports,
    "service_selector": lambda obj: _pairs(_spec(obj).get("selector")),
    "endpoints": lambda obj: _shortened(_addresses(obj.get("subsets") or [])),
    "slice_ports": lambda obj: _shortened([str(port.get("port")) for port in obj.get("ports") or ()]),
    "slice_endpoints": _slice_endpoints,
    "data_count": lambda obj: len(obj.get("data") or {}) + len(obj.get("binaryData") or {}),
    "secret_count": lambda obj: len(obj.get("secrets") or ()),
    "event_seen": _event_seen,
    "event_first": _event_first,
    "event_count": _event_count,
    "event_part": lambda obj: (obj.get("involvedObject") or {}).get("fieldPath") or "",
    "event_message": lambda obj: str(obj.get("message") or "").strip(),
    "users": _subjects("User"),
    "groups": _subjects("Group"),
    "accounts": _subjects("ServiceAccount"),
    "event_object": _event_object,
    "event_source": _event_source,
    "deployment_ready": lambda obj: f"{_status(obj).get('readyReplicas', 0)}/{_spec(obj).get('replicas', 0)}",
    "deployment_updated": lambda obj: _status(obj).get("updatedReplicas", 0),
    "deployment_available": lambda obj: _status(obj).get("availableReplicas", 0),
    "status_replicas": lambda obj: _status(obj).get("replicas", 0),
    "ready_replicas": lambda obj: _status(obj).get("readyReplicas", 0),
    "container_names": lambda obj: ",".join(item.get("name", "") for item in _containers(obj)),
    "container_images": lambda obj: ",".join(item.get("image", "") for item in _containers(obj)),
    "selector": _selector,
    "role_ref": lambda obj: f"{obj.get('roleRef', {}).get('kind')}/{obj.get('roleRef', {}).get('name')}",
    "apiservice_service": _apiservice_service,
    "apiservice_available": _apiservice_available,
}


def computed(name: str, obj: Object) -> Any:
    """The cell of that name."""
    return _COMPUTED[name](obj)
