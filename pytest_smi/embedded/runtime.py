"""The embedded cluster in one event loop: API server, controllers, node and DNS, put together and taken apart."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded import controllers, kubeconfig
from pytest_smi.embedded.addresses import Claim
from pytest_smi.embedded.controllers.caches import Caches
from pytest_smi.embedded.dns import DnsServer
from pytest_smi.embedded.node.node import Node
from pytest_smi.embedded.node.spawner import Spawner, Zygote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from pytest_smi.embedded.addresses import Block
    from pytest_smi.embedded.controlplane import ControlPlane
    from pytest_smi.embedded.realapi.assets import Assets

_NAME = "pytest-smi-embedded"
_LAST_GRACE = 0.5  # seconds that pods get when the whole cluster ends


@contextlib.asynccontextmanager
async def cluster(state: Path, zygote: Zygote, assets: Assets | None = None) -> AsyncIterator[dict[str, str]]:
    """A running cluster, with all its files in `state`; yields what the ready line says.

    Its API server is our own, or the real one of `assets`. It is ready: controllers have their first lists and the node
    is Ready. When the context is left, every process of every pod is ended. A part that fails cancels the body (an
    ExceptionGroup). Raises ClusterError when it cannot start.
    """
    async with contextlib.AsyncExitStack() as stack:
        claim = stack.enter_context(contextlib.closing(Claim()))
        spawner = await stack.enter_async_context(Spawner(zygote))
        plane = await stack.enter_async_context(_control_plane(assets, state, claim.block))
        caches = Caches(plane.client)
        resolver = await _serve_names(stack, caches, claim.block.node)
        node = Node(plane.client, caches.pods, spawner, claim.block, state / "pods", resolver)
        kubelet_port = await plane.serve_pods(node, caches)
        parts = await stack.enter_async_context(_Parts())
        stack.push_async_callback(node.stop_all, _LAST_GRACE)
        for name, part in plane.parts.items():
            parts.add(name, part)
        parts.add("caches", caches.run())
        await asyncio.gather(node.register(kubelet_port), caches.synced())
        parts.add("controllers", controllers.run(plane, caches))
        parts.add("node", node.run())
        config = state / "kubeconfig"
        kubeconfig.write(config, name=_NAME, server=plane.server, token=plane.token, ca_pem=plane.ca_pem)
        yield {"kubeconfig": str(config), "server": plane.server, "dns": resolver}


def _control_plane(assets: Assets | None, state: Path, block: Block) -> AbstractAsyncContextManager[ControlPlane]:
    """Either is imported only when it is the one."""
    if assets is None:
        from pytest_smi.embedded.kubeapi.controlplane import own

        return own(state, block.service_cidr)
    from pytest_smi.embedded.realapi.controlplane import real

    return real(assets, state, block)


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
