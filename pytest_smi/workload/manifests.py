"""The Kubernetes objects of the scene, fitted to a mesh by its profile's onboarding. Pure."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.ownership import PART_LABEL, SCENE
from pytest_smi.cluster.ownership import labels as owned
from pytest_smi.workload import ports

if TYPE_CHECKING:
    from pytest_smi.mesh.schema import Onboarding

SOURCE_CONFIGMAP = "sample-app"
IMAGE = "python:3.13-slim"
WORKLOAD_LABEL = "pytest-smi.dev/workload"
WEB = "web"
"""The name of a pod's first HTTP port, for Services whose targetPort is a name."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    """One Deployment of the sample application, as asked for.

    `meshed` False keeps its pods out of the mesh; `service` False leaves out the Service of the same name.
    `ports` replaces the port lists of the application by name, e.g. `{"HTTP_PORTS": "8081"}`.
    """

    name: str
    namespace: str
    service_account: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    replicas: int = 1
    meshed: bool = True
    service: bool = True
    ports: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The ServiceAccount of its pods."""
        return self.service_account or self.name

    @property
    def marks(self) -> dict[str, str]:
        """Labels of its pods by which Services select them."""
        return {"app": self.name, **self.labels, WORKLOAD_LABEL: self.name}


def namespace(name: str, run: str, onboarding: Onboarding) -> Manifest:
    """A namespace that takes part in the mesh."""
    joined = {**owned(run), PART_LABEL: SCENE, **onboarding.namespace_labels}
    meta = {"name": name, "labels": joined, "annotations": dict(onboarding.namespace_annotations)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def source(namespace_name: str, run: str, code: str, packages: bytes = b"") -> Manifest:
    """The ConfigMap that carries the sample application, so that no image need be built or pulled for it.

    `packages` is a zip file with Python packages that the image may lack.
    """
    meta = _meta(SOURCE_CONFIGMAP, namespace_name, run)
    content: Manifest = {"data": {"sample_app.py": code}}
    if packages:
        content["binaryData"] = {"packages.zip": b64encode(packages).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **content}


def service_account(name: str, namespace_name: str, run: str) -> Manifest:
    """A ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name, namespace_name, run)}


def deployment(one: Deployed, run: str, onboarding: Onboarding, image: str = IMAGE) -> Manifest:
    """The Deployment of one workload, its pods made from `image`."""
    joined = onboarding.pod_labels if one.meshed else onboarding.outside_labels
    notes = onboarding.pod_annotations if one.meshed else onboarding.outside_annotations
    select = {WORKLOAD_LABEL: one.name}
    template = {
        "metadata": {"labels": {**owned(run), **joined, **one.marks}, "annotations": dict(notes)},
        "spec": _pod(one, image),
    }
    spec = {"replicas": one.replicas, "selector": {"matchLabels": select}, "template": template}
    own = _meta(one.name, one.namespace, run)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": own, "spec": spec}


def _pod(one: Deployed, image: str) -> Manifest:
    probe = {"httpGet": {"path": "/healthz", "port": ports.CONTROL}, "periodSeconds": 1, "failureThreshold": 30}
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/app/sample_app.py"],
        "env": [*_identity(), *({"name": k, "value": v} for k, v in one.ports.items())],
        "ports": [
            {"containerPort": ports.CONTROL, "name": "control"},
            {"containerPort": ports.HTTP[0], "name": WEB},
        ],
        "readinessProbe": probe,
        "volumeMounts": [{"name": "app", "mountPath": "/app"}],
    }
    # Left out for the default: a pod that names no ServiceAccount has the identity `default` (TA-015).
    account = {} if one.account == "default" else {"serviceAccountName": one.account}
    return {
        **account,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "app", "configMap": {"name": SOURCE_CONFIGMAP}}],
    }


def _identity() -> list[Manifest]:
    paths = {
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "SERVICE_ACCOUNT": "spec.serviceAccountName",
        "POD_IP": "status.podIP",
    }
    return [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in paths.items()]


def services(
    name: str,
    namespace_name: str,
    run: str,
    selector: dict[str, str],
    onboarding: Onboarding,
    service_ports: list[Manifest] | None = None,
) -> list[Manifest]:
    """A Service; by default with every port of the sample application and the protocol hints that meshes read.

    For a mesh whose Services speak one protocol each there is one for each protocol, named by `service_name`.
    """
    wanted = every_port() if service_ports is None else service_ports
    separate = onboarding.by_protocol.protocols
    parts = {protocol: [one for one in wanted if _protocol(one) == protocol] for protocol in separate} or {"": wanted}
    found = []
    for protocol, its_ports in parts.items():
        if not its_ports:
            continue
        notes = getattr(onboarding.by_protocol, protocol) if protocol else {}
        meta = _meta(service_name(name, protocol, onboarding), namespace_name, run)
        meta["annotations"] = {**onboarding.service_annotations, **notes}
        spec = {"selector": selector, "ports": [_hinted(one, onboarding) for one in its_ports]}
        found.append({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    return found


def service_name(name: str, protocol: str, onboarding: Onboarding) -> str:
    """The name of the Service that carries a protocol (http, tcp, udp) of the one called `name`."""
    return f"{name}-{protocol}" if protocol in ("tcp", "udp") and onboarding.by_protocol.protocols else name


def service_names(name: str, onboarding: Onboarding) -> set[str]:
    """The names of all Services of the one called `name`, whatever protocol each carries."""
    return {service_name(name, protocol, onboarding) for protocol in ("http", "tcp", "udp")}


def splits(manifest: Manifest, onboarding: Onboarding) -> list[Manifest]:
    """A TrafficSplit and, where TCP has Services of its own, its like for those; anything else as it is."""
    spec = manifest.get("spec", {})
    if manifest["kind"] != "TrafficSplit" or "tcp" not in onboarding.by_protocol.protocols or "matches" in spec:
        return [manifest]

    def of_tcp(name: str) -> str:
        return service_name(name, "tcp", onboarding)

    backends = [{**one, "service": of_tcp(one["service"])} for one in spec["backends"]]
    meta = {**manifest["metadata"], "name": of_tcp(manifest["metadata"]["name"])}
    return [
        manifest,
        {**manifest, "metadata": meta, "spec": {"service": of_tcp(spec["service"]), "backends": backends}},
    ]


def _protocol(one: Manifest) -> str:
    return "udp" if one["protocol"] == "UDP" else "tcp" if one.get("appProtocol") == "tcp" else "http"


def _hinted(one: Manifest, onboarding: Onboarding) -> Manifest:
    """The port with the `appProtocol` that the mesh wants to see on it."""
    server_first = one["targetPort"] in ports.BANNER
    hint = getattr(onboarding.app_protocols, "server_first" if server_first else _protocol(one))
    rest = {key: value for key, value in one.items() if key != "appProtocol"}
    return {**rest, "appProtocol": hint} if hint else rest


def every_port() -> list[Manifest]:
    """Service ports for all ports of the sample application."""
    streams = [*((p, "http") for p in ports.HTTP), *((p, "tcp") for p in (*ports.TCP, *ports.BANNER))]
    tcp = [port(number, protocol) for number, protocol in streams]
    return tcp + [{"name": f"udp-{p}", "port": p, "targetPort": p, "protocol": "UDP"} for p in ports.UDP]


def port(number: int, protocol: str = "http", target: int | str | None = None) -> Manifest:
    """One TCP port of a Service that speaks `http` or `tcp`; `target` defaults to the same number.

    A profile may have the hint written otherwise for its mesh (`[onboarding.app_protocols]`).
    """
    return {
        "name": f"{protocol}-{number}",
        "port": number,
        "targetPort": number if target is None else target,
        "protocol": "TCP",
        "appProtocol": protocol,
    }


def _meta(name: str, namespace_name: str, run: str) -> Manifest:
    return {"name": name, "namespace": namespace_name, "labels": owned(run)}
