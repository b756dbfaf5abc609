"""PATCH: which kind of patch it is, what becomes of the object, and another try when somebody else was faster."""

from typing import Any

from pytest_smi.embedded.kubeapi import apply, decoding, negotiation, patches, status
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.decoding import Decoded, Unfit
from pytest_smi.embedded.kubeapi.go_texts import printed
from pytest_smi.embedded.kubeapi.http import Response, encode_json
from pytest_smi.embedded.kubeapi.negotiation import Body
from pytest_smi.embedded.kubeapi.presentation import present
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.status import ApiError, Cause
from pytest_smi.embedded.kubeapi.values import invalid_value
from pytest_smi.embedded.kubeapi.writes import create_object, update_object

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_EVERY_KIND = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY)

_TRIES = 5


def check_media_type(call: Call) -> str:
    """The kind of patch. Raises ApiError (415): strategic merge needs merge keys, which only built-ins have."""
    kind = negotiation.media_type(call.request)
    if kind not in _EVERY_KIND:
        raise status.status(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    if kind == STRATEGIC and not call.resource.builtin:
        raise status.unsupported_media_type([one for one in _EVERY_KIND if one != STRATEGIC])
    return kind


async def patch(state: State, call: Call) -> Response:
    """PATCH on an object or its status."""
    kind = check_media_type(call)
    read_options(call, "PatchOptions", option_causes(call, kind))
    if kind == APPLY:
        return await _apply(state, call)
    body = load(call, kind)
    for attempt in range(_TRIES):
        record = state.record(call)
        old = await state.converter.view(record, call.resource)
        decoded, fixed = patched(call, kind, old, body)
        try:
            result = await update_object(state, call, record, old, decoded)
        except ApiError as error:
            moved_on = error.code == 409 and state.store.get(call.resource.key, *record.key) is not record
            if fixed or not moved_on or attempt == _TRIES - 1:
                raise
        else:
            return call.answer(200, present(result, call))
    raise AssertionError("the loop returns or raises")


def option_causes(call: Call, kind: str) -> list[Cause]:
    """Options that do not go with the kind of patch."""
    if kind == APPLY and not call.request.param("fieldManager"):
        return [Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")]
    if kind != APPLY and call.request.param("force"):
        return [Cause("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force")]
    return []


_WANTED = {JSON_PATCH: (list, "[]handlers.jsonPatchOp"), MERGE_PATCH: (dict, "map[string]interface {}")}


def load(call: Call, kind: str) -> Body:
    """The body of a patch that is no apply. Raises ApiError (400)."""
    try:
        body = negotiation.parse_json(call.request.body)
    except ValueError as error:
        raise status.bad_request(f"error decoding patch: {error}") from None
    wanted, go_type = _WANTED.get(kind, _WANTED[MERGE_PATCH])
    if not isinstance(body.value, wanted):
        found = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(body.value), "number")
        raise status.bad_request(
            f"error decoding patch: json: cannot unmarshal {found} into Go value of type {go_type}"
        )
    return body


def patched(call: Call, kind: str, old: Object, body: Body) -> tuple[Decoded, bool]:
    """The object after the patch, and whether the patch names a revision. Raises ApiError."""
    new = apply_patch(kind, old, body.value, call.resource.schema)
    shown = printed(body.value) if kind == STRATEGIC else encode_json(new).decode()
    given = new.get("metadata")
    fixed = isinstance(given, dict) and given.get("resourceVersion") != old["metadata"]["resourceVersion"]
    try:
        identified = decoding.check_identity(_own_copy(new, call), call.resource)
        return decoding.normalise(identified, call, body.duplicates), fixed
    except Unfit as problem:
        raise _unfit(shown, str(problem)) from None
    except ApiError as error:
        if error.code != 400:
            raise
        raise _unfit(shown, str(error).rpartition(f"as a {call.resource.kind}: ")[2]) from None


def _unfit(shown: str, why: str) -> ApiError:
    """422: what the patch leaves is no object of this kind. The real server quotes all of it, and so do we."""
    return status.invalid("", "", "", [invalid_value("patch", shown, why)])


def _own_copy(obj: Object, call: Call) -> Object:
    """A copy that may be changed, without what a status update ignores; managed fields are only ever replaced."""
    ignored = () if call.target.subresource != "status" else ("spec",)
    copy = {name: clone(value) for name, value in obj.items() if name != "metadata" and name not in ignored}
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata = {name: value if name == "managedFields" else clone(value) for name, value in metadata.items()}
    return {**copy, "metadata": metadata}


def apply_patch(kind: str, old: Object, body: Any, schema: Object) -> Object:
    """The object after a patch that is no apply. Raises ApiError: 422 a JSON patch, 500 a strategic one that fails."""
    try:
        if kind == JSON_PATCH:
            result = patches.json_patch(old, body)
        elif kind == STRATEGIC:
            result = patches.strategic_merge(old, body, schema)
        else:
            result = patches.merge_patch(old, body)
    except patches.PatchError as error:
        if kind == JSON_PATCH:
            text = "the server rejected our request due to an error in our request"
            raise status.status(422, "Invalid", text, {}) from None
        raise status.status(500, "", str(error)) from None
    if not isinstance(result, dict):
        raise status.bad_request("the patch leaves no object")
    return result


async def _apply(state: State, call: Call) -> Response:
    """Server-side apply: creates what does not exist."""
    wanted = intent_of(call)
    force = is_true(call.request.param("force"))
    for attempt in range(_TRIES):
        try:
            code, result = await _apply_once(state, call, wanted, force=force)
            return call.answer(code, present(result, call))
        except ApiError as error:
            retried = error.code == 409 and error.status.get("reason") in ("Conflict", "AlreadyExists")
            if "causes" in error.status.get("details", {}) or not retried or attempt == _TRIES - 1:
                raise
            if wanted["metadata"].get("resourceVersion"):
                raise
    raise AssertionError("the loop returns or raises")


def intent_of(call: Call) -> Object:
    """What the applier wants. Raises ApiError: 400 for no such object, 500 for one that does not fit the schema."""
    intent = negotiation.load_apply(call.request).value
    if not isinstance(intent, dict):
        raise status.bad_request("error decoding YAML: the body is no object")
    sent = intent.get("apiVersion") or "", intent.get("kind") or ""
    if sent != (call.resource.api_version, call.resource.kind):
        api_version = sent[0] if "/" in sent[0] else f"/{sent[0]}"
        raise status.bad_request(f"invalid object type: {api_version}, Kind={sent[1]}")
    metadata = intent["metadata"] = dict(intent.get("metadata") or {})
    if metadata.get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    apply.check_types(intent, call.resource)
    name = metadata.setdefault("name", call.target.name)
    if name != call.target.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({call.target.name})"
        )
    return intent


async def _apply_once(state: State, call: Call, intent: Object, *, force: bool) -> tuple[int, Object]:
    record = state.store.get(call.resource.key, *call.key)
    if record is None:
        if call.target.subresource:
            raise call.missing()
        if uid := intent["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise status.conflict(call.resource.plural, call.target.name, call.resource.group, why)
        new = _own_copy(apply.apply(None, intent, call, force=force), call)
        return 201, await create_object(state, call, _normalised(new, call), tracked=True)
    old = await state.converter.view(record, call.resource)
    new = _own_copy(apply.apply(old, intent, call, force=force), call)
    if revision := intent["metadata"].get("resourceVersion"):
        new["metadata"]["resourceVersion"] = revision
    return 200, await update_object(state, call, record, old, _normalised(new, call), tracked=True)


def _normalised(new: Object, call: Call) -> Decoded:
    try:
        return decoding.normalise(new, call)
    except Unfit as problem:
        raise decoding.refused(call.resource, str(problem)) from None
