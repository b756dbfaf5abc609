"""The controllers of the embedded cluster. Each talks to the API server through the client only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_smi.embedded.controllers.accounts import AccountController
from pytest_smi.embedded.controllers.deployments import DeploymentController
from pytest_smi.embedded.controllers.endpoints import EndpointsController
from pytest_smi.embedded.controllers.garbage import GarbageCollector
from pytest_smi.embedded.controllers.namespaces import NamespaceController
from pytest_smi.embedded.controllers.replicasets import ReplicaSetController

if TYPE_CHECKING:
    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.controllers.caches import Caches


async def run(client: Client, caches: Caches) -> None:
    """Runs every controller until cancelled; `caches` must be running."""
    kinds = (
        AccountController,
        NamespaceController,
        DeploymentController,
        ReplicaSetController,
        EndpointsController,
        GarbageCollector,
    )
    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            group.create_task(kind(client, caches).run(), name=kind.__name__)
