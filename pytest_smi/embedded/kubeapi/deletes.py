"""delete and deletecollection: grace, finalizers, preconditions, propagation."""

from typing import Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.negotiation import load
from pytest_smi.embedded.kubeapi.objects import marked_for_deletion
from pytest_smi.embedded.kubeapi.presentation import present, present_list
from pytest_smi.embedded.kubeapi.reads import selection
from pytest_smi.embedded.kubeapi.state import CRDS, FIRST_NAMESPACES, NAMESPACES, PODS, State
from pytest_smi.embedded.kubeapi.store import Record
from pytest_smi.embedded.kubeapi.values import unsupported_value

Object = dict[str, Any]

_POLICIES = {"Orphan": ("orphan",), "Foreground": ("foregroundDeletion",), "Background": ()}
_RETURNS_OBJECT = {PODS, ("", "services"), ("", "serviceaccounts"), NAMESPACES}


def _options(call: Call) -> Object:
    """DeleteOptions from body or query. Raises ApiError (400, 422)."""
    options: Object = {}
    if call.request.body.strip():
        body = load(call.request).value
        if not isinstance(body, dict) or body.get("kind") not in (None, "DeleteOptions"):
            raise status.bad_request("the body of a delete request must be DeleteOptions")
        options = dict(body)
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if text := call.request.param(name):
            options[name] = text
    read_options(call, "DeleteOptions", options)
    policy = options.get("propagationPolicy")
    if policy is not None and policy not in _POLICIES:
        cause = unsupported_value("propagationPolicy", policy, ["Background", "Foreground", "Orphan"])
        raise status.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
    try:
        if options.get("gracePeriodSeconds") is not None:
            options["gracePeriodSeconds"] = max(int(options["gracePeriodSeconds"]), 0)
    except (TypeError, ValueError):
        raise status.bad_request("gracePeriodSeconds must be an integer") from None
    return options


def _check_preconditions(call: Call, options: Object, record: Record) -> None:
    wanted = options.get("preconditions") or {}
    metadata = record.obj["metadata"]
    for field, noun in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != metadata[field]:
            why = (
                f"Precondition failed: {noun} in precondition: {wanted[field]}, "
                f"{noun} in object meta: {metadata[field]}"
            )
            raise status.conflict(call.resource.plural, metadata["name"], call.resource.group, why)


async def delete(state: State, call: Call) -> Response:
    """DELETE on an object."""
    options = _options(call)
    record = state.record(call)
    if call.resource.key == NAMESPACES and call.target.name in FIRST_NAMESPACES[:3]:
        raise status.forbidden("namespaces", call.target.name, "", "this namespace may not be deleted")
    _check_preconditions(call, options, record)
    result, gone = delete_record(state, call, options, record)
    if gone and call.resource.key not in _RETURNS_OBJECT:
        metadata = result.obj["metadata"]
        details = {"name": metadata["name"], "group": call.resource.group, "kind": call.resource.plural}
        details = {name: value for name, value in details.items() if value} | {"uid": metadata["uid"]}
        return call.answer(200, status.success(details))
    return call.answer(200, present(await state.converter.view(result, call.resource), call))


def delete_record(state: State, call: Call, options: Object, record: Record) -> tuple[Record, bool]:
    """Remove an object, or mark it when something holds it; the last state, and whether it is gone."""
    resource = call.resource
    held = bool(record.obj["metadata"].get("finalizers")) or resource.key == NAMESPACES
    policy = _POLICIES[options.get("propagationPolicy") or "Background"]
    grace = _grace(call, options, record)
    if call.dry_run:
        return record, not held
    if resource.key == CRDS:
        result = state.delete_crd(record)
        return result, state.store.get(CRDS, *record.key) is None
    if not held and not policy and not grace:
        return state.discard(resource.key, record.key), True
    marked = marked_for_deletion(record.obj, grace, policy)
    if resource.key == NAMESPACES:
        marked["status"] = {**(marked.get("status") or {}), "phase": "Terminating"}
        if not (marked.get("spec") or {}).get("finalizers") and not marked["metadata"].get("finalizers"):
            return state.discard(resource.key, record.key), True
    before = record.obj["metadata"]
    if before.get("deletionTimestamp") and before.get("deletionGracePeriodSeconds") == grace and not policy:
        return record, False  # asked again: nothing changes
    return state.commit(resource, record.key, marked), False


def _grace(call: Call, options: Object, record: Record) -> int:
    """Seconds that a pod gets to stop. Pods that run nowhere, or no more, get none; neither does anything else."""
    if call.resource.key != PODS:
        return 0
    obj = record.obj
    if not (obj.get("spec") or {}).get("nodeName") or (obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return 0
    wanted = options.get("gracePeriodSeconds")
    if wanted is None:
        wanted = (obj.get("spec") or {}).get("terminationGracePeriodSeconds", 30)
    if obj["metadata"].get("deletionTimestamp"):
        return min(int(wanted), int(obj["metadata"].get("deletionGracePeriodSeconds") or 0))
    return int(wanted)


async def delete_collection(state: State, call: Call) -> Response:
    """DELETE on a collection; the selectors of the query decide which objects go."""
    options = _options(call)
    if call.resource.key == NAMESPACES:
        raise status.method_not_allowed()
    matches = selection(call)
    records = state.store.listed(call.resource.key, call.target.namespace)
    views = await state.converter.views(records, call.resource)
    chosen = [(record, obj) for record, obj in zip(records, views, strict=True) if matches(obj)]
    for record, _ in chosen:
        current = state.store.get(call.resource.key, *record.key)
        if current is not None:
            delete_record(state, call, options, current)
    metadata = {"resourceVersion": str(state.store.revision)}
    return call.answer(200, present_list([obj for _, obj in chosen], metadata, call))
