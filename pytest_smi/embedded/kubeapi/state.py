"""What all verbs share: store, registry, converter and addresses, and what follows from every change."""

from typing import Any

from pytest_smi.embedded.kubeapi import crds, status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.conversion import Converter
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.objects import is_finished, marked_for_deletion
from pytest_smi.embedded.kubeapi.registry import Registry
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.services import ServiceAddresses
from pytest_smi.embedded.kubeapi.snapshots import Snapshots
from pytest_smi.embedded.kubeapi.store import Object, Record, ResourceKey, Store
from pytest_smi.embedded.kubeapi.webhook import WebhookClient

CRDS: ResourceKey = ("apiextensions.k8s.io", "customresourcedefinitions")
NAMESPACES: ResourceKey = ("", "namespaces")
PODS: ResourceKey = ("", "pods")
SERVICES: ResourceKey = ("", "services")

FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Made when the server starts, as a real one makes them; the first three cannot be deleted."""


class State:
    """The data of one API server. Methods that change it do not await, and are therefore atomic."""

    def __init__(self, service_cidr: str, history: int) -> None:
        self.store = Store(history)
        self.registry = Registry()
        self.webhooks = WebhookClient()
        self.converter = Converter(self.webhooks)
        self.addresses = ServiceAddresses(service_cidr, self.store)
        self.snapshots = Snapshots()

    def record(self, call: Call) -> Record:
        """The object that a call addresses. Raises ApiError (404)."""
        found = self.store.get(call.resource.key, *call.key)
        if found is None:
            raise call.missing()
        return found

    def check_namespace(self, call: Call) -> None:
        """Refuse creations where there is no namespace (404), or one that is going away (403)."""
        name = call.target.namespace
        if not call.resource.namespaced:
            return
        record = self.store.get(NAMESPACES, "", name)
        if record is None:
            raise status.not_found("namespaces", name)
        if record.obj["metadata"].get("deletionTimestamp"):
            cause = status.Cause("NamespaceTerminating", f"namespace {name} is being terminated", "metadata.namespace")
            why = f"unable to create new content in namespace {name} because it is being terminated"
            raise status.forbidden(call.resource.plural, call.target.name, call.resource.group, why, [cause])

    def check_account(self, obj: Object) -> None:
        """Refuse a pod whose ServiceAccount does not exist (403); `default` may come a moment later."""
        spec, metadata = obj.get("spec") or {}, obj["metadata"]
        name, namespace = spec.get("serviceAccountName") or "default", metadata["namespace"]
        if name != "default" and self.store.get(("", "serviceaccounts"), namespace, name) is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise status.forbidden("pods", metadata["name"], "", why)

    def commit(self, resource: Resource, key: tuple[str, str], obj: Object) -> Record:
        """Store an object in its storage version, and follow up on what its kind brings about."""
        before = self.store.get(resource.key, *key)
        record = self.store.put(resource.key, key, obj)
        if is_finished(obj):
            return self.discard(resource.key, key)
        if resource.key == CRDS:
            self._serve(record.obj, before.obj if before else None)
        return record

    def discard(self, resource: ResourceKey, key: tuple[str, str]) -> Record:
        """Remove an object for good."""
        record = self.store.remove(resource, key)
        if resource == CRDS:
            self._unserve(record.obj)
        elif crd := self._terminating_crd(resource):
            self._finish_crd(crd)
        return record

    def _serve(self, crd: Object, before: Object | None) -> None:
        spec = crd["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        if before is not None and before["spec"] == spec and self.registry.storage(group, plural):
            return
        self.registry.replace_custom(group, plural, crds.resources(crd) if crds.is_established(crd) else [])

    def _unserve(self, crd: Object) -> None:
        spec = crd["spec"]
        self.registry.replace_custom(spec["group"], spec["names"]["plural"], [])
        self.store.drop((spec["group"], spec["names"]["plural"]))
        for record in self.store.listed(CRDS):
            waiting = record.obj["spec"]["group"] == spec["group"] and not crds.is_established(record.obj)
            if waiting and not record.obj["metadata"].get("deletionTimestamp"):
                other = clone(record.obj)
                if crds.set_conditions(other, self.registry.resources()):
                    self.commit(self.registry.builtin(CRDS), record.key, other)

    def delete_crd(self, crd: Record) -> Record:
        """Begin to remove a CRD: all its objects go first, those with finalizers when they are let go."""
        marked = marked_for_deletion(crd.obj, 0)
        crds.terminating(marked)
        record = self.store.put(CRDS, crd.key, marked)
        resource = (marked["spec"]["group"], marked["spec"]["names"]["plural"])
        for held in self.store.listed(resource):
            if held.obj["metadata"].get("finalizers"):
                if not held.obj["metadata"].get("deletionTimestamp"):
                    self.store.put(resource, held.key, marked_for_deletion(held.obj, 0))
            else:
                self.store.remove(resource, held.key)
        return self._finish_crd(record) or record

    def _terminating_crd(self, resource: ResourceKey) -> Record | None:
        record = self.store.get(CRDS, "", f"{resource[1]}.{resource[0]}")
        if record is None or not record.obj["metadata"].get("deletionTimestamp"):
            return None
        return record

    def _finish_crd(self, crd: Record) -> Record | None:
        spec = crd.obj["spec"]
        if self.store.collection((spec["group"], spec["names"]["plural"])).records:
            return None
        metadata = dict(crd.obj["metadata"])
        metadata["finalizers"] = [item for item in metadata.get("finalizers") or () if item != crds.CLEANUP]
        if metadata["finalizers"]:
            return self.store.put(CRDS, crd.key, {**crd.obj, "metadata": metadata})
        return self.discard(CRDS, crd.key)

    def check_crd_alive(self, call: Call) -> None:
        """Refuse creations while the CRD is being removed (405)."""
        if not call.resource.builtin and self._terminating_crd(call.resource.key):
            text = "create not allowed while custom resource definition is terminating"
            raise status.status(405, "MethodNotAllowed", text, {})

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Stored objects for in-process readers, who must not change them."""
        return [record.obj for record in self.store.listed((group, plural), namespace or "")]
