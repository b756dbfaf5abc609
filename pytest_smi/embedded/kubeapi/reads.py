"""get and list."""

from typing import Any

from pytest_smi.embedded.kubeapi import list_options, pages, selectors, status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.labels import SelectorError
from pytest_smi.embedded.kubeapi.list_options import ListOptions
from pytest_smi.embedded.kubeapi.presentation import present, present_list
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.store import Record

Object = dict[str, Any]


async def get(state: State, call: Call) -> Response:
    """One object."""
    check_revision(state, list_options.revision_of_get(call))
    obj = await state.converter.view(state.record(call), call.resource)
    return call.answer(200, present(obj, call))


def check_revision(state: State, revision: int | None) -> None:
    """Raises ApiError (504) for a revision that is still to come."""
    if revision is not None and revision > state.store.revision:
        message = f"Too large resource version: {revision}, current: {state.store.revision}"
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        raise status.status(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def selection(call: Call) -> selectors.Predicate:
    """The test that list, watch and deletecollection apply. Raises ApiError (400)."""
    labels, fields = call.request.param("labelSelector"), call.request.param("fieldSelector")
    resource = call.resource
    if call.target.name:
        fields = ",".join(filter(None, [fields, f"metadata.name={call.target.name}"]))
    try:
        return selectors.predicate(labels, fields, resource.selectable, builtin=resource.builtin)
    except SelectorError as error:
        raise status.bad_request(str(error)) from None


async def list_objects(state: State, call: Call) -> Response:
    """All objects that match, or a page of them."""
    matches, options = selection(call), list_options.of_list(call)
    revision, records = _records(state, call, options)
    page, rest = await _page(state, call, records, matches, options.limit)
    metadata: Object = {"resourceVersion": str(revision)}
    if not call.resource.builtin and not call.accepted.form:
        metadata["continue"] = ""
    if rest:
        metadata["continue"] = pages.token(revision, page[-1][0].key)
        if matches is selectors.everything:
            metadata["remainingItemCount"] = rest
    return call.answer(200, present_list([obj for _, obj in page], metadata, call))


def _records(state: State, call: Call, options: ListOptions) -> tuple[int, list[Record]]:
    """The revision of the answer, and everything that there was then. Raises ApiError (410, 504)."""
    key, namespace = call.resource.key, call.target.namespace
    check_revision(state, options.revision)
    if not options.exact or options.revision is None:
        return state.store.revision, state.store.listed(key, namespace)
    found = state.store.at(key, namespace, options.revision)
    if found is None:
        older = f"The provided resource version is too old: {options.revision}"
        raise status.expired(pages.EXPIRED if options.after else older)
    if options.after is not None:
        found = [record for record in found if record.key > options.after]
    return options.revision, found


async def _page(
    state: State, call: Call, records: list[Record], matches: selectors.Predicate, limit: int
) -> tuple[list[tuple[Record, Object]], int]:
    """The first `limit` matching objects, and how many records are left behind them."""
    objects = await state.converter.views(records, call.resource)
    found = [pair for pair in zip(records, objects, strict=True) if matches(pair[1])]
    if not limit or len(found) <= limit:
        return found, 0
    return found[:limit], len(found) - limit
