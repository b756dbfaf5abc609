"""Deployments become ReplicaSets: rolling update, Recreate, scaling, revisions, history.

When a Deployment is scaled in the middle of a rollout, the newest ReplicaSet takes the whole difference (Kubernetes
spreads it in proportion).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.controllers import rollout
from pytest_smi.embedded.controllers.deployment_status import status_of
from pytest_smi.embedded.controllers.ownership import claim, controller_of, deleting, matches
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]
Key = tuple[str, str]
_DEPLOYMENTS = "apps/v1", "deployments"
_SETS = "apps/v1", "replicasets"


class DeploymentController:
    """Moves each Deployment towards its newest template, step by step as pods become available."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._deployments = caches.deployments
        self._sets = caches.replicasets
        self._pods = caches.pods
        self._queue = WorkQueue[Key]("deployments", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        self._deployments.listen(
            lambda _, obj: self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))
        )
        self._sets.listen(self._set_changed)
        self._pods.listen(self._pod_changed)
        await self._queue.run()

    def _set_changed(self, kind: str, one: Object) -> None:
        namespace = one["metadata"]["namespace"]
        if controller := controller_of(one):
            if controller["kind"] == "Deployment":
                self._queue.add((namespace, controller["name"]))
        elif kind != "DELETED":
            for deployment in self._deployments.in_namespace(namespace):
                if matches(deployment["spec"].get("selector"), one["metadata"].get("labels")):
                    self._queue.add((namespace, deployment["metadata"]["name"]))

    def _pod_changed(self, kind: str, pod: Object) -> None:
        """Recreate waits until the last old pod has gone."""
        controller = controller_of(pod)
        if kind == "DELETED" and controller and controller["kind"] == "ReplicaSet":
            one = self._sets.get(pod["metadata"]["namespace"], controller["name"])
            if one and (owner := controller_of(one)):
                self._queue.add((pod["metadata"]["namespace"], owner["name"]))

    async def _sync(self, key: Key) -> float | None:
        deployment = self._deployments.get(*key)
        if deployment is None:
            return None
        sets = await claim(self._client, deployment, self._sets.in_namespace(key[0]), self._sets, _SETS)
        new = newest(deployment, sets)
        if not deleting(deployment):
            if new is None and not deployment["spec"].get("paused"):
                new = await self._create(deployment, sets)
                sets = [*sets, new] if new else sets
            if new is not None:
                await self._number(deployment, new, sets)
            sets = await self._scale(deployment, new, sets)
            await self._forget_history(deployment, new, sets)
        return await self._report(deployment, new, sets)

    async def _create(self, deployment: Object, sets: list[Object]) -> Object | None:
        """Makes the ReplicaSet for the present template; with Recreate only once the pods of the others have gone."""
        if rollout.recreates(deployment) and await self._clear(sets):
            return None
        path = path_to(*_SETS, deployment["metadata"]["namespace"])
        made = await self._client.create(path, rollout.replicaset(deployment, sets))
        self._sets.absorb(made)
        return made

    async def _clear(self, sets: list[Object]) -> bool:
        """Scales ReplicaSets to nothing; whether any of their pods is still there, even one that is ending."""
        for one in sets:
            await self._resize(one, 0)
        uids = {one["metadata"]["uid"] for one in sets}
        pods = self._pods.in_namespace(sets[0]["metadata"]["namespace"]) if sets else []
        return any(
            (owner := controller_of(pod)) and owner["uid"] in uids
            for pod in pods
            if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        )

    async def _number(self, deployment: Object, new: Object, sets: list[Object]) -> None:
        """Gives the newest ReplicaSet the highest revision (a rollback raises an old one), and says so."""
        highest = max(map(rollout.revision, sets))
        if rollout.revision(new) < highest or rollout.revision(new) == 0:
            number = str(highest + 1)
            await self._annotate(_SETS, new, self._sets, number)
        number = str(max(highest, rollout.revision(self._sets.get(*_key(new)) or new)))
        if str(rollout.revision(deployment)) != number:
            await self._annotate(_DEPLOYMENTS, deployment, self._deployments, number)

    async def _annotate(self, collection: Key, one: Object, informer: Any, number: str) -> None:
        patch = {"metadata": {"uid": one["metadata"]["uid"], "annotations": {rollout.REVISION: number}}}
        informer.absorb(await self._client.patch(path_to(*collection, *_key(one)), patch))

    async def _scale(self, deployment: Object, new: Object | None, sets: list[Object]) -> list[Object]:
        old = [one for one in sets if new is None or one["metadata"]["uid"] != new["metadata"]["uid"]]
        if deployment["spec"].get("paused"):
            return await self._scale_paused(deployment, sets)
        if new is None:
            return sets
        if rollout.recreates(deployment) and await self._clear(old):
            return sets
        new = await self._resize(new, rollout.scale_new(deployment, new, sets))
        sizes = rollout.scale_old(deployment, new, old)
        return [new, *[await self._resize(one, sizes[one["metadata"]["name"]]) for one in old]]

    async def _scale_paused(self, deployment: Object, sets: list[Object]) -> list[Object]:
        """No step of a rollout, but a change of scale is carried out where the pods are, if that is one place."""
        running = [one for one in sets if rollout.replicas(one)] or sorted(sets, key=rollout.revision)[-1:]
        if len(running) != 1:
            return sets
        return [await self._resize(one, rollout.replicas(deployment)) if one in running else one for one in sets]

    async def _resize(self, one: Object, replicas: int) -> Object:
        if rollout.replicas(one) == replicas:
            return one
        metadata = {"uid": one["metadata"]["uid"], "resourceVersion": one["metadata"]["resourceVersion"]}
        patch = {"metadata": metadata, "spec": {"replicas": replicas}}
        changed = await self._client.patch(path_to(*_SETS, *_key(one)), patch)
        self._sets.absorb(changed)
        return changed

    async def _forget_history(self, deployment: Object, new: Object | None, sets: list[Object]) -> None:
        old = [one for one in sets if one is not new and not rollout.replicas(one) and not deleting(one)]
        old = [one for one in old if not one.get("status", {}).get("replicas")]
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        for one in sorted(old, key=rollout.revision)[: max(0, len(old) - limit)]:
            try:
                await self._client.delete(path_to(*_SETS, *_key(one)))
            except ApiFailure as failure:
                if failure.code != 404:
                    raise

    async def _report(self, deployment: Object, new: Object | None, sets: list[Object]) -> float | None:
        current = self._deployments.get(*_key(deployment)) or deployment
        status, later = status_of(current, new, [self._sets.get(*_key(one)) or one for one in sets])
        old = current.get("status", {})
        if status != {key: old.get(key) for key in status}:
            patch = {"metadata": {"uid": deployment["metadata"]["uid"]}, "status": status}
            path = path_to(*_DEPLOYMENTS, *_key(deployment), "status")
            self._deployments.absorb(await self._client.patch(path, patch))
        return later


def newest(deployment: Object, sets: list[Object]) -> Object | None:
    """The ReplicaSet that has the Deployment's present template; the oldest, should there be several."""
    wanted = rollout.plain(deployment["spec"]["template"])
    same = [one for one in sets if rollout.plain(one["spec"]["template"]) == wanted and not deleting(one)]
    return min(same, key=lambda one: str(one["metadata"].get("creationTimestamp", "")), default=None)


def _key(obj: Object) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
