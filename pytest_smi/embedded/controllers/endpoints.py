"""Services with a selector get Endpoints and EndpointSlices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.controllers import endpoint_sets
from pytest_smi.embedded.controllers.ownership import deleting, matches, reference_to
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]
Key = tuple[str, str]
_ENDPOINTS = "v1", "endpoints"
_SLICES = "discovery.k8s.io/v1", "endpointslices"
_OF_SERVICE = "kubernetes.io/service-name"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_US = "endpointslice-controller.k8s.io"


class EndpointsController:
    """Keeps both forms in step with the pods that each Service selects.

    A real API server refuses loopback addresses, which are all that pods have here, in Endpoints and in EndpointSlices
    of type IPv4. With `loopback` False there are no Endpoints, and slices of type FQDN: what they hold can be dialled
    just the same.
    """

    def __init__(self, client: Client, caches: Caches, *, loopback: bool) -> None:
        self._client = client
        self._caches = caches
        self._loopback = loopback
        self._selected: dict[Key, set[Key]] = {}  # pod -> services that took it in at its last event
        self._queue = WorkQueue[Key]("endpoints", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        self._caches.services.listen(lambda _, obj: self._queue.add(_key(obj)))
        self._caches.pods.listen(self._pod_changed)
        self._caches.endpoints.listen(lambda kind, obj: self._restore(kind, obj, obj["metadata"]["name"]))
        self._caches.slices.listen(
            lambda kind, obj: self._restore(kind, obj, (obj["metadata"].get("labels") or {}).get(_OF_SERVICE, ""))
        )
        await self._queue.run()

    def _pod_changed(self, kind: str, pod: Object) -> None:
        namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels")
        now = set()
        if kind != "DELETED":
            for service in self._caches.services.in_namespace(namespace):
                selector = service["spec"].get("selector")
                if selector and matches({"matchLabels": selector}, labels):
                    now.add(_key(service))
        for key in now | self._selected.pop(_key(pod), set()):
            self._queue.add(key)
        if now:
            self._selected[_key(pod)] = now

    def _restore(self, kind: str, obj: Object, service: str) -> None:
        """Someone else may have changed or deleted what is ours; and what a Service leaves behind must go."""
        if kind == "DELETED" or self._caches.services.get(obj["metadata"]["namespace"], service) is None:
            self._queue.add((obj["metadata"]["namespace"], service))

    async def _sync(self, key: Key) -> None:
        service = self._caches.services.get(*key)
        if service is None or deleting(service):
            await self._remove(key)
            return
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return
        pods = [
            pod
            for pod in self._caches.pods.in_namespace(key[0])
            if endpoint_sets.backs(pod) and matches({"matchLabels": selector}, pod["metadata"].get("labels"))
        ]
        if self._loopback:
            await self._write_endpoints(service, endpoint_sets.subsets(service, pods))
        await self._write_slices(service, endpoint_sets.slices(service, pods))

    async def _remove(self, key: Key) -> None:
        """The garbage collector removes slices, which have an owner; Endpoints have none."""
        if self._caches.endpoints.get(*key):
            try:
                await self._client.delete(path_to(*_ENDPOINTS, *key))
            except ApiFailure as failure:
                if failure.code != 404:
                    raise

    async def _write_endpoints(self, service: Object, subsets: list[Object]) -> None:
        key = _key(service)
        known = self._caches.endpoints.get(*key)
        if known and _bare(known.get("subsets") or []) == _bare(subsets):
            return
        wanted = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"namespace": key[0], "name": key[1], "labels": service["metadata"].get("labels") or {}},
            "subsets": subsets,
        }
        self._caches.endpoints.absorb(await self._write(_ENDPOINTS, key, wanted, known))

    async def _write_slices(self, service: Object, wanted: list[tuple[list[Object], list[Object]]]) -> None:
        namespace, name = _key(service)
        mine = [
            one
            for one in self._caches.slices.in_namespace(namespace)
            if (one["metadata"].get("labels") or {}).get(_OF_SERVICE) == name
            and (one["metadata"].get("labels") or {}).get(_MANAGED_BY) == _US
            and not deleting(one)
        ]
        # A slice keeps its ports as long as it can, so that a change of endpoints is a change of one object.
        for ports, endpoints in wanted or [([], [])]:
            same = [one for one in mine if _bare(one.get("ports") or []) == _bare(ports)]
            known = next(iter(same or mine), None)
            if known:
                mine.remove(known)
            if known is None or not same or _bare(known.get("endpoints") or []) != _bare(endpoints):
                one = _slice(service, ports, endpoints, "IPv4" if self._loopback else "FQDN")
                key = (namespace, known["metadata"]["name"] if known else "")
                self._caches.slices.absorb(await self._write(_SLICES, key, one, known))
        for one in mine:
            await self._client.delete(path_to(*_SLICES, *_key(one)))

    async def _write(self, collection: Key, key: Key, wanted: Object, known: Object | None) -> Object:
        if known is None:
            return await self._client.create(path_to(*collection, key[0]), wanted)
        metadata = {**wanted["metadata"], "name": key[1], "resourceVersion": known["metadata"]["resourceVersion"]}
        metadata.pop("generateName", None)
        return await self._client.replace(path_to(*collection, *key), {**wanted, "metadata": metadata})


def _bare(value: Any) -> Any:
    """Without empty fields: what a server fills in or leaves out makes no difference."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if item not in (None, "")}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _slice(service: Object, ports: list[Object], endpoints: list[Object], address_type: str) -> Object:
    namespace, name = _key(service)
    labels = {**(service["metadata"].get("labels") or {}), _OF_SERVICE: name, _MANAGED_BY: _US}
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    metadata = {
        "generateName": f"{name}-",
        "namespace": namespace,
        "labels": labels,
        "ownerReferences": [reference_to(service)],
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": address_type,
        "ports": ports,
        "endpoints": endpoints,
    }


def _key(obj: Object) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
