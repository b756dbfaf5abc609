"""Our own API server as the embedded cluster's control plane."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_smi.embedded.client import Client
from pytest_smi.embedded.controlplane import ControlPlane
from pytest_smi.embedded.kubeapi import assembly
from pytest_smi.embedded.kubeapi.auth import ADMIN, new_token
from pytest_smi.embedded.kubeapi.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pytest_smi.embedded.controllers.caches import Caches
    from pytest_smi.embedded.node.api import NodeApi

_HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def own(state: Path, service_cidr: str) -> AsyncIterator[ControlPlane]:
    """Serves until the context is left. Raises ClusterError when a needed package is missing."""
    server = ApiServer(service_cidr)
    token, inner = new_token(), new_token()
    assembled = assembly.assemble(server, None, state, {token: ADMIN, inner: ADMIN})
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        secure = f"https://{_HOST}:{await server.start(_HOST, 0, assembled.context)}"
        plain = f"http://{_HOST}:{await server.start(_HOST, 0)}"
        client = stack.enter_context(contextlib.closing(Client(plain, inner)))
        await assembled.bootstrap(client)

        async def serve_pods(node: NodeApi, _caches: Caches) -> int:
            assembly.serve_pods(server, node)
            return 0

        parts = {"availability": assembled.controller(client).run()}
        yield ControlPlane(secure, token, assembled.ca_pem, client, serve_pods, parts=parts)
