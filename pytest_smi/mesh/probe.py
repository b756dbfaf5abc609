"""HTTP inside a pod, past the mesh: one GET over a connection that the cluster gives."""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smi.cluster.base import Cluster

_READ = 65536


class Page(NamedTuple):
    """An answer: HTTP status, and the body as text (its beginning, when it was longer than asked for)."""

    status: int
    body: str


class _Read:
    """What `http.client` wants of a socket, made of bytes that were received."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def fetch(
    cluster: Cluster, namespace: str, pod: str, port: int, path: str, *, seconds: float = 5.0, limit: int = 1 << 20
) -> Page:
    """GET a path from a port of a pod, reading at most `limit` bytes. Raises ClusterError when no answer comes."""
    where = f"http://{pod}.{namespace}:{port}{path}"
    deadline = time.monotonic() + seconds
    stream = cluster.connect(namespace, pod, port)
    try:
        stream.settimeout(seconds)
        stream.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        data = b""
        while len(data) < limit and time.monotonic() < deadline and (more := stream.recv(_READ)):
            data += more
        return _parsed(data)
    except (OSError, http.client.HTTPException) as fault:
        raise ClusterError(f"{where} does not answer: {fault or type(fault).__name__}") from fault
    finally:
        stream.close()


def _parsed(data: bytes) -> Page:
    response = http.client.HTTPResponse(_Read(data))  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read()
    except http.client.IncompleteRead as cut:
        body = cut.partial
    return Page(response.status, body.decode("utf-8", "replace"))


def pods_of(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Pods by their labels, those that are ready first."""
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    found = cluster.api.list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
    return sorted(found, key=lambda pod: not is_ready(pod))


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready and is to stay."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
