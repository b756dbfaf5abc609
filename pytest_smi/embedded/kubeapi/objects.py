"""What the server itself does to every object that is written: identity, generation, deletion marks, status."""

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, shown

Object = dict[str, Any]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_WITHOUT_GENERATION = {"Namespace", "Node", "Service", "Endpoints", "ServiceAccount", "ConfigMap", "Secret", "Event"}
_WITHOUT_GENERATION |= {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Lease", "APIService"}


def now() -> str:
    """The time as Kubernetes writes it, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def generated_name(base: str) -> str:
    """A name from generateName: five characters that spell no words."""
    return base[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def has_generation(resource: Resource) -> bool:
    """Whether objects of the kind count the changes of their spec."""
    return not resource.builtin or resource.kind not in _WITHOUT_GENERATION


def settle_namespace(obj: Object, call: Call) -> None:
    """Give the object the namespace of the path. Raises ApiError (400) when it names another one."""
    metadata = obj["metadata"]
    if not call.resource.namespaced:
        if metadata.pop("namespace", None) and call.resource.builtin is False:
            raise status.bad_request("namespace is not allowed on this type")
        return
    if metadata.setdefault("namespace", call.target.namespace) != call.target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def begin_life(obj: Object, call: Call) -> None:
    """Fill in the metadata of a new object. Raises ApiError when it carries a resourceVersion."""
    metadata, resource = obj["metadata"], call.resource
    if metadata.pop("resourceVersion", "") not in ("", "0"):
        raise status.status(500, "", "resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = generated_name(metadata["generateName"])
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        metadata.pop(name, None)
    metadata["uid"] = str(uuid4())
    metadata["creationTimestamp"] = now()
    if has_generation(resource):
        metadata["generation"] = 1
    if resource.has_status:
        obj.pop("status", None)


def adopt_identity(new: Object, old: Object, call: Call) -> None:
    """Carry over what an update cannot change, and refuse what it must not.

    Raises ApiError: 400 for another name, 409 for another uid or an old resourceVersion, 422 for new finalizers on an
    object that is being deleted.
    """
    ours, theirs, resource = new["metadata"], old["metadata"], call.resource
    name = ours.setdefault("name", call.target.name)
    if name != call.target.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({call.target.name})"
        )
    if ours.get("uid") and ours["uid"] != theirs["uid"]:
        why = f"Precondition failed: UID in precondition: {ours['uid']}, UID in object meta: {theirs['uid']}"
        raise status.conflict(resource.plural, name, resource.group, why)
    revision = ours.get("resourceVersion") or ""
    if revision and revision != theirs["resourceVersion"]:
        if not revision.isdigit():
            cause = invalid_value("metadata.resourceVersion", revision, "must be an unsigned integer")
            raise status.invalid(resource.kind, resource.group, name, [cause])
        raise status.conflict(resource.plural, name, resource.group, status.MODIFIED)
    for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        ours.pop(field, None)
        if field in theirs:
            ours[field] = theirs[field]
    ours["resourceVersion"] = theirs["resourceVersion"]
    if "generateName" in theirs:
        ours.setdefault("generateName", theirs["generateName"])
    if theirs.get("deletionTimestamp"):
        _no_new_finalizers(ours, theirs, resource)


def _no_new_finalizers(ours: Object, theirs: Object, resource: Resource) -> None:
    added = [item for item in ours.get("finalizers") or () if item not in (theirs.get("finalizers") or ())]
    if added:
        listed = ", ".join(shown(item) for item in added)
        text = (
            "Forbidden: no new finalizers can be added if the object is being deleted, "
            f"found new finalizers []string{{{listed}}}"
        )
        cause = Cause("FieldValueForbidden", text, "metadata.finalizers")
        raise status.invalid(resource.kind, resource.group, theirs["name"], [cause])


def keep_status(new: Object, old: Object) -> None:
    """An update of the main resource leaves status alone."""
    new.pop("status", None)
    if "status" in old:
        new["status"] = old["status"]


def only_status(new: Object, old: Object) -> Object:
    """An update of the status subresource changes status, and nothing else but managed fields."""
    result = dict(old)
    result["metadata"] = dict(old["metadata"])
    if "managedFields" in new["metadata"]:
        result["metadata"]["managedFields"] = new["metadata"]["managedFields"]
    result.pop("status", None)
    if "status" in new:
        result["status"] = new["status"]
    return result


def count_generation(new: Object, old: Object, resource: Resource) -> None:
    """Raise the generation when more than metadata (and a separate status) has changed."""
    if not has_generation(resource):
        return
    if _content(new, resource) != _content(old, resource):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _content(obj: Object, resource: Resource) -> Object:
    ignored = {"metadata", "apiVersion", "kind"} | ({"status"} if resource.has_status or resource.builtin else set())
    return {key: value for key, value in obj.items() if key not in ignored}


def same_but_bookkeeping(new: Object, old: Object) -> bool:
    """Whether a write would change nothing but the times of managed fields: such a write is none."""
    if {**new, "metadata": None} != {**old, "metadata": None}:
        return False
    ours, theirs = dict(new["metadata"]), dict(old["metadata"])
    entries = [_timeless(ours.pop("managedFields", None)), _timeless(theirs.pop("managedFields", None))]
    for meta in (ours, theirs):
        for field in ("labels", "annotations", "finalizers", "ownerReferences"):
            if not meta.get(field):
                meta.pop(field, None)
    return ours == theirs and entries[0] == entries[1]


def _timeless(entries: list[Object] | None) -> list[Object]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries or ()]


def marked_for_deletion(obj: Object, grace: int, extra_finalizers: tuple[str, ...] = ()) -> Object:
    """A copy of the object that is on its way out, `grace` seconds from now."""
    marked = dict(obj)
    metadata = marked["metadata"] = clone(obj["metadata"])
    metadata.setdefault("deletionTimestamp", now())
    metadata["deletionGracePeriodSeconds"] = grace
    finalizers = list(metadata.get("finalizers") or ())
    finalizers += [item for item in extra_finalizers if item not in finalizers]
    if finalizers:
        metadata["finalizers"] = finalizers
    if "generation" in metadata:
        metadata["generation"] += 1
    return marked


def is_finished(obj: Object) -> bool:
    """Whether a deleted object has nothing left that holds it."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")
