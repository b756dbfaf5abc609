"""create and update, and the path that every changed object takes into the store."""

from typing import Any

from pytest_smi.embedded.kubeapi import crds, decoding, managed, naming, objects, services, status
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.decoding import Decoded
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.negotiation import load
from pytest_smi.embedded.kubeapi.presentation import present
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.state import CRDS, NAMESPACES, PODS, SERVICES, State
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.store import Record
from pytest_smi.embedded.kubeapi.strategies import Strategy, strategy

Object = dict[str, Any]


def _strategy(call: Call) -> Strategy:
    return strategy(call.resource.kind, builtin=call.resource.builtin)


def _refuse(call: Call, obj: Object, causes: list[Cause]) -> None:
    if causes:
        name = obj["metadata"].get("name", "")
        raise status.invalid(call.resource.kind, call.resource.group, name, causes)


async def create(state: State, call: Call) -> Response:
    """POST on a collection."""
    read_options(call, "CreateOptions")
    decoded = decoding.decode(load(call.request), call)
    return call.answer(201, present(await create_object(state, call, decoded), call))


async def create_object(state: State, call: Call, decoded: Decoded, *, tracked: bool = False) -> Object:
    """Admit, validate and store a decoded object; returns it as the client is to see it.

    `tracked` says that managed fields are settled already (server-side apply).
    """
    obj, resource, rules = decoded.obj, call.resource, _strategy(call)
    objects.settle_namespace(obj, call)
    objects.begin_life(obj, call)
    state.check_namespace(call)
    state.check_crd_alive(call)
    if resource.key == CRDS:
        crds.fill_in(obj)
    rules.fill_in(obj)
    if not tracked:  # before the server adds anything of its own, which nobody owns
        managed.track_write(obj, None, call)
    rules.start(obj)
    _refuse(call, obj, _create_causes(state, call, decoded))
    if resource.key == PODS:
        state.check_account(obj)
    if resource.key == CRDS:
        crds.set_conditions(obj, state.registry.resources())
        obj["metadata"]["finalizers"] = [*(obj["metadata"].get("finalizers") or ()), crds.CLEANUP]
    stored = await state.converter.to_storage(obj, resource)
    return await _insert(state, call, obj, stored)


def _create_causes(state: State, call: Call, decoded: Decoded) -> list[Cause]:
    obj, resource = decoded.obj, call.resource
    causes = naming.metadata_causes(obj["metadata"], resource.group, resource.kind)
    causes += [cause for cause in decoded.causes if not resource.has_status or not _of_status(cause)]
    causes += _strategy(call).causes(obj)
    if causes:
        return causes
    if resource.key == CRDS:
        return crds.causes(obj)
    if resource.key == SERVICES:
        if obj["spec"]["type"] in ("NodePort", "LoadBalancer"):
            call.warn(services.remark(obj))
        return _assign_address(state, call, obj)
    return []


def _assign_address(state: State, call: Call, obj: Object) -> list[Cause]:
    try:
        return services.assign_address(obj, state.addresses, dry_run=call.dry_run)
    except services.AddressesExhausted as error:
        raise status.internal_error(f"failed to allocate a serviceIP: {error}") from None


async def _insert(state: State, call: Call, obj: Object, stored: Object) -> Object:
    resource, metadata = call.resource, obj["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    if state.store.get(resource.key, *key) is not None:
        raise status.already_exists(resource.plural, metadata["name"], resource.group)
    if call.dry_run:
        return obj
    record = state.commit(resource, key, stored)
    state.converter.note(record, resource, unchanged=stored is obj)
    return await state.converter.view(record, resource)


async def replace(state: State, call: Call) -> Response:
    """PUT on an object or its status."""
    read_options(call, "UpdateOptions")
    decoded = decoding.decode(load(call.request), call)
    record = state.record(call)
    old = await state.converter.view(record, call.resource)
    blind = call.resource.builtin and call.resource.kind not in _NEVER_BLIND
    if not blind and not decoded.obj["metadata"].get("resourceVersion"):
        cause = Cause("FieldValueInvalid", "Invalid value: 0x0: must be specified for an update", _REVISION)
        raise status.invalid(call.resource.kind, call.resource.group, call.target.name, [cause])
    result = await update_object(state, call, record, old, decoded)
    return call.answer(200, present(result, call))


_REVISION = "metadata.resourceVersion"
_NEVER_BLIND = ("CustomResourceDefinition", "APIService", "Lease")
"""Built-in kinds that, like custom resources, are only replaced by someone who names the revision replaced."""


async def update_object(
    state: State, call: Call, record: Record, old: Object, decoded: Decoded, *, tracked: bool = False
) -> Object:
    """Admit, validate and store a changed object; returns it as the client is to see it.

    `old` is the record in the version of the call. Raises ApiError; 409 when the record has moved on meanwhile.
    """
    resource, rules, new = call.resource, _strategy(call), decoded.obj
    objects.settle_namespace(new, call)
    objects.adopt_identity(new, old, call)
    new = _restrict(call, new, old)
    if call.target.subresource != "status":
        rules.fill_in(new)
        rules.carry(new, old)
        if resource.key == CRDS:
            crds.fill_in(new)
        objects.count_generation(new, old, resource)
    _refuse(call, new, _update_causes(call, new, old, decoded.causes))
    if resource.key == CRDS:
        crds.set_conditions(new, state.registry.resources())
    if not tracked:
        managed.track_write(new, old, call)
    if objects.same_but_bookkeeping(new, old) or call.dry_run:
        return old if not call.dry_run else new
    stored = await state.converter.to_storage(new, resource)
    if state.store.get(resource.key, *record.key) is not record:
        raise status.conflict(resource.plural, call.target.name, resource.group, status.MODIFIED)
    # what is stored is changed by the store; views and records that exist must not be
    result = state.commit(resource, record.key, {**stored, "metadata": dict(stored["metadata"])})
    state.converter.note(result, resource, unchanged=stored is new)
    return await state.converter.view(result, resource)


def _restrict(call: Call, new: Object, old: Object) -> Object:
    """Only what this (sub)resource may change."""
    if call.target.subresource == "status":
        return objects.only_status(new, old)
    if call.target.subresource == "finalize":
        return {**old, "metadata": dict(old["metadata"]), "spec": new.get("spec") or {}}
    if call.resource.has_status:
        objects.keep_status(new, old)
    return new


def _of_status(cause: Cause) -> bool:
    return cause.field == "status" or cause.field.startswith("status.")


def _update_causes(call: Call, new: Object, old: Object, found: list[Cause]) -> list[Cause]:
    resource, rules = call.resource, _strategy(call)
    if call.target.subresource == "status":
        return [cause for cause in found if _of_status(cause)]
    causes = [cause for cause in found if not resource.has_status or not _of_status(cause)]
    causes += naming.label_causes(new["metadata"].get("labels") or {}, "metadata.labels")
    causes += naming.annotation_causes(new["metadata"].get("annotations") or {}, "metadata.annotations")
    causes += rules.causes(new) + rules.update_causes(new, old)
    if resource.key == CRDS and not causes:
        causes += crds.update_causes(new, old) or crds.causes(new)
    return causes


async def finalize_namespace(state: State, call: Call) -> Response:
    """PUT on namespaces/NAME/finalize: the only way to change spec.finalizers, and the end of a deleted namespace."""
    read_options(call, "UpdateOptions")
    new = decoding.decode(load(call.request), call).obj
    record = state.record(call)
    objects.adopt_identity(new, record.obj, call)
    obj = {**record.obj, "metadata": clone(record.obj["metadata"])}
    obj["spec"] = {**(record.obj.get("spec") or {}), "finalizers": (new.get("spec") or {}).get("finalizers") or []}
    if call.dry_run:
        return call.answer(200, obj)
    result = state.commit(call.resource, record.key, obj)
    assert call.resource.key == NAMESPACES
    return call.answer(200, present(result.obj, call))
