"""create and update, and the path that every changed object takes into the store."""

from typing import Any

from pytest_smi.embedded.kubeapi import customs, decoding, managed, naming, objects, services, status, typed
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.decoding import Decoded
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.negotiation import load
from pytest_smi.embedded.kubeapi.presentation import present
from pytest_smi.embedded.kubeapi.state import PODS, SERVICES, State
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


def _tidy(obj: Object, call: Call) -> Object:
    return typed.tidy(obj, call.resource.schema) if call.resource.builtin else obj


async def create(state: State, call: Call) -> Response:
    """POST on a collection."""
    read_options(call, "CreateOptions")
    decoded = decoding.decode(load(call.request, call.resource.kind), call)
    return call.answer(201, present(await create_object(state, call, decoded), call))


async def create_object(state: State, call: Call, decoded: Decoded, *, tracked: bool = False) -> Object:
    """Admit, validate and store a decoded object; returns it as the client is to see it.

    `tracked` says that managed fields are settled already (server-side apply).
    """
    obj, resource, rules = decoded.obj, call.resource, _strategy(call)
    objects.settle_namespace(obj, call)
    objects.check_new(obj)
    rules.fill_in(obj)
    if not tracked:  # before the server adds anything of its own, which nobody owns
        obj = _tidy(obj, call)
        managed.track_write(obj, None, call)
    state.check_namespace(call, obj)
    state.check_crd_alive(call, obj)
    objects.begin_life(obj, call)
    rules.start(obj)
    obj = _tidy(obj, call)
    if resource.key == PODS:
        state.check_account(obj)
    _refuse(call, obj, _create_causes(state, call, obj, decoded.causes))
    state.check_grants(call, obj, None)
    _remark(call, obj)
    stored = await state.converter.to_storage(obj, resource)
    return await _insert(state, call, obj, stored)


def _create_causes(state: State, call: Call, obj: Object, found: list[Cause]) -> list[Cause]:
    resource = call.resource
    causes = naming.metadata_causes(obj["metadata"], resource.group, resource.kind)
    causes += [cause for cause in found if not resource.has_status or not _of_status(cause)]
    causes += _strategy(call).create_causes(obj) + _strategy(call).causes(obj)
    if not resource.builtin:
        causes += customs.scale_causes(obj, resource)
    if causes:
        return causes
    return _assign_address(state, call, obj) if resource.key == SERVICES else []


def _remark(call: Call, obj: Object) -> None:
    for text in _strategy(call).remarks(obj):
        call.warn(text)


def _assign_address(state: State, call: Call, obj: Object) -> list[Cause]:
    try:
        return services.assign_address(obj, state.addresses, dry_run=call.dry_run)
    except services.AddressesExhausted as error:
        raise status.internal_error(f"failed to allocate a serviceIP: {error}") from None


async def _insert(state: State, call: Call, obj: Object, stored: Object) -> Object:
    resource, metadata = call.resource, obj["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    if (there := state.store.get(resource.key, *key)) is not None:
        deleting = bool(there.obj["metadata"].get("deletionTimestamp"))
        raise status.already_exists(resource.plural, metadata["name"], resource.group, deleting=deleting)
    if call.dry_run:
        return obj
    record = state.commit(resource, key, stored)
    state.converter.note(record, resource, unchanged=stored is obj)
    return await state.converter.view(record, resource)


async def replace(state: State, call: Call) -> Response:
    """PUT on an object or its status."""
    read_options(call, "UpdateOptions")
    decoded = decoding.decode(load(call.request, call.resource.kind), call)
    resource, metadata = call.resource, decoded.obj["metadata"]
    if not metadata.get("name"):
        raise objects.nameless(call)
    record = state.record(call)
    old = await state.converter.view(record, resource)
    blind = resource.builtin and resource.kind not in _NEVER_BLIND
    if not blind and not metadata.get("resourceVersion"):
        cause = Cause("FieldValueInvalid", "Invalid value: 0: must be specified for an update", _REVISION)
        raise status.invalid(resource.plural, resource.group, call.target.name, [cause])
    objects.check_uid_named(decoded.obj, old, call, str(record.key[0]))
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
    resource = call.resource
    new = _admitted(call, decoded, old, tracked=tracked)
    state.check_grants(call, new, old)
    if call.target.subresource in _MAIN:
        _remark(call, new)
    if objects.same_but_bookkeeping(new, old) or call.dry_run:
        return old if not call.dry_run else new
    stored = await state.converter.to_storage(new, resource)
    if state.store.get(resource.key, *record.key) is not record:
        raise status.conflict(resource.plural, call.target.name, resource.group, status.MODIFIED)
    return await _put(state, call, record, new, stored)


_MAIN = ("", "scale")
"""Ways to an object that change its spec."""


def _admitted(call: Call, decoded: Decoded, old: Object, *, tracked: bool) -> Object:
    """What becomes of an object by an update, complete and checked. Raises ApiError (400, 409, 422)."""
    rules, new = _strategy(call), decoded.obj
    objects.settle_namespace(new, call)
    whose = objects.identity_causes(new, old)
    objects.adopt_identity(new, old, call)
    if call.target.subresource != "status":
        rules.fill_in(new)
    if not tracked:
        new = _tidy(new, call)
        managed.track_write(new, old, call)
    new = _restrict(call, new, old)
    if call.target.subresource in _MAIN:
        rules.carry(new, old)
    new = _tidy(new, call)
    if call.target.subresource in _MAIN:
        objects.count_generation(new, old, call.resource)
    _refuse(call, new, whose + _update_causes(call, new, old, decoded.causes))
    return new


async def _put(state: State, call: Call, record: Record, new: Object, stored: Object) -> Object:
    # what is stored is changed by the store; views and records that exist must not be
    result = state.commit(call.resource, record.key, {**stored, "metadata": dict(stored["metadata"])})
    state.converter.note(result, call.resource, unchanged=stored is new)
    return await state.converter.view(result, call.resource)


def _restrict(call: Call, new: Object, old: Object) -> Object:
    """Only what this (sub)resource may change."""
    if call.target.subresource == "status":
        return objects.only_status(new, old, call.resource)
    if call.target.subresource == "finalize":
        return {**old, "metadata": new["metadata"], "spec": new.get("spec") or {}}
    if call.resource.has_status:
        objects.keep_status(new, old)
    return new


def _of_status(cause: Cause) -> bool:
    return cause.field == "status" or cause.field.startswith("status.")


def _update_causes(call: Call, new: Object, old: Object, found: list[Cause]) -> list[Cause]:
    resource, rules = call.resource, _strategy(call)
    if not resource.builtin:
        found = found + customs.scale_causes(new, resource)
    if call.target.subresource == "status":
        return [cause for cause in found if _of_status(cause)] + rules.status_causes(new)
    causes = [cause for cause in found if not resource.has_status or not _of_status(cause)]
    causes += naming.updated_metadata_causes(new["metadata"])
    if call.target.subresource == "finalize":
        return causes + rules.causes(new)
    return causes + rules.update_causes(new, old) + rules.causes(new)


async def finalize_namespace(state: State, call: Call) -> Response:
    """PUT on namespaces/NAME/finalize: the only way to change spec.finalizers, and the end of a deleted namespace."""
    read_options(call, "UpdateOptions")
    decoded = decoding.decode(load(call.request, call.resource.kind), call)
    record = state.record(call)
    result = await update_object(state, call, record, record.obj, decoded)
    return call.answer(200, present(result, call))
