"""Aggregated APIs: requests for the group and version of an APIService go to the server behind its Service.

That server learns who asks from X-Remote-* headers, which it may believe because they come over a connection with the
front-proxy client certificate; the authority to check it with is in the ConfigMap
kube-system/extension-apiserver-authentication, as on a real cluster.

An APIService may carry the annotation `embedded.pytest-smi.dev/url` (`http://` or `https://`, host and port): then the
server is there, outside the cluster, and its spec.service need not exist.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import aggregation_proxy, status, tls
from pytest_smi.embedded.kubeapi.aggregation_target import Unavailable, backend_of

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from pytest_smi.embedded.kubeapi.aggregation_target import Backend
    from pytest_smi.embedded.kubeapi.http import AnyResponse, Request
    from pytest_smi.embedded.kubeapi.reader import Reader

GROUP = "apiregistration.k8s.io"
COLLECTION = f"/apis/{GROUP}/v1/apiservices"
CLIENT_NAME = "front-proxy-client"
CONFIG_MAP = ("kube-system", "extension-apiserver-authentication")


class Aggregator:
    """Sends requests on; ready for `ApiServer.aggregate` and `ApiServer.aggregated_versions`."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        """`folder` keeps the front-proxy client's key files."""
        self._reader = reader
        self._folder = folder
        self._authority = tls.new_authority("front-proxy-ca")
        self._pair = self._authority.issue(CLIENT_NAME, client=True)
        self._contexts: dict[tuple[str | None, bool], ssl.SSLContext] = {}

    def authentication_config(self) -> dict[str, Any]:
        """The ConfigMap that tells servers behind APIServices whom to believe."""
        namespace, name = CONFIG_MAP
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {
                "requestheader-client-ca-file": self._authority.cert_pem,
                "requestheader-allowed-names": json.dumps([CLIENT_NAME]),
                "requestheader-username-headers": json.dumps(["X-Remote-User"]),
                "requestheader-uid-headers": json.dumps(["X-Remote-Uid"]),
                "requestheader-group-headers": json.dumps(["X-Remote-Group"]),
                "requestheader-extra-headers-prefix": json.dumps(["X-Remote-Extra-"]),
            },
        }

    def versions(self) -> list[tuple[str, str]]:
        """(group, version) of every APIService that is served by another server."""
        return [(item["spec"]["group"], item["spec"]["version"]) for item in self.api_services() if is_remote(item)]

    def api_services(self) -> list[dict[str, Any]]:
        """All APIServices as stored."""
        return self._reader.objects(GROUP, "apiservices")

    async def aggregate(self, request: Request) -> AnyResponse | None:
        """Send a request on; None when no APIService claims its path. Raises ApiError (503, 501)."""
        parts = request.path.split("/", 4)
        if len(parts) < 4 or parts[1] != "apis":
            return None
        found = self._reader.object(GROUP, "apiservices", "", f"{parts[3]}.{parts[2]}")
        if found is None or not is_remote(found):
            return None
        if "upgrade" in request.headers:
            raise status.status(501, "NotImplemented", "upgraded connections are not passed on to aggregated APIs here")
        try:
            backend = self.backend(found)
            return await aggregation_proxy.forward(backend, self._context(backend), request)
        except Unavailable as problem:
            raise status.service_unavailable(
                f"the server is currently unable to handle the request: {found['metadata']['name']}: {problem}"
            ) from None

    async def probe(self, found: dict[str, Any]) -> None:
        """Ask an aggregated server for its resources, as a check of health. Raises Unavailable."""
        backend = self.backend(found)
        path = f"/apis/{found['spec']['group']}/{found['spec']['version']}"
        await aggregation_proxy.probe(backend, self._context(backend), path)

    def backend(self, found: dict[str, Any]) -> Backend:
        """Where the server of an APIService is. Raises Unavailable."""
        return backend_of(found, self._reader)

    def _context(self, backend: Backend) -> ssl.SSLContext | None:
        if not backend.secure:
            return None
        key = (backend.ca_pem, backend.verify)
        if key not in self._contexts:
            self._contexts[key] = tls.client_context(
                backend.ca_pem, pair=self._pair, folder=self._folder, verify=backend.verify
            )
        return self._contexts[key]


def is_remote(found: dict[str, Any]) -> bool:
    """Whether an APIService names another server (else it stands for a group that we serve ourselves)."""
    return bool(found["spec"].get("service"))
