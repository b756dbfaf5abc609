"""The metrics API as a server of its own behind the API server: HTTPS, and an APIService that leads to it.

It believes who asks only from the API server, which shows the front-proxy client certificate; rights are the API
server's business (RBAC on the group metrics.smi-spec.io). Its Service has no address in the cluster, so that the mesh
need not serve it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import HttpServer, Request, json_response
from pytest_smi.embedded.mesh.install import MANAGER, OWNER_LABEL, find, ours
from pytest_smi.embedded.mesh.webhook import server_context
from pytest_smi.errors import MeshError
from pytest_smi.spec.metrics import API_SERVICE, GROUP, VERSION

if TYPE_CHECKING:
    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.kubeapi.http import AnyResponse
    from pytest_smi.embedded.mesh.ca import Authority
    from pytest_smi.embedded.mesh.metrics_api import MetricsApi
    from pytest_smi.embedded.mesh.semantics import Semantics

_HOST = "127.0.0.1"
_NAMESPACE = "kube-system"  # there in every cluster: one of our own would outlive us, or take its time to go
_SERVICE = "smi-reference-mesh-metrics"
_SERVICE_PATH = f"/api/v1/namespaces/{_NAMESPACE}/services/{_SERVICE}"
_AUTHENTICATION = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


class MetricsServer:
    """Serves a MetricsApi to the API server of `client` until `close`."""

    def __init__(self, api: MetricsApi, semantics: Semantics, client: Client, authority: Authority) -> None:
        self._api = api
        self._semantics = semantics
        self._client = client
        self._authority = authority
        self._server = HttpServer(self._handle)
        self._names: tuple[str, ...] = ()
        self._registered: list[str] = []

    async def start(self) -> None:
        """Listen on a free port of the loopback interface and register it. Raises MeshError."""
        try:
            config = await self._client.get(_AUTHENTICATION)
            context = server_context(*self._authority.for_name(f"{_SERVICE}.{_NAMESPACE}.svc"))
            context.load_verify_locations(cadata=config["data"]["requestheader-client-ca-file"])
            context.verify_mode = ssl.CERT_OPTIONAL  # whoever shows none is told so in words
            self._names = tuple(json.loads(config["data"]["requestheader-allowed-names"]))
            await self._register(await self._server.listen(_HOST, 0, context))
        except (ApiFailure, KeyError) as failure:
            raise MeshError(
                f"the metrics API cannot be served: {failure}", "does the API server aggregate other servers?"
            ) from None

    async def close(self) -> None:
        """Stop serving and take the registration back: clients trip over an APIService that nobody serves."""
        for path in reversed(self._registered):
            with contextlib.suppress(ApiFailure, OSError):
                await self._client.delete(path)
        await self._server.close()

    async def _register(self, port: int) -> None:
        found = await find(self._client, f"{_API_SERVICES}/{API_SERVICE}")
        if found is not None and not ours(found):
            raise MeshError(f"the cluster has an APIService {API_SERVICE} of somebody else", "delete it first")
        for path, manifest in registration(port, self._authority.pem, self._semantics):
            await self._client.patch(path, manifest, kind="apply", manager=MANAGER)
            self._registered.append(path)

    async def _handle(self, request: Request) -> AnyResponse:
        try:
            if not self._semantics.trusts(_common_name(request), self._names):
                raise status.unauthorized()
            answer = json_response(200, await self._api.answer(request))
        except status.ApiError as refusal:
            answer = json_response(refusal.code, refusal.status)
        except (ApiFailure, OSError) as failure:
            answer = json_response(503, status.service_unavailable(f"no way to the API server: {failure}").status)
        return self._semantics.sent(request, answer)


def registration(port: int, ca_pem: bytes, semantics: Semantics) -> list[tuple[str, dict[str, Any]]]:
    """What makes a server on this port of the loopback interface an API of the cluster: paths and manifests."""
    labels = {OWNER_LABEL: MANAGER}
    inside = {"name": _SERVICE, "namespace": _NAMESPACE, "labels": labels}
    service: dict[str, Any] = {  # a real API server takes no loopback address as an endpoint
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": inside,
        "spec": {"type": "ExternalName", "externalName": _HOST},
    }
    found: list[tuple[str, dict[str, Any]]] = [
        (_SERVICE_PATH, service),
        (f"{_API_SERVICES}/{API_SERVICE}", _api_service(port, ca_pem, labels)),
    ]
    return semantics.registered(found)


async def unregister(client: Client) -> list[str]:
    """Delete what we registered; returns the names."""
    deleted = []
    for path in (f"{_API_SERVICES}/{API_SERVICE}", _SERVICE_PATH):
        found = await find(client, path)
        if found is not None and ours(found):
            await client.delete(path)
            deleted.append(found["metadata"]["name"])
    return deleted


def _api_service(port: int, ca_pem: bytes, labels: dict[str, str]) -> dict[str, Any]:
    """MET §Kubernetes API shows `group: metrics.smi-spec.io/v1alpha1`, which no API server takes."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": API_SERVICE, "labels": labels},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "service": {"name": _SERVICE, "namespace": _NAMESPACE, "port": port},
            "caBundle": base64.b64encode(ca_pem).decode(),
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }


def _common_name(request: Request) -> str | None:
    """The name in the caller's certificate, which the front-proxy authority vouches for; None without one."""
    subject = (request.peer_certificate or {}).get("subject", ())
    return next((value for part in subject for key, value in part if key == "commonName"), None)
