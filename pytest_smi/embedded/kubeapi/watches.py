"""watch: an endless stream of changes, from a revision on, through the eyes of a selector."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pytest_smi.embedded.kubeapi import list_options, selectors, status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.http import StreamResponse, encode_json
from pytest_smi.embedded.kubeapi.presentation import present
from pytest_smi.embedded.kubeapi.reads import selection
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.kubeapi.store import Change, Record, Subscription

Object = dict[str, Any]

_DEFAULT_SECONDS = 1800.0
INITIAL_END = "k8s.io/initial-events-end"


def _line(kind: str, obj: Object) -> bytes:
    return encode_json({"type": kind, "object": obj}) + b"\n"


class _Watch:
    """One running watch. Table watches send the column definitions with their first event only."""

    def __init__(self, state: State, call: Call, bookmark_seconds: float) -> None:
        self.state = state
        self.call = call
        self.matches = selection(call)
        self.bookmark_seconds = bookmark_seconds
        self.bookmarks = is_true(call.request.param("allowWatchBookmarks"))
        self.seconds = _seconds(call)
        self.first = True

    def render(self, kind: str, obj: Object) -> bytes:
        body = present(obj, self.call, headers=self.first)
        self.first = False
        return _line(kind, body)

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        """A mark of progress that carries nothing but a revision."""
        resource = self.call.resource
        metadata: Object = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        obj: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        if self.call.accepted.form == "Table":
            # a Table bookmark is a table of one row whose object has nothing but the revision
            return self.render("BOOKMARK", obj)
        if self.call.accepted.form:
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return _line("BOOKMARK", obj)

    async def event(self, change: Change) -> bytes:
        """The change as this selector sees it, empty when it sees nothing."""
        namespace = self.call.target.namespace
        if namespace and change.after.key[0] != namespace:
            return b""
        after = await self.view(change.after)
        if self.matches is selectors.everything:
            return self.render(change.type, after)
        now = change.type != "DELETED" and self.matches(after)
        before = change.before is not None and self.matches(await self.view(change.before))
        if now:
            return self.render("MODIFIED" if before else "ADDED", after)
        return self.render("DELETED", await self.last_seen(change)) if before else b""

    async def last_seen(self, change: Change) -> Object:
        """The object as the selector saw it last, with the revision of the change that took it away."""
        assert change.before is not None
        obj = await self.view(change.before)
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(change.revision)}}

    async def view(self, record: Record) -> Object:
        converter = self.state.converter
        found = converter.ready(record, self.call.resource)
        return found if found is not None else await converter.view(record, self.call.resource)

    async def initial(self) -> AsyncIterator[bytes]:
        """The present state as ADDED events."""
        records = self.state.store.listed(self.call.resource.key, self.call.target.namespace)
        objects = await self.state.converter.views(records, self.call.resource)
        lines = [self.render("ADDED", obj) for obj in objects if self.matches(obj)]
        if lines:
            yield b"".join(lines)


def _seconds(call: Call) -> float:
    text = call.request.param("timeoutSeconds")
    try:
        return float(int(text)) if text and text != "0" else _DEFAULT_SECONDS
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def start(state: State, call: Call, bookmark_seconds: float) -> StreamResponse:
    """The answer to a watch request. Raises ApiError (400, 422) for options that make no sense."""
    since = list_options.revision_of_get(call) or 0
    wants_initial = list_options.wants_initial_events(call)
    watch = _Watch(state, call, bookmark_seconds)
    headers = {"content-type": "application/json", "cache-control": "no-cache, private"}
    return StreamResponse(200, _stream(watch, since, wants_initial), headers)


async def _stream(watch: _Watch, since: int, wants_initial: bool) -> AsyncIterator[bytes]:
    collection = watch.state.store.collection(watch.call.resource.key)
    subscription = collection.subscribe()
    try:
        if wants_initial or since == 0:
            position = watch.state.store.revision
            async for chunk in watch.initial():
                yield chunk
            if wants_initial and watch.bookmarks:
                yield watch.bookmark(position, initial_end=True)
        else:
            position = since
            if since < collection.forgotten:
                text = f"too old resource version: {since} ({collection.forgotten + 1})"
                yield _line("ERROR", status.expired(text).status)
                return
            for change in collection.since(since):
                yield await watch.event(change)
                position = change.revision
        async for chunk in _follow(watch, subscription, position):
            yield chunk
    except ApiError as error:
        yield _line("ERROR", error.status)
    finally:
        collection.unsubscribe(subscription)


async def _follow(watch: _Watch, subscription: Subscription, position: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end = loop.time() + watch.seconds
    next_bookmark = loop.time() + watch.bookmark_seconds
    while True:
        now = loop.time()
        if now >= end:
            if watch.bookmarks:
                yield watch.bookmark(position)
            return
        wait = min(end, next_bookmark if watch.bookmarks else end) - now
        try:
            change = await subscription.next(max(wait, 0.001))
        except TimeoutError:
            if watch.bookmarks and loop.time() >= next_bookmark:
                position = max(position, watch.state.store.revision)
                next_bookmark = loop.time() + watch.bookmark_seconds
                yield watch.bookmark(position)
            continue
        if change is None:
            if subscription.overrun:
                yield _line("ERROR", status.expired("the watch was too slow to follow").status)
            return
        if change.revision > position:
            position = change.revision
            yield await watch.event(change)
