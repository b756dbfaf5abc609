"""Deleting a namespace: everything in it goes first, then the namespace itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.controllers import podstate
from pytest_smi.embedded.controllers.discovery import Served, discover
from pytest_smi.embedded.controllers.ownership import deleting
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]
_FINALIZER = "kubernetes"


class NamespaceController:
    """Empties namespaces that are being deleted and removes their finalizer."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._namespaces = caches.namespaces
        self._pods = caches.pods
        self._rounds: dict[str, int] = {}
        self._queue = WorkQueue[str]("namespaces", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        self._namespaces.listen(lambda _, obj: self._queue.add(obj["metadata"]["name"]))
        self._pods.listen(self._pod_changed)
        await self._queue.run()

    def _pod_changed(self, kind: str, pod: Object) -> None:
        """Pods take longest to go; with the last of them the namespace can."""
        if kind == "DELETED" and pod["metadata"]["namespace"] in self._rounds:
            self._queue.add(pod["metadata"]["namespace"])

    async def _sync(self, name: str) -> float | None:
        namespace = self._namespaces.get("", name)
        if namespace is None or not deleting(namespace):
            self._rounds.pop(name, None)
            return None
        if _FINALIZER not in (namespace["spec"].get("finalizers") or []):
            return None
        catalogue = await discover(self._client)
        content = [one for one in catalogue.resources if one.namespaced and {"list", "delete"} <= one.verbs]
        results = await asyncio.gather(*(self._empty(name, one) for one in content), return_exceptions=True)
        left = {one.plural: n for one, n in zip(content, results, strict=True) if isinstance(n, int) and n}
        failures = [f"{one.plural}: {n}" for one, n in zip(content, results, strict=True) if not isinstance(n, int)]
        await self._report(namespace, list(catalogue.failures), failures, left)
        if left or failures or catalogue.failures:
            # Whatever else holds it back (a finalizer, an aggregated API that is down) is looked at again and again.
            rounds = self._rounds[name] = self._rounds.get(name, -1) + 1
            return min(0.01 * float(1 << min(rounds, 10)), 0.5)
        spec = {"finalizers": [one for one in namespace["spec"]["finalizers"] if one != _FINALIZER]}
        latest = await self._client.get(path_to("v1", "namespaces", name=name))
        path = path_to("v1", "namespaces", name=name, subresource="finalize")
        await self._client.replace(path, {**latest, "spec": spec})
        return None

    async def _empty(self, namespace: str, one: Served) -> int:
        """Deletes what there is of one resource; how many objects are still there."""
        path = path_to(one.api_version, one.plural, namespace)
        try:
            items = (await self._client.get(path)).get("items") or []
            if not (fresh := [item for item in items if not deleting(item)]):
                return len(items)
            if "deletecollection" in one.verbs:
                await self._client.delete(path)
            else:
                names = [item["metadata"]["name"] for item in fresh]
                await asyncio.gather(*(self._client.delete(f"{path}/{name}") for name in names))
            return len((await self._client.get(path)).get("items") or [])
        except ApiFailure as failure:
            if failure.code in (404, 405):
                return 0  # not served any more, or read-only
            raise

    async def _report(self, namespace: Object, undiscovered: list[str], failures: list[str], left: Object) -> None:
        conditions = old = namespace.get("status", {}).get("conditions") or []
        for kind, reason, faults in (
            ("NamespaceDeletionDiscoveryFailure", "DiscoveryFailed", undiscovered),
            ("NamespaceDeletionContentFailure", "ContentDeletionFailed", failures),
            ("NamespaceContentRemaining", "SomeResourcesRemain", [f"{k} has {n} objects" for k, n in left.items()]),
        ):
            if faults or any(one["type"] == kind for one in conditions):
                status, text = ("True", "; ".join(faults)) if faults else ("False", "")
                conditions = podstate.with_condition(conditions, kind, status, reason, text)
        if conditions != old:
            path = path_to("v1", "namespaces", name=namespace["metadata"]["name"], subresource="status")
            await self._client.patch(path, {"status": {"conditions": conditions}})
