"""Who owns which field: the entries of metadata.managedFields, and how ordinary writes change them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import fieldsets, types
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.fieldsets import FieldSet, Path, Tree
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.objects import now
from pytest_smi.embedded.kubeapi.schema import Schema, clone
from pytest_smi.embedded.kubeapi.typed import tidy

Object = dict[str, Any]

_OWN_META = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "managedFields",
        "resourceVersion",
        "generation",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)


@dataclass(slots=True)
class Entry:
    """What one manager owns through one operation. `tree` is shared with stored objects: change it by copy only."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    tree: Tree

    def same_owner(self, manager: str, operation: str, api_version: str, subresource: str) -> bool:
        """Whether the entry is the one to change for such a write; an applier's version does not matter."""
        if (self.manager, self.operation, self.subresource) != (manager, operation, subresource):
            return False
        return operation == "Apply" or self.api_version == api_version

    @property
    def order(self) -> tuple[str, ...]:
        """Sorts entries: appliers first, then by time."""
        return self.operation, self.time, self.manager, self.api_version, self.subresource

    @property
    def fields(self) -> FieldSet:
        """The paths owned."""
        return fieldsets.from_fields_v1(self.tree)

    def lose(self, paths: Iterable[Path]) -> None:
        """Own none of these paths any more."""
        if lost := [path for path in paths if fieldsets.contains(self.tree, path)]:
            self.tree = clone(self.tree)
            for path in lost:
                fieldsets.delete(self.tree, path)

    def gain(self, paths: Iterable[Path]) -> None:
        """Own these paths too, as of now."""
        self.tree = clone(self.tree)
        for path in paths:
            fieldsets.insert(self.tree, path)
        self.time = now()

    def manifest(self) -> Object:
        """The entry as objects carry it."""
        found: Object = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.tree,
        }
        # What is owned through a scale is owned at no time in particular.
        return found | {name: value for name, value in self._optional().items() if value}

    def _optional(self) -> dict[str, str]:
        scaled = self.subresource == "scale"
        return {"time": "" if scaled else self.time, "subresource": self.subresource}


def read(obj: Object | None) -> list[Entry]:
    """The entries of an object; none at all when one of them cannot be read."""
    listed = ((obj or {}).get("metadata") or {}).get("managedFields") or []
    if not all(item.get("operation") in ("Apply", "Update") and item.get("fieldsV1") for item in listed):
        return []
    return [
        Entry(
            item.get("manager", ""),
            item["operation"],
            item.get("apiVersion", ""),
            item.get("subresource", ""),
            item.get("time") or "",
            item["fieldsV1"],
        )
        for item in listed
    ]


def write(obj: Object, entries: list[Entry]) -> None:
    """Put the entries that own something into the object, in the order of the real server."""
    kept = sorted((entry for entry in entries if entry.tree), key=lambda entry: entry.order)
    obj["metadata"].pop("managedFields", None)
    if kept:
        obj["metadata"]["managedFields"] = [entry.manifest() for entry in kept]


def typed(resource: Resource) -> Schema:
    """The schema of a whole object, with that of its metadata, for walking over fields."""
    return {
        "properties": {**(resource.schema.get("properties") or {}), "metadata": types.definitions()["ObjectMeta"]},
        **{name: value for name, value in resource.schema.items() if name != "properties"},
    }


def tracked(obj: Object, resource: Resource, subresource: str) -> Object:
    """The part of an object whose fields a write through this (sub)resource can own."""
    if subresource == "status":
        found = {name: value for name, value in obj.items() if name == "status"}
    else:
        found = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
        if resource.has_status:
            found.pop("status", None)
    hidden = _OWN_META | ({"labels"} if subresource == "status" and resource.kind == "Deployment" else set())
    metadata = {name: value for name, value in obj["metadata"].items() if name not in hidden}
    if metadata:
        found["metadata"] = metadata
    return found


def empty(resource: Resource) -> Object:
    """What an object is before anybody has said anything about it: the structs of a built-in kind are there already."""
    blank = tidy({}, resource.schema) if resource.builtin else {}
    return {**blank, "metadata": {}}


def track_write(new: Object, old: Object | None, call: Call) -> None:
    """Make the manager of an ordinary write the owner of what it changed, at the cost of all others."""
    entries = _given(new, old, call)
    if old is not None and not entries:  # nobody is tracked on objects of which nobody was
        new["metadata"].pop("managedFields", None)
        return
    before, subresource = old if old is not None else empty(call.resource), call.target.subresource
    write(new, changed_by(entries, before, new, call.resource, subresource, call.manager))


def _given(new: Object, old: Object | None, call: Call) -> list[Entry]:
    """The entries that the writer wants; those of the old object unless there are some, or explicitly none."""
    given = new["metadata"].get("managedFields")
    if call.target.subresource:
        return read(old)
    if given is not None and not any(given):  # [] and [{}] both ask for it
        return []
    return read(new) or read(old)


def changed_by(
    entries: list[Entry], old: Object, new: Object, resource: Resource, subresource: str, manager: str
) -> list[Entry]:
    """The entries after an ordinary write by a manager."""
    changed: FieldSet = set()
    removed: FieldSet = set()
    before, after = (tracked(obj, resource, subresource) for obj in (old, new))
    fieldsets.compare(before, after, typed(resource), (), changed, removed)
    changed.discard(("f:metadata",))  # metadata as a whole has no owner
    if gone := changed | removed:
        for entry in entries:
            entry.lose(gone)
    if not changed:
        return entries
    for entry in entries:
        if entry.same_owner(manager, "Update", resource.api_version, subresource):
            entry.gain(changed)
            return entries
    tree = fieldsets.to_fields_v1(changed)
    return [*entries, Entry(manager, "Update", resource.api_version, subresource, now(), tree)]
