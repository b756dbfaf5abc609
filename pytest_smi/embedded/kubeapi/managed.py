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
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.tree,
        }
        if self.subresource:
            found["subresource"] = self.subresource
        return found


def read(obj: Object | None) -> list[Entry]:
    """The entries of an object; what cannot be read is dropped."""
    listed = ((obj or {}).get("metadata") or {}).get("managedFields") or []
    return [
        Entry(
            item.get("manager", ""),
            item.get("operation", "Update"),
            item.get("apiVersion", ""),
            item.get("subresource", ""),
            item.get("time") or "",
            item.get("fieldsV1") or {},
        )
        for item in listed
        if isinstance(item, dict) and item.get("manager")
    ]


def write(obj: Object, entries: list[Entry]) -> None:
    """Put the entries that own something into the object: appliers first, as the real server orders them."""
    kept = sorted((entry for entry in entries if entry.tree), key=lambda entry: entry.operation != "Apply")
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
        return {"status": obj["status"]} if "status" in obj else {}
    found = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    if resource.has_status:
        found.pop("status", None)
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _OWN_META}
    if metadata:
        found["metadata"] = metadata
    return found


def track_write(new: Object, old: Object | None, call: Call) -> None:
    """Make the manager of an ordinary write the owner of what it changed, at the cost of all others."""
    resource, subresource = call.resource, call.target.subresource
    given = new["metadata"].get("managedFields")
    clean_slate = given is not None and not any(given)  # [] and [{}] both ask for it
    entries = [] if clean_slate else read(new if given else old)
    schema = typed(resource)
    changed: FieldSet = set()
    removed: FieldSet = set()
    before = tracked(old, resource, subresource) if old else {}
    after = tracked(new, resource, subresource)
    fieldsets.compare(before, after, schema, (), changed, removed)
    changed.discard(("f:metadata",))  # metadata as a whole has no owner
    if gone := changed | removed:
        for entry in entries:
            entry.lose(gone)
    if changed:
        _own(entries, changed, call)
    write(new, entries)


def _own(entries: list[Entry], changed: set[Path], call: Call) -> None:
    api_version, subresource = call.resource.api_version, call.target.subresource
    for entry in entries:
        if entry.same_owner(call.manager, "Update", api_version, subresource):
            entry.gain(changed)
            return
    entries.append(Entry(call.manager, "Update", api_version, subresource, now(), fieldsets.to_fields_v1(changed)))
