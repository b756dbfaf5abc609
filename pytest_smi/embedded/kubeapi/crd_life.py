"""What the server does with CRDs of its own accord: accepts their names, serves them, and empties them at the end."""

from typing import Any

from pytest_smi.embedded.kubeapi import crd_names, crds, managed
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.objects import is_finished, marked_for_deletion
from pytest_smi.embedded.kubeapi.registry import Registry
from pytest_smi.embedded.kubeapi.store import Record, ResourceKey, Store

Object = dict[str, Any]

CRDS: ResourceKey = ("apiextensions.k8s.io", "customresourcedefinitions")
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that holds a CRD until its objects are gone."""
_MANAGER = "kube-apiserver"


def _held(crd: Object) -> ResourceKey:
    return crd["spec"]["group"], crd["spec"]["names"]["plural"]


class Definitions:
    """The life of the CRDs in a store."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    @property
    def _resource(self) -> Resource:
        return self._registry.builtin(CRDS)

    def follow(self, record: Record, before: Object | None) -> None:
        """A CRD was written: settle its names, and serve what it defines now."""
        if record.obj["metadata"].get("deletionTimestamp"):
            self._empty(record)
            return
        status = crd_names.settled(record.obj, self._registry.resources())
        if status != record.obj["status"]:
            record = self._put_status(record, status)
        self._serve(record.obj, before)

    def _put_status(self, record: Record, status: Object) -> Record:
        new = {**record.obj, "metadata": dict(record.obj["metadata"]), "status": status}
        entries = managed.read(record.obj)
        managed.write(new, managed.changed_by(entries, record.obj, new, self._resource, "status", _MANAGER))
        return self._store.put(CRDS, record.key, new)

    def _serve(self, crd: Object, before: Object | None) -> None:
        group, plural = _held(crd)
        if before is not None and before["spec"] == crd["spec"] and self._registry.storage(group, plural):
            return
        served = crds.resources(crd) if crd_names.is_established(crd) else []
        self._registry.replace_custom(group, plural, served)

    def marked(self, crd: Object, policy: tuple[str, ...] | None) -> Object:
        """The CRD at the beginning of its deletion, held until it is empty."""
        marked = marked_for_deletion(crd, 0, policy)
        metadata = marked["metadata"]
        metadata.pop("deletionGracePeriodSeconds", None)
        metadata["generation"] = crd["metadata"]["generation"]
        metadata["finalizers"] = list(dict.fromkeys([*(metadata.get("finalizers") or ()), CLEANUP]))
        text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        return _terminating(marked, True, "InstanceDeletionPending", text)

    def _empty(self, record: Record) -> None:
        """Remove the objects of a CRD; those with finalizers go when they are let go."""
        if CLEANUP not in (record.obj["metadata"].get("finalizers") or ()):
            return
        held = _held(record.obj)
        text = "CustomResource deletion is in progress"
        moving = _terminating(record.obj, True, "InstanceDeletionInProgress", text)
        if moving["status"] != record.obj["status"]:
            record = self._put_status(record, moving["status"])
        for one in self._store.listed(held):
            if one.obj["metadata"].get("finalizers"):
                if not one.obj["metadata"].get("deletionTimestamp"):
                    self._store.put(held, one.key, marked_for_deletion(one.obj, 0))
            else:
                self._store.remove(held, one.key)
        self._let_go(record)

    def object_gone(self, resource: ResourceKey) -> None:
        """An object has been removed: perhaps the last one that held its CRD."""
        if crd := self.terminating(resource):
            self._let_go(crd)

    def _let_go(self, crd: Record) -> None:
        if self._store.collection(_held(crd.obj)).records:
            return
        metadata = dict(crd.obj["metadata"])
        metadata["finalizers"] = [one for one in metadata.get("finalizers") or () if one != CLEANUP]
        if not metadata["finalizers"]:
            del metadata["finalizers"]
        left = _terminating(
            {**crd.obj, "metadata": metadata}, False, "InstanceDeletionCompleted", "removed all instances"
        )
        if is_finished(left):
            self.gone(self._store.remove(CRDS, crd.key).obj)
        else:
            self._store.put(CRDS, crd.key, left)

    def terminating(self, resource: ResourceKey) -> Record | None:
        """The CRD of a resource if it is being removed."""
        record = self._store.get(CRDS, "", f"{resource[1]}.{resource[0]}")
        if record is None or not record.obj["metadata"].get("deletionTimestamp"):
            return None
        return record

    def gone(self, crd: Object) -> None:
        """A CRD has been removed: its resources are served no more, and its names are free for others that wait."""
        group, plural = _held(crd)
        self._registry.replace_custom(group, plural, [])
        self._store.drop((group, plural))
        for record in self._store.listed(CRDS):
            waiting = record.obj["spec"]["group"] == group and not crd_names.is_established(record.obj)
            if waiting:
                self.follow(record, record.obj)


def _terminating(crd: Object, value: bool, reason: str, message: str) -> Object:
    conditions = crd_names.with_condition(crd["status"].get("conditions"), "Terminating", value, reason, message)
    return {**crd, "status": {**crd["status"], "conditions": conditions}}
