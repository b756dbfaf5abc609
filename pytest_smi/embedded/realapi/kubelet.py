"""The node's kubelet endpoint: where a real API server sends requests for logs, exec and port-forward.

The paths and query parameters are those of a kubelet (`/containerLogs/NAMESPACE/POD/CONTAINER` and its like). Only the
API server gets in: by its client certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.kubeapi import status, tls
from pytest_smi.embedded.kubeapi.http import HttpServer, Request, json_response
from pytest_smi.embedded.kubeapi.server import PodRequest
from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.kubeapi.streams import PodStreams

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smi.embedded.client import Informer
    from pytest_smi.embedded.kubeapi.http import AnyResponse
    from pytest_smi.embedded.node.api import NodeApi

_SUBRESOURCES = {"containerLogs": "log", "exec": "exec", "portForward": "portforward"}
_STREAMS = {"stdin": "input", "stdout": "output", "stderr": "error"}
"""What a kubelet calls parameters of the API server."""


class Kubelet:
    """Serves the pods of `node`, as far as `pods` knows them, to holders of a certificate of `authority`."""

    def __init__(self, node: NodeApi, pods: Informer, authority: tls.Authority) -> None:
        self._pods = pods
        self._authority = authority
        self._handlers = PodStreams(pods.get, node).handlers()
        self._server = HttpServer(self._answer)

    async def start(self, host: str, folder: Path) -> int:
        """Listens on a free port of `host`, which is returned; `folder` keeps the key files."""
        pair = self._authority.issue("kubelet", addresses=(host,))
        context = tls.server_context(pair, folder, client_ca_pem=self._authority.cert_pem, name="kubelet")
        return await self._server.listen(host, 0, context)

    async def close(self) -> None:
        """Ends every connection and stops listening."""
        await self._server.close()

    async def _answer(self, request: Request) -> AnyResponse:
        try:
            return await self._handle(request)
        except ApiError as error:
            return json_response(error.code, error.status)

    async def _handle(self, request: Request) -> AnyResponse:
        if not request.peer_certificate:
            raise status.unauthorized()
        kind, namespace, name, *rest = [*request.path.strip("/").split("/"), "", ""][:5]
        pod = self._pods.get(namespace, name)
        if kind not in _SUBRESOURCES or pod is None:
            raise status.not_found("pods", name) if kind in _SUBRESOURCES else status.unknown_path()
        _as_for_an_api_server(request, kind, next(iter(rest), ""))
        subresource = _SUBRESOURCES[kind]
        return await self._handlers[subresource](PodRequest(request, pod, namespace, name, subresource))


def _as_for_an_api_server(request: Request, kind: str, container: str) -> None:
    """Names the parameters as the handlers know them."""
    query = request.query
    if kind == "portForward":
        query["ports"] = query.pop("port", [])
        return
    if container:
        query["container"] = [container]
    if kind == "exec":
        query |= {name: ["true" if theirs in query else "false"] for name, theirs in _STREAMS.items()}
