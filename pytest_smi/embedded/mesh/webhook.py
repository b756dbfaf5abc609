"""The conversion webhook of the CRDs: HTTPS on a loopback port, answered by the mesh's semantics."""

from __future__ import annotations

import json
import ssl
import tempfile
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi.http import HttpServer, Request, Response, json_response
from pytest_smi.spec.convert import Unconvertible

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.embedded.mesh.ca import Authority
    from pytest_smi.embedded.mesh.snapshot import Manifest

_HOST = "127.0.0.1"
_PATH = "/convert"
_KIND = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview"}


class ConversionWebhook:
    """Serves `convert(manifest, api_version)` to the API server. `url` is known after `start`."""

    def __init__(self, authority: Authority, convert: Callable[[Manifest, str], Manifest]) -> None:
        self._authority = authority
        self._convert = convert
        self._server = HttpServer(self._handle)
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        port = await self._server.listen(_HOST, 0, server_context(*self._authority.for_address(_HOST)))
        self.url = f"https://{_HOST}:{port}{_PATH}"

    async def close(self) -> None:
        """Stop serving."""
        await self._server.close()

    async def _handle(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", _PATH):
            return json_response(404, {"error": f"only POST {_PATH} is served"})
        try:
            return json_response(200, self.review(json.loads(request.body)))
        except (ValueError, TypeError, AttributeError) as wrong:
            return json_response(400, {"error": f"not a ConversionReview: {wrong}"})

    def review(self, review: dict[str, Any]) -> dict[str, Any]:
        """The answer to a ConversionReview: every object converted, or the reason why one cannot be."""
        asked = review.get("request") or {}
        response: dict[str, Any] = {"uid": asked.get("uid", ""), "convertedObjects": []}
        try:
            converted = [self._convert(manifest, asked["desiredAPIVersion"]) for manifest in asked["objects"]]
            response |= {"convertedObjects": converted, "result": {"status": "Success"}}
        except (Unconvertible, KeyError) as wrong:
            response["result"] = {"status": "Failed", "message": str(wrong)}
        return {**_KIND, "response": response}


def server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A server-side context with this certificate and key, both PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:  # Python reads them from files only
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context
