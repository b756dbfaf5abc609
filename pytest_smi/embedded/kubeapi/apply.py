"""Server-side apply: merge a manager's intent into the live object, refuse conflicts, take back what it gave up.

After structured-merge-diff: the applied fields become the manager's set; a field of another manager that would change
is a conflict unless forced; a field of the manager's last intent that is gone from this one is removed, provided that
nobody else owns it.
"""

import json
from typing import Any

from pytest_smi.embedded.kubeapi import apply_typed, fieldsets, managed, status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.fieldsets import FieldSet, Path, field_schema, is_atomic, item_element
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.managed import Entry
from pytest_smi.embedded.kubeapi.objects import now
from pytest_smi.embedded.kubeapi.schema import Schema, clone
from pytest_smi.embedded.kubeapi.status import ApiError, Cause

Object = dict[str, Any]


def merge(live: Any, intent: Any, schema: Schema) -> Any:
    """`live` with everything that `intent` says; lists and maps are joined as far as the schema allows."""
    if intent is None or type(live) is not type(intent) or is_atomic(intent, schema):
        return clone(intent)
    if isinstance(intent, dict):
        result = dict(live)
        for name, item in intent.items():
            result[name] = merge(live.get(name), item, field_schema(schema, name))
        return result
    return _merge_list(live, intent, schema)


def _merge_list(live: list[Any], intent: list[Any], schema: Schema) -> list[Any]:
    """Items of both, known ones in their live order; new items follow in the order of the intent."""
    items = schema.get("items") or {}
    wanted = {item_element(item, schema): item for item in intent}
    result = []
    for item in live:
        element = item_element(item, schema)
        result.append(merge(item, wanted.pop(element), items) if element in wanted else item)
    return result + [clone(item) for item in wanted.values()]


def remove(value: Any, schema: Schema, path: Path) -> Any:
    """`value` without the field at `path`; maps and lists that become empty by it go as well (None)."""
    element, rest = path[0], path[1:]
    if isinstance(value, dict) and element.startswith("f:"):
        name = element[2:]
        if name not in value:
            return value
        result = {key: item for key, item in value.items() if key != name}
        if rest:
            left = remove(value[name], field_schema(schema, name), rest)
            if left is not None:
                result[name] = left
        return result or None
    if isinstance(value, list) and schema.get("x-kubernetes-list-type") in ("map", "set"):
        items = []
        for item in value:
            if item_element(item, schema) != element:
                items.append(item)
            elif rest:
                left = remove(item, schema.get("items") or {}, rest)
                items.append({} if left is None else left)
        return items or None
    return value


def _given_up(entries: list[Entry], mine: Entry | None, applied: FieldSet) -> list[Path]:
    """Paths of the last intent that nobody wants any more; items of lists stand before the keys that name them."""
    if mine is None:
        return []
    others: FieldSet = set().union(*(entry.fields for entry in entries if entry is not mine))
    wanted = others | applied
    held = {path[:depth] for path in wanted for depth in range(1, len(path) + 1)}
    return sorted((path for path in mine.fields if path not in held), key=len)


def check_types(intent: Object, resource: Resource) -> None:
    """Raises ApiError (500, as the real server) when an intent does not fit the schema."""
    whole = managed.typed(resource)
    identity = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    whole = {**whole, "properties": {**identity, **whole["properties"]}}
    if not (found := apply_typed.problems(intent, whole)):
        return
    metadata, api_version = intent["metadata"], resource.api_version
    version = api_version if "/" in api_version else f"/{api_version}"
    what = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {version}, Kind={resource.kind}"
    listed = found[0] if len(found) == 1 else "errors:\n  " + "\n  ".join(found)
    raise status.status(500, "", f"failed to create typed patch object ({what}): {listed}")


def _entries(live: Object | None, call: Call) -> list[Entry]:
    """Who owns what before an apply. What nobody owns belongs to whoever was there before the first apply."""
    found = managed.read(live)
    if live is None or found:
        return found
    return managed.changed_by(
        [], managed.empty(call.resource), live, call.resource, call.target.subresource, "before-first-apply"
    )


def apply(live: Object | None, intent: Object, call: Call, *, force: bool) -> Object:
    """The object after the apply, managed fields included. Raises ApiError (400, 409).

    `live` is None when the object does not exist; the result is then what to create.
    """
    resource, subresource = call.resource, call.target.subresource
    schema = managed.typed(resource)
    applied: FieldSet = set()
    fieldsets.collect(managed.tracked(intent, resource, subresource), schema, (), applied, markers=False)
    entries = _entries(live, call)
    version = resource.api_version
    mine = next((entry for entry in entries if entry.same_owner(call.manager, "Apply", version, subresource)), None)
    base: Object = live if live is not None else {"metadata": {}}
    wanted = {**intent, "metadata": _meta(intent)}
    merged: Object = merge(base, wanted, schema)
    given_up = _given_up(entries, mine, applied)
    for path in given_up:
        merged = remove(merged, schema, path) or merged
    if given_up:  # what became empty went with its last field, but it may be wanted as it is: empty
        merged = merge(merged, wanted, schema)
    merged.setdefault("metadata", {})
    _settle_conflicts(base, merged, [entry for entry in entries if entry is not mine], call, force=force)
    if mine is None:
        mine = Entry(call.manager, "Apply", version, subresource, "", {})
        entries.append(mine)
    tree = fieldsets.to_fields_v1(applied)
    if mine.tree != tree or mine.api_version != version or not mine.time:
        mine.tree, mine.api_version, mine.time = tree, version, now()
    managed.write(merged, entries)
    return merged


def _meta(intent: Object) -> Object:
    """The metadata of an intent without what the server owns, its name apart."""
    ignored = ("managedFields", "creationTimestamp", "generation", "resourceVersion", "selfLink")
    return {name: value for name, value in intent["metadata"].items() if name not in ignored}


def _settle_conflicts(live: Object, merged: Object, others: list[Entry], call: Call, *, force: bool) -> None:
    """Take changed fields from their owners if forced, else refuse; gone fields are nobody's."""
    changed: FieldSet = set()
    removed: FieldSet = set()
    subresource = call.target.subresource
    before = managed.tracked(live, call.resource, subresource)
    after = managed.tracked(merged, call.resource, subresource)
    fieldsets.compare(before, after, managed.typed(call.resource), (), changed, removed)
    conflicts = [(entry, path) for entry in others for path in fieldsets.in_order(changed & entry.fields)]
    if conflicts and not force:
        raise _conflict(conflicts)
    for entry in others:
        entry.lose(changed | removed)


def _owner(entry: Entry) -> str:
    text = json.dumps(entry.manager)
    if entry.subresource:
        text += f" with subresource {json.dumps(entry.subresource)}"
    if entry.operation == "Update":
        text += f" using {entry.api_version}"
    return text


def _conflict(conflicts: list[tuple[Entry, Path]]) -> ApiError:
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_owner(entry)}", fieldsets.shown(path))
        for entry, path in conflicts
    ]
    if len(conflicts) == 1:
        return status.apply_conflict(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes)
    lines = []
    for owner in sorted({_owner(entry) for entry, _ in conflicts}):
        lines.append(f"conflicts with {owner}:")
        lines += [f"- {fieldsets.shown(path)}" for entry, path in conflicts if _owner(entry) == owner]
    return status.apply_conflict(f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines), causes)
