"""The embedded cluster in one event loop: API server, controllers, node and DNS, put together and taken apart."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded import controllers, kubeconfig
from pytest_smi.embedded.addresses import Claim
from pytest_smi.embedded.client import Client
from pytest_smi.embedded.controllers.caches import Caches
from pytest_smi.embedded.dns import DnsServer
from pytest_smi.embedded.kubeapi.assembly import assemble
from pytest_smi.embedded.kubeapi.auth import ADMIN, new_token
from pytest_smi.embedded.kubeapi.server import ApiServer
from pytest_smi.embedded.kubeapi.streams import PodStreams
from pytest_smi.embedded.node.node import Node
from pytest_smi.embedded.node.spawner import Spawner, Zygote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

_HOST = "127.0.0.1"
_NAME = "pytest-smi-embedded"
_LAST_GRACE = 0.5  # seconds that pods get when the whole cluster ends


@contextlib.asynccontextmanager
async def cluster(state: Path, zygote: Zygote) -> AsyncIterator[dict[str, str]]:
    """A running cluster, with all its files in `state`; yields what the ready line says.

    It is ready: controllers have their first lists and the node is Ready. When the context is left, every process of
    every pod is ended. A part that fails cancels the body (an ExceptionGroup). Raises ClusterError when it cannot
    start.
    """
    async with contextlib.AsyncExitStack() as stack:
        claim = stack.enter_context(contextlib.closing(Claim()))
        spawner = await stack.enter_async_context(Spawner(zygote))
        server = ApiServer(claim.block.service_cidr)
        token, inner = new_token(), new_token()
        assembly = assemble(server, None, state, {token: ADMIN, inner: ADMIN})
        stack.push_async_callback(server.stop)
        secure = f"https://{_HOST}:{await server.start(_HOST, 0, assembly.context)}"
        plain = f"http://{_HOST}:{await server.start(_HOST, 0)}"
        client = stack.enter_context(contextlib.closing(Client(plain, inner)))
        caches = Caches(client)
        resolver = await _serve_names(stack, caches, claim.block.node)
        node = Node(client, caches.pods, spawner, claim.block, state / "pods", resolver)
        server.pod_subresources.update(PodStreams(server, node).handlers())
        parts = await stack.enter_async_context(_Parts())
        stack.push_async_callback(node.stop_all, _LAST_GRACE)
        parts.add("caches", caches.run())
        await asyncio.gather(assembly.bootstrap(client), node.register(), caches.synced())
        parts.add("controllers", controllers.run(client, caches))
        parts.add("availability", assembly.controller(client).run())
        parts.add("node", node.run())
        config = state / "kubeconfig"
        kubeconfig.write(config, name=_NAME, server=secure, token=token, ca_pem=assembly.ca_pem)
        yield {"kubeconfig": str(config), "server": secure, "dns": resolver}


async def _serve_names(stack: contextlib.AsyncExitStack, caches: Caches, host: str) -> str:
    dns = DnsServer(caches.services, caches.slices)
    port = await dns.start(host)
    stack.callback(dns.close)
    return f"{host}:{port}"


class _Parts:
    """Tasks that run for as long as the body of the context does, and no longer; one that fails ends the body."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Parts:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(*exception)

    def add(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        """Starts a part."""
        self._tasks.append(self._group.create_task(part, name=name))
