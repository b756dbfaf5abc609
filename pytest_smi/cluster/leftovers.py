"""What runs have left in a cluster: found by label in every kind there is, judged by their leases, removed if dead."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.cluster.api import Refused, path_of
from pytest_smi.cluster.lease import NAME, seconds_left
from pytest_smi.cluster.ownership import MANAGED_BY, PART_LABEL, RUN_LABEL, SCENE, run_of
from pytest_smi.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_smi.cluster.api import Api

_OURS = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())
_YOUNG_SECONDS = 60.0  # a run creates its namespace first and its lease soon after
_GONE_SECONDS = 120.0
_POLL_SECONDS = 0.2
# First what could hinder the rest from going, last what the rest may need in order to go.
_FIRST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService")
_LAST = ("Namespace", "ClusterRoleBinding", "ClusterRole", "CustomResourceDefinition")


class Thing(NamedTuple):
    """One object that a run has left, and the URL path that it is at."""

    path: str
    kind: str
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass
class Leftovers:
    """What one run has left. `alive` is for how many seconds it may still be alive; below 0, since when it is not.

    `lease` says whether that is by a lease; without one, its youngest object tells.
    """

    run: str
    things: list[Thing] = field(default_factory=list)
    lease: bool = False
    alive: float = float("-inf")

    def to_delete(self) -> list[Thing]:
        """What is to be deleted in person, in a sensible order: what is in a namespace of the run goes with that."""
        spaces = {thing.name for thing in self.things if thing.kind == "Namespace"}
        return sorted((thing for thing in self.things if thing.namespace not in spaces), key=_rank)


@dataclass
class Found:
    """What was found, by run. `unseen` are the collections that could not be looked at, with the reason."""

    runs: list[Leftovers]
    unseen: dict[str, str]


def find(api: Api) -> Found:
    """All objects that carry the label of a run."""
    runs: dict[str, Leftovers] = {}
    unseen: dict[str, str] = {}
    for path, kind in _collections(api, unseen):
        try:
            listed = api.list(path, labelSelector=f"{_OURS},{RUN_LABEL}")
        except Refused as refusal:
            if refusal.code != 404:
                unseen[path] = refusal.reason or str(refusal.code)
            continue
        for obj in listed:
            run = run_of(obj)
            if run is not None:
                _enter(runs.setdefault(run, Leftovers(run)), path, kind, obj, api.now())
    return Found(sorted(runs.values(), key=lambda one: one.run), unseen)


def _enter(one: Leftovers, path: str, kind: str, obj: Mapping[str, Any], now: dt.datetime) -> None:
    meta = obj["metadata"]
    space = str(meta.get("namespace", ""))
    root, _, plural = path.rpartition("/")
    whole = f"{root}/namespaces/{space}/{plural}" if space else path
    one.things.append(Thing(f"{whole}/{meta['name']}", kind, space, meta["name"], meta["uid"]))
    if kind == "Lease" and meta["name"] == NAME:
        left = seconds_left(obj, now)
        one.alive = max(one.alive, left) if one.lease else left
        one.lease = True
    elif not one.lease:
        age = (now - dt.datetime.fromisoformat(meta["creationTimestamp"])).total_seconds()
        one.alive = max(one.alive, _YOUNG_SECONDS - age)


def _collections(api: Api, unseen: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Path (over all namespaces) and kind of everything that can be listed and deleted, each in one version."""
    groups = api.get("/apis").get("groups", [])
    for root in ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]:
        try:
            found = api.get(root)
        except Refused as refusal:  # an aggregated API whose server is away
            unseen[root] = refusal.reason or str(refusal.code)
            continue
        for one in found.get("resources", []):
            if "/" not in one["name"] and {"list", "delete"} <= set(one["verbs"]):
                yield f"{root}/{one['name']}", one["kind"]


def _rank(thing: Thing) -> tuple[int, int]:
    if thing.kind in _FIRST:
        return 0, _FIRST.index(thing.kind)
    return (2, _LAST.index(thing.kind)) if thing.kind in _LAST else (1, 0)


def remove(api: Api, things: Iterable[Thing]) -> list[Thing]:
    """Delete these very objects, not later ones of the same name; those that were still there."""
    removed = []
    for thing in things:
        try:
            if api.delete(thing.path, preconditions={"uid": thing.uid}):
                removed.append(thing)
        except Refused as refusal:
            if refusal.code != 409:  # else another one has the name by now
                raise
    return removed


def wait_gone(api: Api, things: Iterable[Thing], seconds: float = _GONE_SECONDS) -> None:
    """Wait until these very objects are gone. Raises DeadlineExceeded, which says what holds the first that is left."""
    left = list(things)
    deadline = time.monotonic() + seconds
    while left := [thing for thing in left if _is_there(api, thing)]:
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                f"waited {seconds:.0f} s for {left[0]} to go{_held(api, left[0])}",
                "delete what holds it, then run `pytest-smi clean`",
            )
        time.sleep(_POLL_SECONDS)  # the interval of a poll with a deadline


def scenes_of(api: Api, run: str) -> list[Thing]:
    """The namespaces of the scenes of one run."""
    found = api.list(path_of("v1", "Namespace"), labelSelector=f"{_OURS},{RUN_LABEL}={run},{PART_LABEL}={SCENE}")
    return [namespace(obj) for obj in found]


def namespace(obj: Mapping[str, Any]) -> Thing:
    """This namespace as a thing to be removed."""
    meta = obj["metadata"]
    return Thing(path_of("v1", "Namespace", name=meta["name"]), "Namespace", "", meta["name"], meta["uid"])


def _is_there(api: Api, thing: Thing) -> bool:
    found = api.find(thing.path)
    return found is not None and found["metadata"]["uid"] == thing.uid


def _held(api: Api, thing: Thing) -> str:
    """What keeps an object from going, as it tells itself."""
    found = api.find(thing.path) or {}
    finalizers = found.get("metadata", {}).get("finalizers") or []
    conditions = found.get("status", {}).get("conditions") or []
    reasons = [str(one.get("message", "")) for one in conditions if one.get("status") == "True"]
    told = "; ".join([*(f"finalizer {one}" for one in finalizers), *filter(None, reasons)])
    return f": held by {' '.join(told.split())[:400]}" if told else ""
