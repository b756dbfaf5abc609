"""delete and deletecollection: grace, finalizers, preconditions, propagation."""

from typing import Any

from pytest_smi.embedded.kubeapi import kinds, negotiation, status
from pytest_smi.embedded.kubeapi.calls import Call, dry_run_causes
from pytest_smi.embedded.kubeapi.crd_life import CRDS
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.objects import deletion_finalizers, marked_for_deletion
from pytest_smi.embedded.kubeapi.presentation import present, present_list
from pytest_smi.embedded.kubeapi.reads import selection
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.kubeapi.state import FIRST_NAMESPACES, NAMESPACES, PODS, SERVICES, State
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.store import Record
from pytest_smi.embedded.kubeapi.values import invalid_value, unsupported_value

Object = dict[str, Any]

_POLICIES = {"Orphan": ("orphan",), "Foreground": ("foregroundDeletion",), "Background": ()}
_RETURNS_OBJECT = {PODS, SERVICES, ("", "serviceaccounts"), NAMESPACES}
_DEFAULT_GRACE = 30


def _options(call: Call) -> Object:
    """DeleteOptions from the body, or else from the query. Raises ApiError (400, 422, 500)."""
    options = _body(call) if call.request.body.strip() else _query(call)
    causes = _policy_causes(options) + dry_run_causes(options.get("dryRun") or [])
    if causes:
        raise status.invalid("DeleteOptions", "meta.k8s.io", "", causes)
    if options.get("orphanDependents") is not None:
        options["propagationPolicy"] = "Orphan" if options["orphanDependents"] else "Background"
    if (grace := options.get("gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = 1 if grace < 0 else grace
    call.dry_run = bool(options.get("dryRun"))
    return options


def _body(call: Call) -> Object:
    body = negotiation.load(call.request, "DeleteOptions", code=500).value
    if not isinstance(body, dict):
        raise status.status(500, "", "the body of a deletion must be DeleteOptions")
    kind, version = body.get("kind", "DeleteOptions"), body.get("apiVersion", "v1").rpartition("/")[2]
    if kind != "DeleteOptions":
        raise status.status(500, "", kinds.unregistered(kind, version))
    return dict(body)


def _query(call: Call) -> Object:
    options: Object = {"dryRun": call.request.query.get("dryRun")}
    if policy := call.request.param("propagationPolicy"):
        options["propagationPolicy"] = policy
    if orphan := call.request.param("orphanDependents"):
        options["orphanDependents"] = is_true(orphan)
    if grace := call.request.param("gracePeriodSeconds"):
        try:
            options["gracePeriodSeconds"] = int(grace)
        except ValueError:
            raise status.bad_request(f'strconv.ParseInt: parsing "{grace}": invalid syntax') from None
    return options


def _policy_causes(options: Object) -> list[Cause]:
    policy, causes = options.get("propagationPolicy"), []
    if policy is not None and options.get("orphanDependents") is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid_value("propagationPolicy", policy, text))
    if policy is not None and policy not in _POLICIES:
        known = ["Foreground", "Background", "Orphan", "nil"]
        causes.append(unsupported_value("propagationPolicy", policy, known))
    return causes


def _check_preconditions(call: Call, options: Object, record: Record) -> None:
    wanted, metadata = options.get("preconditions") or {}, record.obj["metadata"]
    ends = {"uid": "have been deleted and then recreated", "resourceVersion": "have been modified"}
    for field, noun in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) is not None and wanted[field] != metadata[field]:
            why = (
                f"the {noun} in the precondition ({wanted[field]}) does not match the {noun} in record "
                f"({metadata[field]}). The object might {ends[field]}"
            )
            raise status.conflict(call.resource.kind, metadata["name"], call.resource.group, why)


async def delete(state: State, call: Call) -> Response:
    """DELETE on an object."""
    options = _options(call)
    record = state.record(call)
    if call.resource.key == NAMESPACES and call.target.name in FIRST_NAMESPACES[:3]:
        raise status.forbidden("namespaces", call.target.name, "", "this namespace may not be deleted")
    result, gone = delete_record(state, call, options, record)
    if gone and call.resource.key not in _RETURNS_OBJECT:
        metadata = result.obj["metadata"]
        details = {"name": metadata["name"], "group": call.resource.group, "kind": call.resource.plural}
        details = {name: value for name, value in details.items() if value} | {"uid": metadata["uid"]}
        return call.answer(200, status.success(details))
    return call.answer(200, present(await state.converter.view(result, call.resource), call))


def delete_record(state: State, call: Call, options: Object, record: Record) -> tuple[Record, bool]:
    """Remove an object, or mark it when something holds it; the last state, and whether it is gone. Raises ApiError."""
    resource, metadata = call.resource, record.obj["metadata"]
    _check_preconditions(call, options, record)
    wanted = options.get("propagationPolicy")
    policy = None if wanted is None else _POLICIES[wanted]
    grace = _grace(call, options, record)
    if resource.key == PODS and metadata.get("deletionTimestamp") and grace >= _held_for(metadata):
        return record, False  # asked again: nothing changes, unless it shall go sooner
    if resource.key in (NAMESPACES, CRDS):
        held = resource.key == CRDS or bool((record.obj.get("spec") or {}).get("finalizers"))
        if metadata.get("deletionTimestamp") and held:
            return record, False
    else:
        held = bool(deletion_finalizers(metadata, policy)) or grace > 0
    if call.dry_run:
        return record, not held
    if not held and resource.key != PODS:
        return state.discard(resource.key, record.key), True
    return _mark(state, call, record, grace, policy), False


def _mark(state: State, call: Call, record: Record, grace: int, policy: tuple[str, ...] | None) -> Record:
    """Store the object as one that is on its way out; what nothing holds goes at once."""
    resource = call.resource
    if resource.key == CRDS:
        marked = state.definitions.marked(record.obj, policy)
    else:
        marked = marked_for_deletion(record.obj, grace, policy)
    if resource.key == NAMESPACES:
        marked["status"] = {**(marked.get("status") or {}), "phase": "Terminating"}
    if _unchanged(marked, record.obj):
        return record
    result = state.store.put(resource.key, record.key, marked)
    if resource.key == PODS and not grace and not marked["metadata"].get("finalizers"):
        return state.discard(resource.key, record.key)
    if resource.key == CRDS:
        state.definitions.follow(result, record.obj)
    return result


def _unchanged(marked: Object, before: Object) -> bool:
    return bool(marked["metadata"] == before["metadata"] and marked.get("status") == before.get("status"))


def _held_for(metadata: Object) -> int:
    return int(metadata.get("deletionGracePeriodSeconds") or 0)


def _grace(call: Call, options: Object, record: Record) -> int:
    """Seconds that a pod gets to stop. Pods that run nowhere, or no more, get none; neither does anything else."""
    if call.resource.key != PODS:
        return 0
    spec, metadata = record.obj.get("spec") or {}, record.obj["metadata"]
    if not spec.get("nodeName") or (record.obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return 0
    wanted = options.get("gracePeriodSeconds")
    if wanted is None and metadata.get("deletionTimestamp"):
        return _held_for(metadata)
    return int(spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE) if wanted is None else wanted)


async def delete_collection(state: State, call: Call) -> Response:
    """DELETE on a collection; the selectors of the query decide which objects go."""
    if call.resource.key == NAMESPACES:
        raise status.method_not_allowed()
    options, matches = _options(call), selection(call)
    records = state.store.listed(call.resource.key, call.target.namespace)
    views = await state.converter.views(records, call.resource)
    chosen = [(record, obj) for record, obj in zip(records, views, strict=True) if matches(obj)]
    metadata = {"resourceVersion": str(state.store.revision)}
    for record, _ in chosen:
        current = state.store.get(call.resource.key, *record.key)
        if current is not None:
            delete_record(state, call, options, current)
    return call.answer(200, present_list([obj for _, obj in chosen], metadata, call))
