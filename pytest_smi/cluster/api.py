"""The Kubernetes API as the suite uses it: dictionaries in, dictionaries out, over the official client's transport.

The official client reads kubeconfigs, authenticates and speaks TLS; its typed models are not used, because they are
stricter than the API and differ between its releases (facts measured on 28 to 37). One `Api` belongs to one thread.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from pytest_smi.cluster.refusals import concerns_object, explain
from pytest_smi.cluster.transport import PATIENCE_SECONDS, Ask, Transport
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from kubernetes.client import ApiClient

MANAGER = "pytest-smi"
_CONTENT = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_CLUSTER_SCOPED = {"Namespace", "Node", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "APIService"}
_IRREGULAR = {"Endpoints": "endpoints", "Ingress": "ingresses"}


class Refused(ClusterError):
    """The API server answered with something else than success; `status` is its `Status` object.

    Where nobody expects it, it is a fault of cluster or harness, as when the user of the kubeconfig lacks a right.
    `concerns_object` tells whether it is a judgement of the object sent, and not of the sender or the server.
    """

    def __init__(self, code: int, status: Mapping[str, Any], request: str) -> None:
        super().__init__(*explain(code, status, request))
        self.code = code
        self.concerns_object = concerns_object(code, status)
        self.status = dict(status)
        self.reason = str(status.get("reason", ""))
        self.message = str(status.get("message", ""))


class Reply(NamedTuple):
    """An answer of the API server: HTTP status, body as parsed JSON (or text), and `Warning` headers."""

    code: int
    body: Any
    warnings: tuple[str, ...]


def plural(kind: str) -> str:
    """The resource name of a kind, by the rule that all kinds used here follow: `TCPRoute` -> `tcproutes`."""
    if kind in _IRREGULAR:
        return _IRREGULAR[kind]
    lower = kind.lower()
    return lower[:-1] + "ies" if lower.endswith("y") else lower + ("es" if lower.endswith("s") else "s")


def path_of(api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """The URL path of a kind's collection or, with a name, of one object."""
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    space = f"/namespaces/{quote(namespace)}" if namespace and kind not in _CLUSTER_SCOPED else ""
    return f"{root}{space}/{plural(kind)}" + (f"/{quote(name)}" if name else "")


def path_to(manifest: Mapping[str, Any], *, collection: bool = False) -> str:
    """The URL path of the object that a manifest describes (or of the collection that holds it)."""
    meta = manifest.get("metadata", {})
    return path_of(
        manifest["apiVersion"], manifest["kind"], meta.get("namespace"), None if collection else meta.get("name")
    )


class Api:
    """Requests to one API server. Every method raises `Refused` for an error status and ClusterError when none came.

    `timeout` limits one attempt, `patience` is for how long the server may be away in the middle, both in seconds; see
    transport.py for what is repeated.
    """

    def __init__(self, client: ApiClient, *, timeout: float = 30.0, patience: float = PATIENCE_SECONDS) -> None:
        self.transport = Transport(client, timeout=timeout, patience=patience)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: str = "application/json",
        accept: str = "application/json",
        query: Mapping[str, Any] | None = None,
    ) -> Reply:
        """One request; never raises for a status. `query` values may be lists; None values are left out."""
        response = self._send(method, path, body, content, accept, query, stream=False)
        return Reply(response.status, _parsed(response.data), tuple(response.headers.getlist("Warning")))

    def _send(self, method: str, path: str, body: Any, content: str, accept: str, query: Any, *, stream: bool) -> Any:
        pairs = [(k, v) for k, v in (query or {}).items() if v is not None]
        whole = path + ("?" + urlencode(pairs, doseq=True) if pairs else "")
        headers, data = {"Accept": accept}, None
        if body is not None:
            headers["Content-Type"] = content
            data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        repeatable = method in ("GET", "HEAD", "DELETE") or content == _CONTENT["apply"]
        return self.transport.send(Ask(method, whole, data, headers, repeatable), stream=stream)

    def _checked(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        reply = self.request(method, path, body, **options)
        _check(reply.code, reply.body, f"{method} {path}")
        return reply.body

    def text(self, path: str, **query: Any) -> str:
        """What is at a path that serves no objects, such as the log of a pod, as it is."""
        response = self._send("GET", path, None, "", "*/*", query, stream=False)
        _check(response.status, _parsed(response.data), f"GET {path}")
        return bytes(response.data).decode("utf-8", "replace")

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The object or list at a path."""
        return dict(self._checked("GET", path, query=query))

    def find(self, path: str) -> dict[str, Any] | None:
        """The object at a path, or None when there is none."""
        try:
            return self.get(path)
        except Refused as refusal:
            if refusal.code == 404:
                return None
            raise

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The items of a collection."""
        return list(self.get(path, **query)["items"])

    def create(self, manifest: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Create an object."""
        return dict(self._checked("POST", path_to(manifest, collection=True), manifest, query=query))

    def apply(self, manifest: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Server-side-apply an object as field manager `pytest-smi`."""
        query = {"fieldManager": MANAGER, "force": "true", **query}
        return dict(self._checked("PATCH", path_to(manifest), manifest, content=_CONTENT["apply"], query=query))

    def write(self, manifest: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Create an object or, where there is one of its name, replace it."""
        try:
            return self.create(manifest, **query)
        except Refused as refusal:
            if refusal.code != 409:
                raise
        version = self.get(path_to(manifest))["metadata"]["resourceVersion"]
        return self.replace({**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}, **query)

    def replace(self, manifest: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Update an object as a whole."""
        return dict(self._checked("PUT", path_to(manifest), manifest, query=query))

    def patch(self, path: str, patch: Any, kind: str = "merge", **query: Any) -> dict[str, Any]:
        """Patch an object; `kind` is merge, json or strategic."""
        return dict(self._checked("PATCH", path, patch, content=_CONTENT[kind], query=query))

    def delete(self, path: str, *, preconditions: Mapping[str, str] | None = None, **query: Any) -> bool:
        """Delete the object at a path; False when it was not there. `preconditions` names the uid that it must have."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        try:
            self._checked("DELETE", path, options if preconditions else None, query=query)
        except Refused as refusal:
            if refusal.code == 404:
                return False
            raise
        return True

    def now(self) -> dt.datetime:
        """The time by the API server's clock, as of its last answer; by ours when it does not tell."""
        return self.transport.now()

    def watch(self, path: str, *, seconds: float, **query: Any) -> Iterator[dict[str, Any]]:
        """Watch events of a collection until the server ends the watch after `seconds`, or the caller stops."""
        query = {"watch": "true", "timeoutSeconds": max(1, round(seconds)), **query}
        response = self._send("GET", path, None, "", "application/json", query, stream=True)
        try:
            if response.status >= 400:
                _check(response.status, _parsed(response.read()), f"GET {path}?watch")
            for line in _lines(response.stream(65536)):
                yield json.loads(line)
        finally:
            response.close()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())


def _check(code: int, body: Any, request: str) -> None:
    """Raise Refused for an error status; what answered may be a proxy, which knows no `Status`."""
    if code >= 400:
        raise Refused(code, body if isinstance(body, dict) else {"message": str(body)[:300]}, request)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
