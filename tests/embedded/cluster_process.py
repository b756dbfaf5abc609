"""The embedded cluster as its users start it: a process of its own, spoken to over its kubeconfig."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_smi.embedded.client import ApiFailure, Client, path_to

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

DEADLINE_SECONDS = 20.0
POLL_SECONDS = 0.005

Object = dict[str, Any]
T = TypeVar("T")

# Answers with its environment; /ready only after /open; /pid/child starts a child; /exit/N ends with that status.
SERVER = """
import http.server, json, os, signal, subprocess, sys
opened = False
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global opened
        status, body = 200, {"pid": os.getpid(), "env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd()}
        if self.path == "/open":
            opened = True
        elif self.path == "/shut":
            opened = False
        elif self.path == "/ready":
            status = 200 if opened else 503
        elif self.path == "/child":
            body["child"] = subprocess.Popen(["sleep", "600"]).pid
        elif self.path.startswith("/exit/"):
            os._exit(int(self.path[6:]))
        answer = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, form, *args):
        print(form % args, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer((os.environ["BIND_ADDRESS"], 8080), Handler)
print("serving", flush=True)
server.serve_forever()
"""


class Cluster:
    """A running cluster process, and a client with deadlines."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest_smi.embedded", "--state", str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.said = self.first_line()
        self._runner = asyncio.Runner()
        self.client = Client.from_kubeconfig(self.said["kubeconfig"])

    def first_line(self) -> Object:
        """What it says when it is ready, or cannot be."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(DEADLINE_SECONDS), "the cluster said nothing"
        said: Object = json.loads(self.process.stdout.readline())
        return said

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, within the deadline."""

        async def limited() -> T:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await what

        return self._runner.run(limited())

    def get(self, path: str, **query: object) -> Object:
        """Reads an object or a list."""
        return self.run(self.client.get(path, **query))

    def find(self, path: str) -> Object | None:
        """Reads an object that may not be there."""
        try:
            return self.get(path)
        except ApiFailure as failure:
            if failure.code == 404:
                return None
            raise

    def items(self, path: str, **query: object) -> list[Object]:
        """Reads the objects of a collection."""
        found: list[Object] = self.get(path, **query)["items"]
        return found

    def create(self, api_version: str, plural: str, namespace: str, obj: Object) -> Object:
        """Creates an object; its kind and version must be in it."""
        return self.run(self.client.create(path_to(api_version, plural, namespace), obj))

    def patch(self, path: str, patch: Any, kind: Any = "merge") -> Object:
        """Patches an object."""
        return self.run(self.client.patch(path, patch, kind))

    def delete(self, path: str, **options: object) -> None:
        """Deletes an object with these DeleteOptions."""
        self.run(self.client.delete(path, {"apiVersion": "v1", "kind": "DeleteOptions", **options}))

    def until(self, what: str, condition: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
        """Waits for a condition to become true; fails, naming it, when it does not."""
        return until(what, condition, seconds)

    def close(self) -> int:
        """Lets go of the lifeline; the exit status. May be called again."""
        assert self.process.stdin
        assert self.process.stdout
        if not self.process.stdin.closed:
            self.client.close()
            self._runner.run(asyncio.sleep(0))  # connections are closed in the loop's next round
            self._runner.close()
            self.process.stdin.close()
        try:
            return self.process.wait(DEADLINE_SECONDS)
        finally:
            self.process.stdout.close()


def until(what: str, condition: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
    """Polls a condition until it is true; fails, naming it, when it does not become so in time."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as pause:
        while not (result := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:g} s for {what}")
            pause.select(POLL_SECONDS)
    return result


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """All processes below a process."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(parent, []).append(int(folder.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def pod_spec(command: list[str] | None = None, **container: Any) -> Object:
    """A pod's spec: by default the server above, run from the ConfigMap `code`."""
    one: Object = {
        "name": "app",
        "image": "python:3",
        "command": command or ["python3", "/code/server.py"],
        **container,
    }
    one["volumeMounts"] = [{"name": "code", "mountPath": "/code"}]
    volume = {"name": "code", "configMap": {"name": "code", "optional": True}}
    return {"containers": [one], "volumes": [volume], "terminationGracePeriodSeconds": 2}


def pod(name: str, spec: Object | None = None, **metadata: Any) -> Object:
    """A Pod."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec or pod_spec()}


def deployment(name: str, replicas: int = 1, spec: Object | None = None, **more: Any) -> Object:
    """A Deployment of pods labelled app=NAME."""
    template = {"metadata": {"labels": {"app": name}}, "spec": spec or pod_spec(readinessProbe=READY)}
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **more}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body}


READY: Object = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}


class Place:
    """A namespace of its own for one test."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.create("v1", "namespaces", "", namespace)
        code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": {"server.py": SERVER}}
        self.create(code)

    def create(self, obj: Object) -> Object:
        """Creates an object here."""
        plural = {"Endpoints": "endpoints"}.get(obj["kind"], obj["kind"].lower() + "s")
        return self.cluster.create(obj["apiVersion"], plural, self.name, obj)

    def path(self, plural: str, name: str = "", subresource: str = "") -> str:
        """The path of something here."""
        groups = {"deployments": "apps/v1", "replicasets": "apps/v1", "endpointslices": "discovery.k8s.io/v1"}
        return path_to(groups.get(plural, "v1"), plural, self.name, name, subresource)

    def pods(self, selector: str | None = None) -> list[Object]:
        """Its pods."""
        return self.cluster.items(self.path("pods"), labelSelector=selector)

    def pod(self, name: str) -> Object:
        """One pod."""
        return self.cluster.get(self.path("pods", name))

    def ready(self, name: str) -> Object:
        """A pod, once it is ready."""

        def found() -> Object | None:
            one = self.cluster.find(self.path("pods", name))
            return one if one and is_ready(one) else None

        return self.cluster.until(f"pod {name} to be ready", found)

    def available(self, name: str, replicas: int) -> Object:
        """A Deployment, once its newest state is rolled out and available with so many replicas."""

        def found() -> Object | None:
            one = self.cluster.get(self.path("deployments", name))
            status = one.get("status", {})
            counts = [status.get(f) or 0 for f in ("replicas", "updatedReplicas", "availableReplicas")]
            current = status.get("observedGeneration") == one["metadata"]["generation"]
            return one if current and counts == [replicas] * 3 else None

        return self.cluster.until(f"deployment {name} to have {replicas} available", found)

    def log(self, name: str, **query: object) -> str:
        """The log of a pod; empty while its container waits to be started."""
        try:
            return str(self.cluster.get(self.path("pods", name, "log"), **query).get("text", ""))
        except ApiFailure as failure:
            if failure.code == 400 and "waiting to start" in failure.message:
                return ""
            raise


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready is True."""
    found = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def container_state(pod: Object) -> Object:
    """The status of a pod's first container."""
    every: list[Object] = pod.get("status", {}).get("containerStatuses") or []
    return every[0] if every else {"state": {}, "lastState": {}, "restartCount": 0}


def ask(address: str, path: str = "/", port: int = 8080) -> Object:
    """An answer of the server above."""
    import http.client

    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        answer: Object = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for the tests of a module."""
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    yield running
    below = descendants(running.process.pid)
    assert running.close() == 0
    assert [pid for pid in below if alive(pid)] == []
    assert "Traceback" not in (running.state / "cluster.log").read_text()


@pytest.fixture
def place(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace named after the test, deleted with all it holds."""
    name = request.node.name.removeprefix("test_").replace("_", "-").replace("[", "-").replace("]", "")[:50].rstrip("-")
    here = Place(cluster, name.lower())
    yield here
    path = path_to("v1", "namespaces", name=here.name)
    if cluster.find(path):
        cluster.delete(path)
        cluster.until(f"namespace {here.name} to be gone", lambda: cluster.find(path) is None)


def venv_program(name: str) -> str | None:
    """A program installed beside this Python, or on PATH."""
    import shutil

    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
