"""Live copies of collections, shared by all controllers and the node: one watch per collection, not per user."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_smi.embedded.client import Client, Informer, path_to

if TYPE_CHECKING:
    from collections.abc import Iterable


class Caches:
    """Informers by collection; those asked for before `run` start with it, the others when they are asked for.

    `core` are the ones whose first list must be there before the cluster calls itself ready.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._informers: dict[tuple[str, str], Informer] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.namespaces = self.of("v1", "namespaces")
        self.pods = self.of("v1", "pods")
        self.services = self.of("v1", "services")
        self.endpoints = self.of("v1", "endpoints")
        self.slices = self.of("discovery.k8s.io/v1", "endpointslices")
        self.accounts = self.of("v1", "serviceaccounts")
        self.deployments = self.of("apps/v1", "deployments")
        self.replicasets = self.of("apps/v1", "replicasets")

    def of(self, api_version: str, plural: str) -> Informer:
        """The informer of a collection across all namespaces."""
        key = api_version, plural
        if key not in self._informers:
            self._informers[key] = Informer(self.client, path_to(api_version, plural))
            self._start(key)
        return self._informers[key]

    def drop(self, api_version: str, plural: str) -> None:
        """Forgets a collection that is served no longer."""
        key = api_version, plural
        if task := self._tasks.pop(key, None):
            task.cancel()
        self._informers.pop(key, None)

    async def run(self) -> None:
        """Keeps all copies up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for key in self._informers:
                self._start(key)
            await asyncio.Event().wait()

    async def synced(self) -> None:
        """Waits until every informer known now has its first list."""
        await _all_synced(list(self._informers.values()))

    def _start(self, key: tuple[str, str]) -> None:
        if self._group:
            self._tasks[key] = self._group.create_task(self._informers[key].run())


async def _all_synced(informers: Iterable[Informer]) -> None:
    for informer in informers:
        await informer.synced.wait()
