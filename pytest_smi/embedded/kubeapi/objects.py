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


def check_new(obj: Object) -> None:
    """Raises ApiError (500, as the real server) when a new object carries a resourceVersion."""
    if obj["metadata"].pop("resourceVersion", "") not in ("", "0"):
        raise status.status(500, "", "resourceVersion should not be set on objects to be created")


def named(obj: Object) -> str:
    """What a refused object is called: its name, or what one would be made of."""
    metadata = obj["metadata"]
    found: str = metadata.get("name") or metadata.get("generateName") or ""
    return found


def begin_life(obj: Object, call: Call) -> None:
    """Fill in the metadata of a new object."""
    metadata, resource = obj["metadata"], call.resource
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = generated_name(metadata["generateName"])
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(name, None)
    metadata["uid"] = str(uuid4())
    metadata["creationTimestamp"] = now()
    if has_generation(resource):
        metadata["generation"] = 1
    if resource.has_status:
        obj.pop("status", None)


def nameless(call: Call) -> status.ApiError:
    """400: an update without a name."""
    return status.bad_request(
        f"the name of the object ({call.target.name} based on URL) was undeterminable: name must be provided"
    )


def check_uid_named(new: Object, old: Object, call: Call, namespace: str) -> None:
    """Raises ApiError (409) when a replacement names another uid: it is a precondition."""
    wanted, found, resource = new["metadata"].get("uid"), old["metadata"]["uid"], call.resource
    if wanted and wanted != found:
        key = "/".join(filter(None, ["/registry", resource.plural, namespace, call.target.name]))
        why = (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
        )
        raise status.conflict(resource.plural, call.target.name, resource.group, why)


def identity_causes(new: Object, old: Object) -> list[Cause]:
    """What an update must not change in the metadata."""
    ours, theirs = new["metadata"], old["metadata"]
    found = []
    for field in ("uid", "deletionTimestamp", "deletionGracePeriodSeconds"):
        fixed = theirs.get(field)
        if ours.get(field) not in (None, fixed) and (field == "uid" or fixed is None):
            found.append(invalid_value(f"metadata.{field}", ours[field], "field is immutable"))
    if theirs.get("deletionTimestamp"):
        found += _new_finalizers(ours, theirs)
    return found


def adopt_identity(new: Object, old: Object, call: Call) -> None:
    """Carry over what an update cannot change. Raises ApiError: 400 for another name, 409 for an old revision."""
    ours, theirs, resource = new["metadata"], old["metadata"], call.resource
    if not ours.get("name"):
        raise nameless(call)
    if ours["name"] != call.target.name:
        raise status.bad_request(
            f"the name of the object ({ours['name']}) does not match the name on the URL ({call.target.name})"
        )
    revision = ours.get("resourceVersion") or ""
    if revision and revision != theirs["resourceVersion"]:
        if not revision.isdigit():
            raise status.status(500, "", f'strconv.ParseUint: parsing "{revision}": invalid syntax')
        raise status.conflict(resource.plural, ours["name"], resource.group, status.MODIFIED)
    for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        ours.pop(field, None)
        if field in theirs:
            ours[field] = theirs[field]
    ours["resourceVersion"] = theirs["resourceVersion"]
    if "generateName" in theirs:
        ours.setdefault("generateName", theirs["generateName"])


def _new_finalizers(ours: Object, theirs: Object) -> list[Cause]:
    added = [item for item in ours.get("finalizers") or () if item not in (theirs.get("finalizers") or ())]
    if not added:
        return []
    text = (
        "Forbidden: no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{', '.join(shown(item) for item in added)}}}"
    )
    return [Cause("FieldValueForbidden", text, "metadata.finalizers")]


def keep_status(new: Object, old: Object) -> None:
    """An update of the main resource leaves status alone."""
    new.pop("status", None)
    if "status" in old:
        new["status"] = old["status"]


def only_status(new: Object, old: Object, resource: Resource) -> Object:
    """An update of the status subresource changes status, managed fields, and of most kinds what is in the metadata."""
    result = {**old, "metadata": dict(new["metadata"])}
    if not resource.builtin or resource.kind in _STATUS_ALONE:
        result["metadata"] = {**old["metadata"], "managedFields": new["metadata"].get("managedFields")}
    elif resource.kind == "Deployment":
        result["metadata"]["labels"] = old["metadata"].get("labels")
    result["metadata"] = {name: value for name, value in result["metadata"].items() if value is not None}
    result.pop("status", None)
    if "status" in new:
        result["status"] = new["status"]
    return result


_STATUS_ALONE = ("CustomResourceDefinition", "APIService")


def count_generation(new: Object, old: Object, resource: Resource) -> None:
    """Raise the generation when more than metadata (and a separate status) has changed."""
    if not has_generation(resource):
        return
    if _content(new, resource) != _content(old, resource):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


_COUNTED = {"Deployment": "annotations", "EndpointSlice": "labels"}
"""What of the metadata counts as well."""


def _content(obj: Object, resource: Resource) -> Object:
    ignored = {"metadata", "apiVersion", "kind"} | ({"status"} if resource.has_status or resource.builtin else set())
    found = {key: value for key, value in obj.items() if key not in ignored}
    if resource.builtin and (part := _COUNTED.get(resource.kind)):
        found["metadata"] = obj["metadata"].get(part) or {}
    return found


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


def marked_for_deletion(obj: Object, grace: int, extra: tuple[str, ...] | None = None) -> Object:
    """A copy of the object that is on its way out, `grace` seconds from now; `extra` see `deletion_finalizers`."""
    marked = dict(obj)
    metadata = marked["metadata"] = clone(obj["metadata"])
    fresh = "deletionTimestamp" not in metadata
    metadata.setdefault("deletionTimestamp", now())
    if obj.get("kind") != "Namespace":
        metadata["deletionGracePeriodSeconds"] = grace
    metadata["finalizers"] = deletion_finalizers(metadata, extra)
    if not metadata["finalizers"]:
        del metadata["finalizers"]
    if fresh and metadata.get("generation"):
        metadata["generation"] += 1
    return marked


def deletion_finalizers(metadata: Object, policy: tuple[str, ...] | None) -> list[str]:
    """The finalizers after a deletion with this propagation (None: as the object says); there is at most one policy."""
    kept = list(metadata.get("finalizers") or ())
    if policy is None:
        return kept
    return [item for item in kept if item not in ("orphan", "foregroundDeletion") or item in policy] + [
        item for item in policy if item not in kept
    ]


def is_finished(obj: Object) -> bool:
    """Whether a deleted object has nothing left that holds it."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")
