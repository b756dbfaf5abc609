"""The reference mesh on an embedded cluster, with a few pods; tests speak from the pods' addresses themselves."""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.paths import shipped
from pytest_smi.spec.kinds import KINDS
from tests.embedded.cluster_process import DEADLINE_SECONDS, Cluster, Object, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HTTP, TCP, BANNER, UDP = (8080, 9090), (7000, 7001), (7100,), (5530,)
ANSWER_SECONDS = 2.0
SIDECAR = {"embedded.pytest-smi.dev/sidecar": "true"}
AGREE = 5
"""A behaviour counts as settled when so many calls in a row show it."""


@dataclass
class Answer:
    """What came back: HTTP status (0 without an answer), the pod that answered, headers and body, how it failed."""

    status: int = 0
    pod: str | None = None
    body: str = ""
    failure: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def served(self) -> bool:
        """Whether an application answered."""
        return self.pod is not None


class Process:
    """A process that says a JSON line when it is ready."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest_smi.embedded.mesh", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=env,
        )

    def first_line(self) -> Object:
        """What it says first; called again, what it says next."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(DEADLINE_SECONDS), "the mesh said nothing"
        said: Object = json.loads(self.process.stdout.readline())
        return said

    def tell(self, order: str) -> None:
        """Write a line to it."""
        assert self.process.stdin
        self.process.stdin.write(f"{order}\n".encode())
        self.process.stdin.flush()

    def close(self) -> int:
        """Let go of the lifeline; the exit status."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            return self.process.wait(DEADLINE_SECONDS)
        finally:
            self.process.stdout.close()


class Scene:
    """Cluster, mesh and pods."""

    def __init__(self, state: Path, *mesh_options: str) -> None:
        self.cluster = Cluster(state / "cluster")
        self.state = state
        self.address: dict[str, str] = {}
        self._applied: list[str] = []
        config = self.cluster.said["kubeconfig"]
        self.mesh = Process("--kubeconfig", config, "--state", str(state / "mesh"), *mesh_options)
        try:
            self._deploy()
            self.said = self.mesh.first_line()
            self.settle_pods()
        except BaseException:
            self.close()
            raise

    def _deploy(self) -> None:
        code = (shipped("sample_app") / "sample_app.py").read_text()
        for namespace in ("tea", "tea2"):
            self.put("v1", "Namespace", "", namespace)
            self.put("v1", "ConfigMap", namespace, "sample-app", data={"sample_app.py": code})
        for name in ("kettle", "intruder", "teapot", "china", "glass"):
            self.pod("tea", name, labels={"pot": "yes"} if name in ("china", "glass") else {})
        self.pod("tea", "outsider", account="kettle", meshed=False)
        self.pod("tea2", "kettle2", account="kettle")
        for name in ("teapot", "china", "glass", "outsider"):
            self.service("tea", name, {"app": name})
        self.service("tea", "pots", {"pot": "yes"})

    def pod(
        self, namespace: str, name: str, *, account: str = "", meshed: bool = True, labels: dict[str, str] | None = None
    ) -> None:
        """Create a pod of the sample application, and its ServiceAccount."""
        self.put("v1", "ServiceAccount", namespace, account or name)
        identity = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
        env: list[Object] = [{"name": k, "valueFrom": {"fieldRef": {"fieldPath": v}}} for k, v in identity.items()]
        env.append({"name": "TCP_PORTS", "value": ",".join(map(str, TCP))})
        container = {
            "name": "app",
            "image": "python:3",
            "command": ["python3", "/app/sample_app.py"],
            "env": env,
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": 15900}, "periodSeconds": 1},
            "volumeMounts": [{"name": "app", "mountPath": "/app"}],
        }
        spec = {
            "serviceAccountName": account or name,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "app", "configMap": {"name": "sample-app"}}],
        }
        meta = {"labels": {"app": name, **(labels or {})}, "annotations": SIDECAR if meshed else {}}
        self.put("v1", "Pod", namespace, name, meta, spec=spec)

    def service(self, namespace: str, name: str, selector: dict[str, str], ports: Iterable[Object] = ()) -> None:
        """Create a Service; by default with all ports of the sample application."""
        streams = [*((p, "http") for p in HTTP), *((p, "tcp") for p in (*TCP, *BANNER))]
        every = [{"name": f"{kind}-{p}", "port": p, "appProtocol": kind} for p, kind in streams]
        every += [{"name": f"udp-{p}", "port": p, "protocol": "UDP"} for p in UDP]
        spec = {"selector": selector, "ports": list(ports) or every}
        self.put("v1", "Service", namespace, name, spec=spec)
        self.address[name] = self.cluster.get(f"/api/v1/namespaces/{namespace}/services/{name}")["spec"]["clusterIP"]

    def settle_pods(self) -> None:
        """Wait until every pod is ready; `address["pod/NAME"]` is its IP then."""

        def ready() -> bool:
            for namespace in ("tea", "tea2"):
                for pod in self.cluster.items(f"/api/v1/namespaces/{namespace}/pods"):
                    status = pod["status"]
                    if not any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])):
                        return False
                    self.address[f"pod/{pod['metadata']['name']}"] = status["podIP"]
            return True

        until("all pods to be ready", ready)

    def put(self, version: str, kind: str, namespace: str, name: str, meta: Object | None = None, **body: Any) -> str:
        """Apply an object; returns its path."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **(meta or {})}
        smi = KINDS.get(kind)
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        where = f"/namespaces/{namespace}" if namespace else ""
        path = f"{group}{where}/{smi.plural if smi else kind.lower() + 's'}/{name}"
        self.cluster.patch(path, {"apiVersion": version, "kind": kind, "metadata": metadata, **body}, "apply")
        return path

    def smi(self, kind: str, name: str, spec: Object, *, namespace: str = "tea", version: str = "v1alpha4") -> str:
        """Apply an SMI object, to be deleted by `clear`."""
        path = self.put(KINDS[kind].api_version(version), kind, namespace, name, spec=spec)
        self._applied.append(path)
        return path

    def allow(self, *sources: str, to: str = "teapot", rules: list[Object] | None = None, name: str = "tea") -> str:
        """Apply a TrafficTarget; by default it opens every request and every TCP port."""
        if rules is None:
            self.smi("HTTPRouteGroup", "all", {"matches": [{"name": "all", "pathRegex": ".*", "methods": ["*"]}]})
            self.smi("TCPRoute", "all", {"matches": {"ports": []}})
            rules = [{"kind": "HTTPRouteGroup", "name": "all"}, {"kind": "TCPRoute", "name": "all"}]
        subject = {"kind": "ServiceAccount", "namespace": "tea"}
        spec = {
            "destination": {**subject, "name": to},
            "sources": [{**subject, "name": source} for source in sources],
            "rules": rules,
        }
        return self.smi("TrafficTarget", name, spec)

    def delete(self, path: str) -> None:
        """Delete an object, if it is there."""
        try:
            self.cluster.delete(path)
        except ApiFailure as failure:
            if failure.code != 404:
                raise

    def clear(self) -> None:
        """Delete the SMI objects applied."""
        while self._applied:
            self.delete(self._applied.pop())

    def close(self) -> None:
        """End the mesh and the cluster."""
        try:
            if self.mesh.process.poll() is None:
                self.mesh.close()
        finally:
            self.cluster.close()

    # Traffic

    def connect(self, source: str, target: str, port: int) -> socket.socket:
        """A TCP connection from a pod's address to a Service (`NAME`) or a pod (`pod/NAME`)."""
        made = socket.create_connection(
            (self.address[target], port), ANSWER_SECONDS, (self.address[f"pod/{source}"], 0)
        )
        made.settimeout(ANSWER_SECONDS)
        return made

    def http(self, source: str, target: str, path: str = "/", port: int = 8080, **options: Any) -> Answer:
        """One request on a connection of its own. Options as for `request`."""
        try:
            with self.connect(source, target, port) as connection:
                return request(connection, path, **options)
        except OSError as fault:
            return Answer(failure=type(fault).__name__)

    def tcp(self, source: str, target: str, port: int = 7000, *, say: bytes = b"smi-id: x\n") -> Answer:
        """Says something (or nothing) to a TCP port and takes the first answer."""
        try:
            with self.connect(source, target, port) as connection:
                connection.sendall(say)
                return _greeting(connection.recv(65536))
        except OSError as fault:
            return Answer(failure=type(fault).__name__)

    def udp(self, source: str, target: str, port: int = 5530, seconds: float = 0.3) -> Answer:
        """Sends a datagram and takes the answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((self.address[f"pod/{source}"], 0))
            sender.settimeout(seconds)
            sender.connect((self.address[target], port))
            sender.send(b"smi-id: x")
            try:
                return _greeting(sender.recv(65536))
            except OSError as fault:
                return Answer(failure=type(fault).__name__)

    def settles(self, what: str, call: Callable[[], Answer], wanted: Callable[[Answer], bool]) -> Answer:
        """Waits until several calls in a row are answered as wanted; fails, showing the last answer, otherwise."""
        seen: list[Answer] = []

        def agreed() -> bool:
            seen.append(call())
            return len(seen) >= AGREE and all(wanted(answer) for answer in seen[-AGREE:])

        try:
            until(what, agreed, 5.0)
        except BaseException:
            print(f"last answers: {seen[-AGREE:]}")
            raise
        return seen[-1]

    def allowed(self, call: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Waits until a call is answered by an application."""
        return self.settles("the call to be served", partial(call, *arguments, **options), lambda a: a.served)

    def denied(self, call: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Waits until a call is not answered by an application."""
        return self.settles("the call to be refused", partial(call, *arguments, **options), lambda a: not a.served)


def request(
    connection: socket.socket,
    path: str = "/",
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    host: str = "teapot.tea",
) -> Answer:
    """One HTTP/1.1 request on an open connection."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    named = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    length = 0 if method == "HEAD" else int(named.get("content-length", 0))
    while len(body) < length:
        body += _more(connection)
    return Answer(int(status.split()[1]), named.get("x-smi-pod"), body.decode(), headers=named)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("closed without an answer")
    return data


def _greeting(data: bytes) -> Answer:
    found = re.match(rb"smi-pod: (\S+)", data)
    return Answer(
        pod=found[1].decode() if found else None, body=data.decode(errors="replace"), failure="" if found else "closed"
    )
