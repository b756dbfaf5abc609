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
from pytest_smi.embedded.controllers.roots import RootCertificateController

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches
    from pytest_smi.embedded.controlplane import ControlPlane


async def run(plane: ControlPlane, caches: Caches) -> None:
    """Runs every controller on a control plane until cancelled; `caches` must be running."""
    client = plane.client
    working = (
        AccountController(client, caches),
        RootCertificateController(client, caches, plane.ca_pem),
        NamespaceController(client, caches),
        DeploymentController(client, caches),
        ReplicaSetController(client, caches),
        EndpointsController(client, caches, loopback=plane.loopback_endpoints),
        GarbageCollector(client, caches),
    )
    async with asyncio.TaskGroup() as group:
        for one in working:
            group.create_task(one.run(), name=type(one).__name__)
