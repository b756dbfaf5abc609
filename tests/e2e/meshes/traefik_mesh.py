"""Prints the objects of Traefik Mesh: run by its profile as `python -m tests.e2e.meshes.traefik_mesh [--acl]`.

Its chart is published outside of its sources, so the objects are put together here; the definitions of the SMI kinds
are those in the sources.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.builds import sources
from tests.e2e.contents import TRAEFIK, TRAEFIK_MESH

_NAMESPACE = "traefik-mesh"
_CONTROLLER, _PROXY = "traefik-mesh-controller", "traefik-mesh-proxy"
_API_PORT = 9000
_PING_PORT = 1081
# Entry points of each proxy: HTTP counts the ports of one Service, the others those of all Services together. Every
# worker of a run has a scene with 28 TCP ports and 14 UDP ports, and tests bring more.
_HTTP, _TCP, _UDP = 10, 240, 120
_FIRST = {"http": 5000, "tcp": 10000, "udp": 15000}

Manifest = dict[str, Any]


def objects(*, acl: bool) -> list[Manifest]:
    """Everything that the mesh consists of but its namespace."""
    folder = sources("traefik-mesh") / "integration" / "testdata" / "crds"
    return [*_definitions(folder), *_account(_CONTROLLER, _RULES), _controller(acl), _service(), _proxy()]


def _definitions(folder: Path) -> list[Manifest]:
    """One of each name: a file there has TrafficSplit twice, of which `kubectl apply` leaves the second."""
    texts = [file.read_text("utf-8") for file in sorted(folder.glob("*.yaml"))]
    found = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return list({one["metadata"]["name"]: one for one in found}.values())


_RULES = [
    {"apiGroups": [""], "resources": ["pods", "endpoints"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "update"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch", "create", "update", "delete"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "update"]},
    {
        "apiGroups": ["access.smi-spec.io", "specs.smi-spec.io", "split.smi-spec.io"],
        "resources": ["traffictargets", "httproutegroups", "tcproutes", "trafficsplits"],
        "verbs": ["get", "list", "watch"],
    },
]


def _account(name: str, rules: list[Manifest]) -> list[Manifest]:
    rbac = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": name, "namespace": _NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": _NAMESPACE}},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [account],
        },
    ]


def _controller(acl: bool) -> Manifest:
    common = [f"--namespace={_NAMESPACE}", *(["--acl"] if acl else [])]
    container = {
        "name": _CONTROLLER,
        "image": TRAEFIK_MESH,
        "args": [
            *common,
            "--defaultMode=http",
            f"--limitHTTPPort={_HTTP}",
            f"--limitTCPPort={_TCP}",
            f"--limitUDPPort={_UDP}",
        ],
        "ports": [{"name": "api", "containerPort": _API_PORT}],
        "readinessProbe": {"httpGet": {"path": "/api/status/readiness", "port": "api"}, "periodSeconds": 1},
    }
    prepare = {
        "name": "traefik-mesh-prepare",
        "image": TRAEFIK_MESH,
        "args": ["prepare", "--clusterdomain=cluster.local", *common],
    }
    spec = {"serviceAccountName": _CONTROLLER, "initContainers": [prepare], "containers": [container]}
    return _workload("Deployment", _CONTROLLER, "controller", spec)


def _proxy() -> Manifest:
    """Traefik on every node, which asks the controller for its configuration."""
    counts = {"http": (_HTTP, ""), "tcp": (_TCP, ""), "udp": (_UDP, "/udp")}
    points = [
        f"--entryPoints.{kind}-{port}.address=:{port}{suffix}"
        for kind, (count, suffix) in counts.items()
        for port in range(_FIRST[kind], _FIRST[kind] + count)
    ]
    trusting = [
        f"--entryPoints.http-{port}.forwardedHeaders.insecure=true"
        for port in range(_FIRST["http"], _FIRST["http"] + _HTTP)
    ]
    endpoint = f"http://{_CONTROLLER}.{_NAMESPACE}.svc.cluster.local:{_API_PORT}/api/configuration/current"
    container = {
        "name": _PROXY,
        "image": TRAEFIK,
        "args": [
            f"--entryPoints.readiness.address=:{_PING_PORT}",
            *points,
            *trusting,
            f"--providers.http.endpoint={endpoint}",
            "--providers.http.pollInterval=100ms",
            "--providers.http.pollTimeout=1s",
            "--ping",
            "--ping.entryPoint=readiness",
            "--api.dashboard=false",
        ],
        "ports": [{"name": "readiness", "containerPort": _PING_PORT}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": "readiness"}, "periodSeconds": 1},
    }
    return _workload("DaemonSet", _PROXY, "maesh-mesh", {"containers": [container]})


def _service() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _CONTROLLER, "namespace": _NAMESPACE, "labels": _labels("controller")},
        "spec": {"selector": {"component": "controller"}, "ports": [{"port": _API_PORT, "targetPort": "api"}]},
    }


def _workload(kind: str, name: str, component: str, spec: Manifest) -> Manifest:
    labels = _labels(component)
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        container["imagePullPolicy"] = "Never"
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": _NAMESPACE, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def _labels(component: str) -> dict[str, str]:
    """The labels that the mesh's own objects and its Services look for."""
    return {"app": "maesh", "component": component}


if __name__ == "__main__":
    yaml.safe_dump_all(objects(acl="--acl" in sys.argv[1:]), sys.stdout)
