"""The Kubernetes objects of the scene, fitted to a mesh by its profile's onboarding. Pure."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.ownership import labels as owned
from pytest_smi.workload import ports

if TYPE_CHECKING:
    from pytest_smi.mesh.profile import Onboarding

SOURCE_CONFIGMAP = "sample-app"
IMAGE = "python:3.13-slim"

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


def namespace(name: str, run: str, onboarding: Onboarding) -> Manifest:
    """A namespace that takes part in the mesh."""
    labels = {**owned(run), **onboarding.namespace_labels}
    meta = {"name": name, "labels": labels, "annotations": dict(onboarding.namespace_annotations)}
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
    select = {"pytest-smi.dev/workload": one.name}
    labels = {**owned(run), **joined, "app": one.name, **one.labels, **select}
    template = {"metadata": {"labels": labels, "annotations": dict(notes)}, "spec": _pod(one, image)}
    spec = {"replicas": one.replicas, "selector": {"matchLabels": select}, "template": template}
    meta = _meta(one.name, one.namespace, run)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _pod(one: Deployed, image: str) -> Manifest:
    probe = {"httpGet": {"path": "/healthz", "port": ports.CONTROL}, "periodSeconds": 1, "failureThreshold": 30}
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/app/sample_app.py"],
        "env": [*_identity(), *({"name": k, "value": v} for k, v in one.ports.items())],
        "ports": [{"containerPort": ports.CONTROL, "name": "control"}],
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


def service(
    name: str,
    namespace_name: str,
    run: str,
    selector: dict[str, str],
    onboarding: Onboarding,
    service_ports: list[Manifest] | None = None,
) -> Manifest:
    """A Service; by default with every port of the sample application and the protocol hints that meshes read."""
    meta = {**_meta(name, namespace_name, run), "annotations": dict(onboarding.service_annotations)}
    spec = {"selector": selector, "ports": every_port() if service_ports is None else service_ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def every_port() -> list[Manifest]:
    """Service ports for all ports of the sample application."""
    streams = [*((p, "http") for p in ports.HTTP), *((p, "tcp") for p in (*ports.TCP, *ports.BANNER))]
    tcp = [port(number, protocol) for number, protocol in streams]
    return tcp + [{"name": f"udp-{p}", "port": p, "targetPort": p, "protocol": "UDP"} for p in ports.UDP]


def port(number: int, protocol: str = "http", target: int | str | None = None) -> Manifest:
    """One TCP port of a Service with its application protocol; `target` defaults to the same number."""
    return {
        "name": f"{protocol}-{number}",
        "port": number,
        "targetPort": number if target is None else target,
        "protocol": "TCP",
        "appProtocol": protocol,
    }


def _meta(name: str, namespace_name: str, run: str) -> Manifest:
    return {"name": name, "namespace": namespace_name, "labels": owned(run)}
