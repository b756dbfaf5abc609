"""Puts authentication, authorization, streams, OpenAPI and aggregation into an API server before it starts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_smi.embedded.kubeapi import protobuf, rbac_defaults, status, tls
from pytest_smi.embedded.kubeapi.aggregation import CONFIG_MAP, Aggregator
from pytest_smi.embedded.kubeapi.auth import Authenticator
from pytest_smi.embedded.kubeapi.availability import AvailabilityController
from pytest_smi.embedded.kubeapi.http import encode_json
from pytest_smi.embedded.kubeapi.openapi import OpenApi
from pytest_smi.embedded.kubeapi.rbac import Authorizer
from pytest_smi.embedded.kubeapi.reviews import review_handlers
from pytest_smi.embedded.kubeapi.streams import PodStreams
from pytest_smi.embedded.rest import ApiFailure

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_smi.embedded.kubeapi.http import Request, User
    from pytest_smi.embedded.kubeapi.server import ApiServer
    from pytest_smi.embedded.node.api import NodeApi
    from pytest_smi.embedded.rest import Client

CONFLICT = 409


@dataclass(frozen=True)
class Assembly:
    """What belongs to an assembled server: `ca_pem` for kubeconfigs, `context` for its TLS listener."""

    ca_pem: str
    context: ssl.SSLContext
    authenticator: Authenticator
    aggregator: Aggregator

    async def bootstrap(self, client: Client) -> None:
        """Create the default roles and the ConfigMap for aggregated servers; call once, when the server listens."""
        namespace, _ = CONFIG_MAP
        config = (f"/api/v1/namespaces/{namespace}/configmaps", self.aggregator.authentication_config())

        async def create(path: str, manifest: dict[str, object]) -> None:
            try:
                await client.create(path, manifest)
            except ApiFailure as failure:
                if failure.code != CONFLICT:
                    raise

        await asyncio.gather(*(create(path, manifest) for path, manifest in [*rbac_defaults.objects(), config]))

    def controller(self, client: Client) -> AvailabilityController:
        """Keeps the conditions of APIServices true; start `run()` as a task and cancel it at the end."""
        return AvailabilityController(client, self.aggregator)


def assemble(server: ApiServer, node: NodeApi | None, folder: Path, tokens: Mapping[str, User]) -> Assembly:
    """Set every hook of a server that has not started. `tokens` are static bearer tokens; `folder` keeps key files.

    Without a node the pod subresources log, exec and portforward are not found. Raises ClusterError when a needed
    package is missing.
    """
    authorizer = Authorizer(server)
    authenticator = Authenticator(server, authorizer, tokens)
    aggregator = Aggregator(server, folder)
    authority = tls.new_authority("pytest-smi")
    server.authenticate = lambda request: authenticator.authenticate(as_json(request))
    server.authorize = authorizer.authorize
    server.reviews.update(review_handlers(authenticator, authorizer))
    server.token_request = authenticator.token_request
    server.openapi = OpenApi(server.registry)
    server.aggregate = aggregator.aggregate
    server.aggregated_versions = aggregator.versions
    if node is not None:
        serve_pods(server, node)
    context = tls.server_context(tls.server_pair(authority), folder)
    return Assembly(authority.cert_pem, context, authenticator, aggregator)


def serve_pods(server: ApiServer, node: NodeApi) -> None:
    """Serve log, exec and portforward of the pods that `node` runs."""
    streams = PodStreams(lambda namespace, name: server.object("", "pods", namespace, name), node)
    server.pod_subresources.update(streams.handlers())


def as_json(request: Request) -> Request:
    """Turn a protobuf body into JSON, before anything reads it; the request is changed and returned.

    Status subresources keep theirs (and are refused later), because protobuf.types has no fields of status. Raises
    ApiError (400).
    """
    if request.headers.get("content-type", "") == protobuf.MEDIA_TYPE and not request.path.endswith("/status"):
        try:
            decoded = protobuf.decode(request.body)
        except protobuf.Unreadable as problem:
            raise status.bad_request(f"the object provided is unrecognized: {problem}") from None
        if decoded is not None:
            request.body = encode_json(decoded)
            request.headers["content-type"] = "application/json"
    return request
