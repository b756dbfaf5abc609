"""A small asynchronous Kubernetes client on the standard library, for everything inside the embedded cluster.

Objects are plain dictionaries. It works against a real kube-apiserver too.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pytest_smi.embedded import kubeconfig
from pytest_smi.embedded.wire import Connection, Head, StaleConnection

_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_IDLE_KEPT = 16  # connections; more than the controllers ever have in flight at rest


def path_to(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a collection, an object or a subresource, e.g. `/apis/apps/v1/namespaces/tea/deployments/pot`."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    scope = ["namespaces", namespace] if namespace else []
    return "/".join([root, *scope, plural, *([name] if name else []), *([subresource] if subresource else [])])


class ApiFailure(Exception):
    """The API server refused: HTTP status `code`, and `reason`, `message`, `status` from the Status object."""

    def __init__(self, code: int, reason: str, message: str, status: dict[str, Any]) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.status = status


class Client:
    """Requests to one API server over kept-alive connections.

    `server` is `http://host:port` or `https://host:port`; `ca_pem` verifies the latter. Every method raises ApiFailure
    for an answer other than 2xx and OSError when the server cannot be reached. Query values may be str, int or bool;
    None leaves the parameter out.
    """

    def __init__(self, server: str, token: str, ca_pem: str | None = None) -> None:
        self._configure(kubeconfig.Access(server.rstrip("/"), token, ca_pem))

    def _configure(self, access: kubeconfig.Access) -> None:
        self.server = access.server
        parts = urlsplit(access.server)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path
        self._tls = access.tls()
        authorization = f"Authorization: Bearer {access.token}\r\n" if access.token else ""
        self._common = f"Host: {parts.netloc}\r\n{authorization}Accept: application/json\r\nUser-Agent: pytest-smi\r\n"
        self._idle: list[Connection] = []
        self._closed = False

    @classmethod
    def from_kubeconfig(cls, path: str | Path) -> "Client":
        """A client for the current context of a kubeconfig. Raises ClusterError when the file cannot be used."""
        client = cls.__new__(cls)
        client._configure(kubeconfig.read(path))
        return client

    async def get(self, path: str, **query: object) -> dict[str, Any]:
        """Reads one object, a list, or a discovery document."""
        return await self.request("GET", path, query=query)

    async def create(self, path: str, obj: Mapping[str, Any], **query: object) -> dict[str, Any]:
        """Creates `obj` in the collection `path` and returns it as stored."""
        return await self.request("POST", path, obj, query=query)

    async def replace(self, path: str, obj: Mapping[str, Any], **query: object) -> dict[str, Any]:
        """Replaces the object (or its subresource) at `path`; 409 when its resourceVersion is not the newest."""
        return await self.request("PUT", path, obj, query=query)

    async def patch(
        self,
        path: str,
        patch: Any,
        kind: Literal["merge", "json", "strategic", "apply"] = "merge",
        manager: str = "pytest-smi",
        force: bool = True,
        **query: object,
    ) -> dict[str, Any]:
        """Patches the object at `path`. `manager` is the field manager; `force` counts for kind `apply` only."""
        query.setdefault("fieldManager", manager)
        if kind == "apply":
            query.setdefault("force", force)
        return await self.request("PATCH", path, patch, query=query, content_type=_PATCH_TYPES[kind])

    async def delete(self, path: str, body: Mapping[str, Any] | None = None, **query: object) -> dict[str, Any]:
        """Deletes the object or collection at `path`; `body` is a DeleteOptions."""
        return await self.request("DELETE", path, body, query=query)

    async def request(
        self,
        method: str,
        path: str,
        obj: Any = None,
        *,
        query: Mapping[str, object] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """One request with a JSON answer. The other methods are short forms of it."""
        head, body = self._compose(method, path, obj, query or {}, content_type)
        while True:
            connection, answer = await self._send(head, body, retry=method != "POST")
            try:
                data = await connection.body(answer)
            except BaseException:
                connection.close()  # its next answer would be this one's remains
                raise
            self._give_back(connection)
            if answer.status == 429 and await _asked_to_wait(data):
                continue
            return _decode(answer, data)

    async def watch(self, path: str, **query: object) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a watch on the collection `path`, bookmarks included, until the server ends the stream.

        An ERROR event is raised as ApiFailure (410 Expired: list again).
        """
        head, _ = self._compose("GET", path, None, {"watch": True, **query}, "")
        connection, answer = await self._send(head, b"", retry=True)
        try:
            if answer.status != 200:
                raise _failure(answer.status, await connection.body(answer))
            rest = b""
            async for piece in connection.pieces(answer):
                *lines, rest = (rest + piece).split(b"\n") if rest else piece.split(b"\n")
                for line in lines:
                    if line:
                        yield _event(line)
        finally:
            connection.close()

    def close(self) -> None:
        """Closes the idle connections; requests in flight finish, and theirs close after them."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _compose(
        self, method: str, path: str, obj: Any, query: Mapping[str, object], content_type: str
    ) -> tuple[bytes, bytes]:
        target = self._prefix + path
        if values := {name: _text(value) for name, value in query.items() if value is not None}:
            target += ("&" if "?" in path else "?") + urlencode(values)
        if obj is None:
            return f"{method} {target} HTTP/1.1\r\n{self._common}\r\n".encode(), b""
        body = json.dumps(obj, separators=(",", ":")).encode()
        described = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{self._common}{described}\r\n".encode(), body

    async def _send(self, head: bytes, body: bytes, *, retry: bool) -> tuple[Connection, Head]:
        while True:
            connection = self._take() or await Connection.open(self._host, self._port, self._tls)
            try:
                return connection, await connection.send(head, body)
            except StaleConnection:
                connection.close()
                if not retry:  # a POST may have been carried out before the connection broke
                    raise
            except BaseException:
                connection.close()
                raise

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if connection.reusable and not self._closed and len(self._idle) < _IDLE_KEPT:
            self._idle.append(connection)
        else:
            connection.close()


async def _asked_to_wait(data: bytes) -> bool:
    """429: a real API server under load, or an eviction refused. Only the former names seconds to wait."""
    seconds = _status(data).get("details", {}).get("retryAfterSeconds")
    if not seconds:
        return False
    await asyncio.sleep(min(float(seconds), 5.0))
    return True


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decode(answer: Head, data: bytes) -> dict[str, Any]:
    if not 200 <= answer.status < 300:
        raise _failure(answer.status, data)
    try:
        decoded = json.loads(data or b"{}")
    except ValueError:
        return {"text": data.decode(errors="replace")}  # logs and health checks answer in plain text
    return decoded if isinstance(decoded, dict) else {"value": decoded}


def _event(line: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line)
    if event["type"] == "ERROR":
        status = event.get("object", {})
        raise ApiFailure(status.get("code", 500), status.get("reason", ""), status.get("message", ""), status)
    return event


def _status(data: bytes) -> dict[str, Any]:
    try:
        status = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace")[:500]}
    return status if isinstance(status, dict) else {"message": str(status)[:500]}


def _failure(code: int, data: bytes) -> ApiFailure:
    status = _status(data)
    return ApiFailure(code, status.get("reason", "") or "Unknown", status.get("message", ""), status)
