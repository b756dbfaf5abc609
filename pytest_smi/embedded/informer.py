"""A collection kept up to date: one list, then a watch, for ever.

The informer's copy is replaced object by object as events come; a relist after a gap is turned into the events that
the gap hid, so a user of `on_event` sees every object's last state and every disappearance.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from pytest_smi.embedded.rest import ApiFailure, Client

_log = logging.getLogger(__name__)

Key = tuple[str, str]
OnEvent = Callable[[str, dict[str, Any]], None]


class Informer:
    """Lists and watches the collection `path`; `objects` maps (namespace or "", name) to the newest object.

    `on_event(type, object)` is called in the event loop with ADDED, MODIFIED or DELETED, after `objects` has changed;
    what it raises is logged. `synced` is set after the first complete list. A collection that is not served yet (404)
    is asked for again until it is. Objects are shared: do not change them.
    """

    def __init__(self, client: Client, path: str, on_event: OnEvent | None = None, **query: object) -> None:
        self._client = client
        self._path = path
        self._query = query
        self._listeners = [on_event] if on_event else []
        self._version: str | None = None
        self.objects: dict[Key, dict[str, Any]] = {}
        self.synced = asyncio.Event()

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The newest known state of one object; the namespace is "" for a cluster-scoped one."""
        return self.objects.get((namespace, name))

    def in_namespace(self, namespace: str) -> list[dict[str, Any]]:
        """All objects of a namespace."""
        return [obj for (where, _), obj in self.objects.items() if where == namespace]

    def listen(self, on_event: OnEvent) -> None:
        """Adds another receiver of events; it is told of everything already known."""
        self._listeners.append(on_event)
        for obj in list(self.objects.values()):
            _call(on_event, "ADDED", obj)

    def absorb(self, obj: dict[str, Any]) -> None:
        """Takes in the answer to a write of ours, ahead of the watch, so that we read what we wrote."""
        if self._version is not None and _newer(obj, self._version):
            self._keep(_key(obj), obj)

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        delay = 0.0
        while True:
            began = time.monotonic()
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except (ApiFailure, OSError, ValueError, KeyError) as fault:
                _log.info("watching %s: %s", self._path, fault)
                self._version = None
            # A stream that ended at its time limit is resumed at once; one that never worked is not hammered.
            delay = 0.0 if time.monotonic() - began > 1 else min(delay * 2 + 0.02, 1.0)
            await asyncio.sleep(delay)

    async def _list(self) -> None:
        answer = await self._client.get(self._path, **self._query)
        kind = {"apiVersion": answer.get("apiVersion", ""), "kind": answer.get("kind", "").removesuffix("List")}
        # Items of a list come without apiVersion and kind from a real API server; events come with them.
        found = {_key(item): {**kind, **item} for item in answer.get("items") or []}
        version = answer["metadata"]["resourceVersion"]
        for key, known in list(self.objects.items()):
            if key not in found and not _newer(known, version):
                self._forget(key, known)
        for key, item in found.items():
            self._keep(key, item)
        self._version = version
        self.synced.set()

    async def _watch(self) -> None:
        events = self._client.watch(
            self._path, resourceVersion=self._version, allowWatchBookmarks=True, timeoutSeconds=1800, **self._query
        )
        async with contextlib.aclosing(events):
            async for event in events:
                obj = event["object"]
                self._version = obj["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._keep(_key(obj), obj)
                elif event["type"] == "DELETED":
                    self._forget(_key(obj), obj)

    def _keep(self, key: Key, obj: dict[str, Any]) -> None:
        known = self.objects.get(key)
        if known is not None and known["metadata"].get("uid") != obj["metadata"].get("uid"):
            self._forget(key, known)  # deleted and made again while we did not look
            known = None
        if known is not None and not _newer(obj, known["metadata"].get("resourceVersion", "")):
            return  # the watch is behind what `absorb` took in
        self.objects[key] = obj
        self._tell("ADDED" if known is None else "MODIFIED", obj)

    def _forget(self, key: Key, obj: dict[str, Any]) -> None:
        self.objects.pop(key, None)
        self._tell("DELETED", obj)

    def _tell(self, kind: str, obj: dict[str, Any]) -> None:
        for listener in self._listeners:
            _call(listener, kind, obj)


def _call(listener: OnEvent, kind: str, obj: dict[str, Any]) -> None:
    try:
        listener(kind, obj)
    except Exception:
        _log.exception("handling %s of %s", kind, _key(obj))


def _key(obj: dict[str, Any]) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _newer(obj: dict[str, Any], version: str) -> bool:
    """Whether `obj` is newer than a resourceVersion. They are numbers that grow, within one resource type at least."""
    mine = obj["metadata"].get("resourceVersion", "")
    return int(mine) > int(version) if mine.isdigit() and version.isdigit() else mine != version
