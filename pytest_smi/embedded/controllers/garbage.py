"""Garbage collection by owner references: what is owned goes when all its owners have gone.

In the background by default; in the foreground when the owner carries the finalizer `foregroundDeletion` (then the
dependents go first); not at all when it carries `orphan` (then the references to it are removed).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, Informer, path_to
from pytest_smi.embedded.controllers.discovery import Catalogue, discover
from pytest_smi.embedded.controllers.ownergraph import Node, OwnerGraph
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]
_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_DEFINITIONS = "apiextensions.k8s.io/v1", "customresourcedefinitions"
_AGGREGATED = "apiregistration.k8s.io/v1", "apiservices"
_OWN_NOTHING = {"events"}  # many, and no part of any ownership


class GarbageCollector:
    """Follows every resource that can be watched and deleted, custom ones included."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._caches = caches
        self._graph = OwnerGraph()
        self._followed: set[tuple[str, str]] = set()
        self._catalogue = Catalogue((), ())
        self._changed = asyncio.Event()
        self._changed.set()
        self._queue = WorkQueue[str]("garbage", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for collection in (_DEFINITIONS, _AGGREGATED):
                self._caches.of(*collection).listen(lambda *_: self._changed.set())
            group.create_task(self._queue.run())
            while True:
                await self._changed.wait()
                self._changed.clear()
                try:
                    await self._follow()
                except (ApiFailure, OSError):
                    self._changed.set()
                    await asyncio.sleep(0.1)

    async def _follow(self) -> None:
        """Follows what is newly served and forgets what is served no longer."""
        self._catalogue = await discover(self._client)
        served = {
            (one.api_version, one.plural)
            for one in self._catalogue.resources
            if {"list", "watch", "delete"} <= one.verbs and one.plural not in _OWN_NOTHING
        }
        for collection in self._followed - served:
            self._followed.discard(collection)
            self._caches.drop(*collection)
            for uid in [uid for uid, node in self._graph.nodes.items() if node.collection == collection]:
                self._forget(uid)
        for collection in served - self._followed:
            self._followed.add(collection)
            self._listen(self._caches.of(*collection), collection)

    def _listen(self, informer: Informer, collection: tuple[str, str]) -> None:
        informer.listen(lambda kind, obj: self._object_changed(collection, kind, obj))

    def _object_changed(self, collection: tuple[str, str], kind: str, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        if kind == "DELETED":
            self._forget(uid)
            return
        known = self._graph.nodes.get(uid)
        node = self._graph.put(collection, obj)
        if node.owners or node.deleting:
            self._queue.add(uid)
        for owner in known.owners if known else []:
            self._queue.add(owner["uid"])  # it may have waited for this one

    def _forget(self, uid: str) -> None:
        owners = self._graph.nodes[uid].owners if uid in self._graph.nodes else []
        self._graph.remove(uid)
        for other in [*self._graph.dependents(uid), *(owner["uid"] for owner in owners)]:
            self._queue.add(other)

    async def _sync(self, uid: str) -> None:
        node = self._graph.nodes.get(uid)
        if node is None:
            return
        with contextlib.suppress(_Gone):
            if node.deleting and _ORPHAN in node.finalizers:
                await self._release_dependents(uid)
                await self._remove_finalizer(node, uid, _ORPHAN)
            elif node.deleting and _FOREGROUND in node.finalizers:
                await self._delete_dependents_first(uid, node)
            elif not node.deleting and node.owners:
                await self._judge(uid, node)

    async def _judge(self, uid: str, node: Node) -> None:
        """Deletes an object whose owners are all gone; drops single references to owners that are gone."""
        states = [await self._state_of(owner, node.namespace) for owner in node.owners]
        if "there" in states:
            if set(states) != {"there"}:
                solid = [owner for owner, state in zip(node.owners, states, strict=True) if state == "there"]
                await self._set_owners(node, uid, solid)
        elif "waiting" in states:
            # Its own dependents, if any, go in the foreground too.
            await self._delete(uid, node, "Foreground" if self._graph.dependents(uid) else "Background")
        else:
            policy = "Orphan" if _ORPHAN in node.finalizers else "Background"
            await self._delete(uid, node, "Foreground" if _FOREGROUND in node.finalizers else policy)

    async def _state_of(self, owner: Object, namespace: str) -> str:
        """there, gone, or waiting (for its dependents to go). Asks the server before it says gone."""
        if known := self._graph.nodes.get(owner["uid"]):
            if known.namespace not in ("", namespace):
                return "gone"  # an owner in another namespace does not count
            return "waiting" if known.deleting and _FOREGROUND in known.finalizers else "there"
        served = self._catalogue.named(owner["apiVersion"], owner["kind"])
        if served is None:
            self._catalogue = await discover(self._client)
            served = self._catalogue.named(owner["apiVersion"], owner["kind"])
        if served is None:
            # Unlike a deleted owner, an unknown kind may come back; nothing is deleted on its account.
            return "there"
        path = path_to(served.api_version, served.plural, namespace if served.namespaced else "", owner["name"])
        try:
            found = await self._client.get(path)
        except ApiFailure as failure:
            if failure.code == 404:
                return "gone"
            raise
        return "there" if found["metadata"]["uid"] == owner["uid"] else "gone"

    async def _delete_dependents_first(self, uid: str, node: Node) -> None:
        blocking = self._graph.blocking(uid)
        if not blocking:
            await self._remove_finalizer(node, uid, _FOREGROUND)
        for one in self._graph.dependents(uid):
            self._queue.add(one)

    async def _release_dependents(self, uid: str) -> None:
        for one in self._graph.dependents(uid):
            node = self._graph.nodes[one]
            with contextlib.suppress(_Gone):
                await self._set_owners(node, one, [owner for owner in node.owners if owner["uid"] != uid])

    async def _delete(self, uid: str, node: Node, policy: str) -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": policy,
        }
        with _unless_gone():
            await self._client.delete(path_to(*node.collection, node.namespace, node.name), options)

    async def _set_owners(self, node: Node, uid: str, owners: list[Object]) -> None:
        await self._patch(node, {"uid": uid, "ownerReferences": owners or None})

    async def _remove_finalizer(self, node: Node, uid: str, name: str) -> None:
        with _unless_gone():
            current = await self._client.get(path_to(*node.collection, node.namespace, node.name))
        metadata = current["metadata"]
        if metadata["uid"] != uid:
            raise _Gone
        left = [one for one in metadata.get("finalizers") or [] if one != name]
        await self._patch(
            node, {"uid": uid, "resourceVersion": metadata["resourceVersion"], "finalizers": left or None}
        )

    async def _patch(self, node: Node, metadata: Object) -> None:
        with _unless_gone():
            await self._client.patch(path_to(*node.collection, node.namespace, node.name), {"metadata": metadata})


def _only(metadata: Object, *names: str) -> Object:
    return {name: metadata[name] for name in names}


class _Gone(Exception):
    """The object has been deleted meanwhile, or is another one by now."""


@contextlib.contextmanager
def _unless_gone() -> Any:
    try:
        yield
    except ApiFailure as failure:
        if failure.code == 404:
            raise _Gone from None
        raise
