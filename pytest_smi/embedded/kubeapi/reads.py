"""get and list."""

from typing import Any

from pytest_smi.embedded.kubeapi import selectors, snapshots, status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.presentation import present, present_list
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.store import Record

Object = dict[str, Any]


async def get(state: State, call: Call) -> Response:
    """One object."""
    check_revision(state, call)
    obj = await state.converter.view(state.record(call), call.resource)
    return call.answer(200, present(obj, call))


def check_revision(state: State, call: Call) -> int | None:
    """The resourceVersion asked for, None for "the newest". Raises ApiError: 400 nonsense, 504 a future revision."""
    text = call.request.param("resourceVersion")
    if not text:
        return None
    if not text.isdigit():
        raise status.bad_request(f"Invalid resource version: {text}")
    if int(text) > state.store.revision:
        message = f"Too large resource version: {text}, current: {state.store.revision}"
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        raise status.status(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})
    return int(text)


def selection(call: Call) -> selectors.Predicate:
    """The test that list, watch and deletecollection apply. Raises ApiError (400)."""
    labels, fields = call.request.param("labelSelector"), call.request.param("fieldSelector")
    resource = call.resource
    if call.target.name:
        fields = ",".join(filter(None, [fields, f"metadata.name={call.target.name}"]))
    try:
        return selectors.predicate(labels, fields, resource.selectable, builtin=resource.builtin)
    except selectors.SelectorError as error:
        if fields and ("field label" in str(error) or "known field" in str(error)):
            where = f"{resource.api_version if resource.group else '/' + resource.version}, Resource={resource.plural}"
            text = f'Unable to find "{where}" that match label selector "{labels}", field selector "{fields}": {error}'
            raise status.bad_request(text) from None
        raise status.bad_request(str(error)) from None


def _limit(call: Call) -> int:
    text = call.request.param("limit", "0") or "0"
    try:
        return max(int(text), 0)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


async def list_objects(state: State, call: Call) -> Response:
    """All objects that match, or a page of them."""
    resource, namespace = call.resource, call.target.namespace
    matches, limit, after = selection(call), _limit(call), None
    if continued := call.request.param("continue"):
        revision, after = snapshots.read_token(continued)
        records = state.snapshots.find(resource.key, namespace, revision)
        records = [record for record in records if record.key > after]
    else:
        wanted, revision = check_revision(state, call), state.store.revision
        if call.request.param("resourceVersionMatch") == "Exact" and wanted != revision:
            raise status.expired(f"The resourceVersion for the provided list is too old: {wanted} ({revision})")
        records = state.store.listed(resource.key, namespace)
    page, rest = await _page(state, call, records, matches, limit)
    metadata: Object = {"resourceVersion": str(revision)}
    if rest:
        if after is None:
            state.snapshots.keep(resource.key, namespace, revision, records)
        metadata["continue"] = snapshots.token(revision, page[-1][0].key)
        if matches is selectors.everything:
            metadata["remainingItemCount"] = rest
    return call.answer(200, present_list([obj for _, obj in page], metadata, call))


async def _page(
    state: State, call: Call, records: list[Record], matches: selectors.Predicate, limit: int
) -> tuple[list[tuple[Record, Object]], int]:
    """The first `limit` matching objects, and how many records are left behind them."""
    objects = await state.converter.views(records, call.resource)
    found = [pair for pair in zip(records, objects, strict=True) if matches(pair[1])]
    if not limit or len(found) <= limit:
        return found, 0
    return found[:limit], len(found) - limit
