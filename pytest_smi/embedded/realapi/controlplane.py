"""A real kube-apiserver as the embedded cluster's control plane."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_smi.embedded.client import Client
from pytest_smi.embedded.controlplane import ControlPlane
from pytest_smi.embedded.kubeapi.auth import ADMIN, new_token
from pytest_smi.embedded.realapi import servers
from pytest_smi.embedded.realapi.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pytest_smi.embedded.addresses import Block
    from pytest_smi.embedded.controllers.caches import Caches
    from pytest_smi.embedded.node.api import NodeApi
    from pytest_smi.embedded.realapi.assets import Assets


@contextlib.asynccontextmanager
async def real(assets: Assets, state: Path, block: Block) -> AsyncIterator[ControlPlane]:
    """Serves until the context is left. Raises ClusterError when the programs do not start."""
    token, inner = new_token(), new_token()
    folder = state / "control-plane"
    async with contextlib.AsyncExitStack() as stack:
        start = servers.running(assets, folder, block.node, block.service_cidr, {token: ADMIN, inner: ADMIN})
        started = await stack.enter_async_context(start)
        ca_pem = started.authority.cert_pem
        client = stack.enter_context(contextlib.closing(Client(started.server, inner, ca_pem)))

        async def serve_pods(node: NodeApi, caches: Caches) -> int:
            kubelet = Kubelet(node, caches.pods, started.authority)
            stack.push_async_callback(kubelet.close)
            return await kubelet.start(block.node, folder)

        parts = {"control plane": started.watch()}
        yield ControlPlane(started.server, token, ca_pem, client, serve_pods, loopback_endpoints=False, parts=parts)
