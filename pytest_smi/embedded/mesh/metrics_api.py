"""The metrics API: a path is taken apart, the objects that it names are looked up, and their traffic is told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.mesh.metrics_log import FLUSH_SECONDS
from pytest_smi.embedded.mesh.metrics_semantics import Moment, Subject
from pytest_smi.embedded.mesh.metrics_world import World
from pytest_smi.spec.metrics import GROUP, MEASURED, ROOT
from pytest_smi.spec.metrics_read import BadMetrics, duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pytest_smi.embedded.kubeapi.http import Request
    from pytest_smi.embedded.mesh.metrics_log import Journal
    from pytest_smi.embedded.mesh.metrics_semantics import Json
    from pytest_smi.embedded.mesh.metrics_world import Call, Holders, ObjectKey
    from pytest_smi.embedded.mesh.semantics import Semantics
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot
    from pytest_smi.spec.metrics import Measured

LAG_SECONDS = 1.5 * FLUSH_SECONDS
"""Windows end so long ago, since what is younger may not be written yet."""
LONGEST_SECONDS = 60.0
_REPLICA_SETS = MEASURED["replicasets"].collection()
_EDGES = "edges"


@dataclass(frozen=True)
class Asked:
    """What a path names: all objects of a kind, one of them, or the edges of one."""

    measured: Measured
    namespace: str = ""
    name: str = ""
    edges: bool = False


def parse(path: str) -> Asked | None:
    """Take a path below `ROOT` apart; None for the root itself. Raises ApiError (404)."""
    rest = [part for part in path.removeprefix(ROOT).split("/") if part]
    if not rest:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2:] != [_EDGES]:
        namespace, rest = rest[1], rest[2:]
    measured = MEASURED.get(rest[0])
    scoped = bool(namespace) or len(rest) == 1  # a list may be about all namespaces, an object is in one
    if measured is None or (namespace and not measured.namespaced) or (measured.namespaced and not scoped):
        raise status.unknown_path()
    if len(rest) > 3 or (len(rest) == 3 and rest[2] != _EDGES):
        raise status.unknown_path()
    return Asked(measured, namespace, rest[1] if len(rest) > 1 else "", len(rest) == 3)


class MetricsApi:
    """Answers questions. `fetch` reads the API as `Client.get` does, `snapshot` is what the mesh knows of it."""

    def __init__(
        self,
        semantics: Semantics,
        journal: Journal,
        snapshot: Callable[[], Snapshot],
        fetch: Callable[..., Awaitable[Json]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._semantics = semantics
        self._journal = journal
        self._snapshot = snapshot
        self._fetch = fetch
        self._now = now

    async def answer(self, request: Request) -> Json:
        """The body of a successful answer. Raises ApiError."""
        asked = parse(request.path)
        if request.method not in ("GET", "HEAD") or is_true(request.param("watch")):
            raise status.method_not_allowed()
        if asked is None:
            return self._semantics.discovery()
        selector = "" if asked.name else request.param("labelSelector")
        objects = await self._objects(asked, selector)
        moment = Moment(self._now() - LAG_SECONDS, self._window(request.param("t")))
        world = World(self._snapshot(), await self._replica_sets(asked.measured))
        calls = self._calls(world, moment)
        if asked.measured.kind == "TrafficSplit":
            return self._splits(asked, selector, objects, calls, moment)
        holders = world.holders(asked.measured)
        if selector:
            chosen = {pod for one in objects for pod in self._semantics.held(holders, _key(one))}
            calls = self._semantics.considered(calls, chosen)
        items = [item for one in objects for item in self._items(asked, one, calls, holders, moment)]
        if asked.name and not asked.edges:
            return items[0]
        return self._semantics.listing(_listed(asked), selector, items)

    def _items(
        self, asked: Asked, one: Manifest, calls: list[Call], holders: Holders, moment: Moment
    ) -> Iterator[Json]:
        """What is told of one object: its own item, or those of its edges."""
        resource, held = _reference(asked.measured, one), self._semantics.held(holders, _key(one))
        if not asked.edges:
            received = self._semantics.received(calls, held)
            yield self._item(Subject(resource, "from", "server", None), received, moment)
            return
        for direction, side, other, between in self._semantics.edges(calls, held, holders):
            yield self._item(Subject(resource, direction, side, _named(asked.measured, other)), between, moment)

    def _splits(self, asked: Asked, selector: str, splits: list[Manifest], calls: list[Call], moment: Moment) -> Json:
        """MET §Traffic Splits. Open (TM-062): one object is a list, too; it has no edges, since it has no pods."""
        items = []
        for split in splits if not asked.edges else ():
            namespace, root = split["metadata"]["namespace"], split["spec"]["service"].partition(".")[0]
            for backend in split["spec"].get("backends") or ():
                told = self._semantics.backend(split, backend)
                subject = Subject(_reference(asked.measured, split), "from", "client", None, told)
                got = self._semantics.through_split(calls, (namespace, root), (namespace, backend["service"]))
                items.append(self._item(subject, got, moment))
        return self._semantics.listing(_listed(asked), selector, items)

    def _item(self, subject: Subject, calls: list[Call], moment: Moment) -> Json:
        return self._semantics.item(subject, self._semantics.numbers(calls), moment)

    def _calls(self, world: World, moment: Moment) -> list[Call]:
        seen = self._journal.between(*self._semantics.span(moment))
        measured = (one for one in seen if self._semantics.is_measured(one))
        return [world.call(one, success=self._semantics.succeeded(one)) for one in measured]

    def _window(self, asked: str) -> float:
        """The window: the mesh's own, or `?t=` as another implementation has it. Raises ApiError (400)."""
        if not asked:
            return self._semantics.metrics_window
        try:
            seconds = duration(asked, "t")
        except BadMetrics as wrong:
            raise status.bad_request(str(wrong)) from None
        if not 0 < seconds <= LONGEST_SECONDS:
            raise status.bad_request(f"t: {asked} is not above 0 and at most {LONGEST_SECONDS:g}s")
        return seconds

    async def _objects(self, asked: Asked, selector: str) -> list[Manifest]:
        """The objects themselves, from the API. A kind that this cluster does not serve has none."""
        measured, namespace = asked.measured, asked.namespace
        try:
            if asked.name:
                return [await self._fetch(f"{measured.collection(namespace)}/{quote(asked.name, safe='')}")]
            collection = measured.collection(self._semantics.scope(namespace))
            chosen = await self._fetch(collection, labelSelector=self._semantics.filters(selector) or None)
        except ApiFailure as failure:
            if failure.code == 404 and asked.name:
                raise status.not_found(asked.measured.plural, asked.name, GROUP) from None
            if failure.code == 404:
                return []
            raise status.ApiError(failure.code, failure.status) from None
        objects: list[Any] = chosen["items"]
        return objects

    async def _replica_sets(self, measured: Measured) -> list[Manifest]:
        if measured.kind != "Deployment":
            return []
        found: list[Any] = (await self._fetch(_REPLICA_SETS))["items"]
        return found


def _listed(asked: Asked) -> Json:
    """MET §TrafficMetricsList: kind, namespace and apiVersion; a name where the edges of one object are listed."""
    named = asked.name if asked.edges or asked.measured.kind == "TrafficSplit" else ""
    return _named(asked.measured, (asked.namespace, named))


def _reference(measured: Measured, manifest: Manifest) -> Json:
    return _named(measured, _key(manifest))


def _named(measured: Measured, key: ObjectKey) -> Json:
    namespace, name = key
    fields = {"kind": measured.kind, "namespace": namespace, "name": name, "apiVersion": measured.api_version}
    return {field: value for field, value in fields.items() if value}


def _key(manifest: Manifest) -> ObjectKey:
    return manifest["metadata"].get("namespace") or "", manifest["metadata"]["name"]
