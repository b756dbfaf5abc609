"""ReplicaSets become Pods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.controllers import podstate
from pytest_smi.embedded.controllers.ownership import claim, controller_of, deleting, matches, reference_to
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]
Key = tuple[str, str]
_SETS = "apps/v1", "replicasets"
_PODS = "v1", "pods"


class ReplicaSetController:
    """Keeps as many active Pods as each ReplicaSet asks for, and its status."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._sets = caches.replicasets
        self._pods = caches.pods
        self._queue = WorkQueue[Key]("replicasets", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        self._sets.listen(lambda _, obj: self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"])))
        self._pods.listen(self._pod_changed)
        await self._queue.run()

    def _pod_changed(self, kind: str, pod: Object) -> None:
        namespace = pod["metadata"]["namespace"]
        if controller := controller_of(pod):
            if controller["kind"] == "ReplicaSet":
                self._queue.add((namespace, controller["name"]))
        elif kind != "DELETED":
            for one in self._sets.in_namespace(namespace):
                if matches(one["spec"].get("selector"), pod["metadata"].get("labels")):
                    self._queue.add((namespace, one["metadata"]["name"]))

    async def _sync(self, key: Key) -> float | None:
        one = self._sets.get(*key)
        if one is None:
            return None
        pods = await claim(self._client, one, self._pods.in_namespace(key[0]), self._pods, _PODS)
        pods = [pod for pod in pods if podstate.active(pod)]
        refusal = None
        if not deleting(one):
            refusal = await self._scale(one, pods)
        return await self._report(one, pods, refusal)

    async def _scale(self, one: Object, pods: list[Object]) -> ApiFailure | None:
        """Makes or deletes pods; returns the refusal when the API server would not have more of them."""
        missing = one["spec"].get("replicas", 1) - len(pods)
        if missing > 0:
            work = [self._create(one) for _ in range(missing)]
        else:
            work = [self._delete(pod) for pod in sorted(pods, key=deletion_order)[:-missing]] if missing else []
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, ApiFailure) and result.code in (403, 422):
                return result
            if isinstance(result, BaseException):
                raise result
        return None

    async def _create(self, one: Object) -> None:
        namespace, name = one["metadata"]["namespace"], one["metadata"]["name"]
        template = one["spec"]["template"]
        metadata = {
            "generateName": f"{name}-",
            "namespace": namespace,
            "labels": template.get("metadata", {}).get("labels") or {},
            "annotations": template.get("metadata", {}).get("annotations") or {},
            "ownerReferences": [reference_to(one)],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        self._pods.absorb(await self._client.create(path_to(*_PODS, namespace), pod))

    async def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": metadata["uid"]}}
        try:
            answer = await self._client.delete(path_to(*_PODS, metadata["namespace"], metadata["name"]), options)
        except ApiFailure as failure:
            if failure.code not in (404, 409):
                raise
            return
        if answer.get("kind") == "Pod":
            self._pods.absorb(answer)

    async def _report(self, one: Object, pods: list[Object], refusal: ApiFailure | None) -> float | None:
        """Writes the status if it changed; returns when a pod that is ready becomes available."""
        waits = [podstate.available_in(pod, one["spec"].get("minReadySeconds", 0)) for pod in pods]
        old = one.get("status", {})
        status = status_of(one, pods, waits, old.get("conditions") or [], refusal)
        if status != {key: old.get(key) for key in status}:
            path = path_to(*_SETS, one["metadata"]["namespace"], one["metadata"]["name"], "status")
            patch = {"metadata": {"uid": one["metadata"]["uid"]}, "status": status}
            self._sets.absorb(await self._client.patch(path, patch))
        if refusal:
            raise refusal  # to try again, later each time
        return min((wait for wait in waits if wait), default=None)


def status_of(
    one: Object, pods: list[Object], waits: list[float | None], conditions: list[Object], refusal: ApiFailure | None
) -> Object:
    """The status of a ReplicaSet with these active pods; None for what is left out (a count of zero)."""
    wanted = one["spec"]["template"].get("metadata", {}).get("labels") or {}
    labelled = sum(matches({"matchLabels": wanted}, pod["metadata"].get("labels")) for pod in pods)
    if refusal:
        conditions = podstate.with_condition(conditions, "ReplicaFailure", "True", "FailedCreate", refusal.message)
    else:
        conditions = podstate.without_condition(conditions, "ReplicaFailure")
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": labelled or None,
        "readyReplicas": sum(wait is not None for wait in waits) or None,
        "availableReplicas": sum(wait == 0 for wait in waits) or None,
        "observedGeneration": one["metadata"].get("generation", 1),
        "conditions": conditions or None,
    }


def deletion_order(pod: Object) -> tuple[bool, bool, bool, int, float]:
    """Which pods go first: unassigned, not running, not ready, cheap by annotation, then the youngest."""
    cost = (pod["metadata"].get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
    age = podstate.seconds_since(pod["metadata"].get("creationTimestamp") or podstate.now())
    running = pod.get("status", {}).get("phase") == "Running"
    return bool(pod["spec"].get("nodeName")), running, podstate.ready(pod), int(cost), age
