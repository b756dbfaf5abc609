"""What all verbs share: store, registry, converter and addresses, and what follows from every change."""

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.conversion import Converter
from pytest_smi.embedded.kubeapi.crd_life import CRDS, Definitions
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.objects import is_finished, named
from pytest_smi.embedded.kubeapi.registry import Registry
from pytest_smi.embedded.kubeapi.services import ServiceAddresses
from pytest_smi.embedded.kubeapi.store import Object, Record, ResourceKey, Store
from pytest_smi.embedded.kubeapi.webhook import WebhookClient

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self.definitions = Definitions(self.store, self.registry)
        self.check_grants: Callable[[Call, Object, Object | None], None] = lambda _call, _new, _old: None
        """Refuses Roles and bindings that grant too much (see escalation.py)."""

    def record(self, call: Call) -> Record:
        """The object that a call addresses. Raises ApiError (404)."""
        found = self.store.get(call.resource.key, *call.key)
        if found is None:
            raise call.missing()
        return found

    def check_namespace(self, call: Call, obj: Object) -> None:
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
            raise status.forbidden(call.resource.plural, named(obj), call.resource.group, why, [cause])

    def check_account(self, obj: Object) -> None:
        """Refuse a pod whose ServiceAccount does not exist (403); `default` may come a moment later."""
        spec, metadata = obj.get("spec") or {}, obj["metadata"]
        name, namespace = spec.get("serviceAccountName") or "default", metadata["namespace"]
        if name != "default" and self.store.get(("", "serviceaccounts"), namespace, name) is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise status.forbidden("pods", metadata["name"], "", why)

    def commit(self, resource: Resource, key: tuple[str, str], obj: Object) -> Record:
        """Store an object in its storage version, and follow up on what its kind brings about.

        An object that nothing holds any more is removed instead; it is then returned as it would have been stored.
        """
        before = self.store.get(resource.key, *key)
        if before is not None and is_finished(obj):
            self.discard(resource.key, key)
            return Record(key, obj, before.revision)
        record = self.store.put(resource.key, key, obj)
        if resource.key == CRDS:
            self.definitions.follow(record, before.obj if before else None)
        return record

    def discard(self, resource: ResourceKey, key: tuple[str, str]) -> Record:
        """Remove an object for good."""
        record = self.store.remove(resource, key)
        if resource == CRDS:
            self.definitions.gone(record.obj)
        else:
            self.definitions.object_gone(resource)
        return record

    def check_crd_alive(self, call: Call, obj: Object) -> None:
        """Refuse creations while the CRD is being removed (403)."""
        if not call.resource.builtin and self.definitions.terminating(call.resource.key):
            why = "create not allowed while custom resource definition is terminating"
            raise status.forbidden(call.resource.plural, named(obj), call.resource.group, why)

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Stored objects for in-process readers, who must not change them."""
        return [record.obj for record in self.store.listed((group, plural), namespace or "")]
