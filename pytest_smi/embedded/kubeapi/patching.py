"""PATCH: which kind of patch it is, what becomes of the object, and another try when somebody else was faster."""

from typing import Any

from pytest_smi.embedded.kubeapi import apply, decoding, negotiation, patches, status
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.presentation import present
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.status import ApiError, Cause
from pytest_smi.embedded.kubeapi.writes import create_object, update_object

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

_TRIES = 5


def media_types(call: Call) -> list[str]:
    """The kinds of patch that the resource takes: strategic merge needs merge keys, which only built-ins have."""
    return [JSON_PATCH, MERGE_PATCH, *([STRATEGIC] if call.resource.builtin else []), APPLY]


async def patch(state: State, call: Call) -> Response:
    """PATCH on an object or its status."""
    kind = negotiation.media_type(call.request)
    if kind not in media_types(call):
        raise status.unsupported_media_type(media_types(call))
    read_options(call, "PatchOptions")
    _check_options(call, kind)
    if kind == APPLY:
        return await _apply(state, call)
    body = negotiation.load_json(call.request.body)
    for attempt in range(_TRIES):
        record = state.record(call)
        old = await state.converter.view(record, call.resource)
        new = _own_copy(_changed(call, kind, old, body.value), call)
        given = new.get("metadata")
        fixed = isinstance(given, dict) and given.get("resourceVersion") != old["metadata"]["resourceVersion"]
        decoding.check_identity(new, call.resource)
        decoded = decoding.normalise(new, call, body.duplicates)
        try:
            result = await update_object(state, call, record, old, decoded)
        except ApiError as error:
            moved_on = error.code == 409 and state.store.get(call.resource.key, *record.key) is not record
            if fixed or not moved_on or attempt == _TRIES - 1:
                raise
        else:
            return call.answer(200, present(result, call))
    raise AssertionError("the loop returns or raises")


def _check_options(call: Call, kind: str) -> None:
    causes = []
    if kind == APPLY and not call.request.param("fieldManager"):
        text = "Required value: is required for apply patch"
        causes.append(Cause("FieldValueRequired", text, "fieldManager"))
    if kind != APPLY and call.request.param("force"):
        text = "Forbidden: may not be specified for non-apply patch"
        causes.append(Cause("FieldValueForbidden", text, "force"))
    if causes:
        raise status.invalid("PatchOptions", "meta.k8s.io", "", causes)


def _own_copy(obj: Object, call: Call) -> Object:
    """A copy that may be changed, without what a status update ignores; managed fields are only ever replaced."""
    ignored = () if call.target.subresource != "status" else ("spec",)
    copy = {name: clone(value) for name, value in obj.items() if name != "metadata" and name not in ignored}
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata = {name: value if name == "managedFields" else clone(value) for name, value in metadata.items()}
    return {**copy, "metadata": metadata}


def _changed(call: Call, kind: str, old: Object, body: Any) -> Object:
    """The object after the patch. Raises ApiError: 400 malformed, 422 a JSON patch that does not apply."""
    try:
        if kind == JSON_PATCH:
            result = patches.json_patch(old, body)
        elif not isinstance(body, dict):
            raise status.bad_request("error decoding patch: a merge patch is an object")
        elif kind == STRATEGIC:
            result = patches.strategic_merge(old, body, call.resource.schema)
        else:
            result = patches.merge_patch(old, body)
    except patches.PatchError as error:
        if kind == JSON_PATCH and isinstance(body, list):
            text = f"the server rejected our request due to an error in our request: {error}"
            raise status.status(422, "Invalid", text, {"causes": [{"message": str(error)}]}) from None
        raise status.bad_request(f"error decoding patch: {error}") from None
    if not isinstance(result, dict):
        raise status.bad_request("the patch leaves no object")
    return result


async def _apply(state: State, call: Call) -> Response:
    """Server-side apply: creates what does not exist."""
    body = negotiation.load_apply(call.request)
    intent = decoding.check_identity(body.value, call.resource)
    name = (intent.setdefault("metadata", {}) or {}).setdefault("name", call.target.name)
    if name != call.target.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({call.target.name})"
        )
    _check_intent(call, intent, body.duplicates)
    force = is_true(call.request.param("force"))
    for attempt in range(_TRIES):
        try:
            code, result = await _apply_once(state, call, intent, force=force)
            return call.answer(code, present(result, call))
        except ApiError as error:
            retried = error.code == 409 and error.status.get("reason") in ("Conflict", "AlreadyExists")
            if "causes" in error.status.get("details", {}) or not retried or attempt == _TRIES - 1:
                raise
            if intent["metadata"].get("resourceVersion"):
                raise
    raise AssertionError("the loop returns or raises")


def _check_intent(call: Call, intent: Object, duplicates: list[str]) -> None:
    """Unknown fields are reported for the intent itself, and must not become owned."""
    probe = clone(intent)
    decoding.prune_and_report(probe, call, duplicates)
    intent.clear()
    intent.update(probe)


async def _apply_once(state: State, call: Call, intent: Object, *, force: bool) -> tuple[int, Object]:
    record = state.store.get(call.resource.key, *call.key)
    if record is None:
        if call.target.subresource:
            raise call.missing()
        if intent["metadata"].get("uid"):
            raise status.conflict(call.resource.plural, call.target.name, call.resource.group, "uid mismatch: the "
                                  "provided object specified uid, and no existing object was found")  # fmt: skip
        new = _own_copy(apply.apply(None, intent, call, force=force), call)
        return 201, await create_object(state, call, decoding.normalise(new, call), tracked=True)
    old = await state.converter.view(record, call.resource)
    new = _own_copy(apply.apply(old, intent, call, force=force), call)
    if revision := intent["metadata"].get("resourceVersion"):
        new["metadata"]["resourceVersion"] = revision
    return 200, await update_object(state, call, record, old, decoding.normalise(new, call), tracked=True)
