"""What the cluster knows: objects by resource, one revision for all writes, and a bounded history for watches.

A stored object is never changed: a write replaces its `Record`. Readers may therefore keep references without copying.
Everything happens on one event loop; `put` and `remove` are atomic because they do not await.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""

ResourceKey = tuple[str, str]
"""Group and plural: every version of a resource is one collection."""


class Record:
    """One state of one object, in its storage version. `views` caches its conversions by version."""

    __slots__ = ("key", "obj", "revision", "views")

    def __init__(self, key: Key, obj: Object, revision: int) -> None:
        self.key = key
        self.obj = obj
        self.revision = revision
        self.views: dict[str, tuple[object, Object]] = {}


@dataclass(slots=True, frozen=True)
class Change:
    """One write as watches see it. `before` is None for a creation, `after` of a deletion is the last state."""

    revision: int
    type: str
    after: Record
    before: Record | None


class Subscription:
    """The changes of one collection from now on; ends when the collection or the server goes away."""

    def __init__(self, limit: int) -> None:
        self._queue: deque[Change | None] = deque()
        self._wake = asyncio.Event()
        self._limit = limit
        self.overrun = False

    def push(self, change: Change | None) -> None:
        """Add a change; None ends the subscription, and so does a reader that is too slow."""
        if len(self._queue) >= self._limit:
            self.overrun = True
            self._queue.clear()
            change = None
        self._queue.append(change)
        self._wake.set()

    async def next(self, timeout: float) -> Change | None:
        """The next change, or None at the end. Raises TimeoutError after `timeout` seconds without one."""
        if not self._queue:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
        if not self._queue:  # a change may come in the very turn of the loop in which the time is up
            raise TimeoutError
        return self._queue.popleft()


class Collection:
    """All objects of one resource, with their recent history."""

    def __init__(self, history: int) -> None:
        self.records: dict[Key, Record] = {}
        self.last_change = 0
        self.forgotten = 0  # watches may resume from this revision on, not from before
        self._history: deque[Change] = deque(maxlen=history)
        self._subscriptions: set[Subscription] = set()
        self._limit = max(history, 1024)

    @property
    def watchers(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def record(self, change: Change) -> None:
        """Make a change known to history and watchers."""
        if len(self._history) == self._history.maxlen:
            self.forgotten = self._history[0].revision
        self._history.append(change)
        self.last_change = change.revision
        for subscription in self._subscriptions:
            subscription.push(change)

    def since(self, revision: int) -> list[Change]:
        """The changes after `revision`, oldest first."""
        found = []
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found

    def subscribe(self) -> Subscription:
        """Start to collect changes; give it back with `unsubscribe`."""
        subscription = Subscription(self._limit)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop collecting."""
        self._subscriptions.discard(subscription)

    def end(self) -> None:
        """End every watch: the resource is no longer served."""
        for subscription in self._subscriptions:
            subscription.push(None)


class Store:
    """Every collection, and the revision that counts their writes."""

    def __init__(self, history: int = 4096) -> None:
        self.revision = 1
        self._history = history
        self._collections: dict[ResourceKey, Collection] = {}
        self._dropped: dict[ResourceKey, int] = {}

    def collection(self, resource: ResourceKey) -> Collection:
        """The collection of a resource; empty when nothing was ever written."""
        found = self._collections.get(resource)
        if found is None:
            found = self._collections[resource] = Collection(self._history)
            found.forgotten = self._dropped.get(resource, 0)
        return found

    def get(self, resource: ResourceKey, namespace: str, name: str) -> Record | None:
        """The current state of one object."""
        return self.collection(resource).records.get((namespace, name))

    def listed(self, resource: ResourceKey, namespace: str = "") -> list[Record]:
        """The objects of a namespace (empty: of all), sorted by namespace and name."""
        records = self.collection(resource).records
        keys = sorted(key for key in records if not namespace or key[0] == namespace)
        return [records[key] for key in keys]

    def at(self, resource: ResourceKey, namespace: str, revision: int) -> list[Record] | None:
        """What `listed` would have said at a revision; None when that is forgotten."""
        collection = self.collection(resource)
        if revision < collection.forgotten:
            return None
        records = dict(collection.records)
        for change in reversed(collection.since(revision)):
            if change.before is None:
                records.pop(change.after.key, None)
            else:
                records[change.after.key] = change.before
        keys = sorted(key for key in records if not namespace or key[0] == namespace)
        return [records[key] for key in keys]

    def put(self, resource: ResourceKey, key: Key, obj: Object) -> Record:
        """Create or replace an object; its resourceVersion is set here. The object belongs to the store afterwards."""
        collection = self.collection(resource)
        before = collection.records.get(key)
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        record = Record(key, obj, self.revision)
        collection.records[key] = record
        collection.record(Change(self.revision, "MODIFIED" if before else "ADDED", record, before))
        return record

    def remove(self, resource: ResourceKey, key: Key) -> Record:
        """Delete an object and return its last state, which carries the revision of the deletion."""
        collection = self.collection(resource)
        before = collection.records.pop(key)
        self.revision += 1
        metadata = {**before.obj["metadata"], "resourceVersion": str(self.revision)}
        record = Record(key, {**before.obj, "metadata": metadata}, self.revision)
        collection.record(Change(self.revision, "DELETED", record, before))
        return record

    def drop(self, resource: ResourceKey) -> None:
        """Forget a collection whose resource is no longer served."""
        if collection := self._collections.pop(resource, None):
            self._dropped[resource] = self.revision
            collection.end()

    def collections(self) -> Iterator[tuple[ResourceKey, Collection]]:
        """Everything there is."""
        yield from list(self._collections.items())
