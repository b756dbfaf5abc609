"""The options of list and watch: what they say, and which combinations are refused."""

from dataclasses import dataclass

from pytest_smi.embedded.kubeapi import pages, status
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.store import Key
from pytest_smi.embedded.kubeapi.values import invalid_value, unsupported_value

_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"
_MATCH = "resourceVersionMatch"


@dataclass(slots=True, frozen=True)
class ListOptions:
    """`revision` None asks for the newest state, `exact` for that of then; `after` is the last key of a page."""

    revision: int | None
    exact: bool
    limit: int
    after: Key | None


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _refuse(causes: list[Cause]) -> None:
    if causes:
        raise status.invalid("ListOptions", "meta.k8s.io", "", causes)


def _match_causes(call: Call) -> list[Cause]:
    match, revision = call.request.param(_MATCH), call.request.param("resourceVersion")
    if not match:
        return []
    causes = []
    if not revision:
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if call.request.param("continue"):
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    if match not in (_EXACT, _NOT_OLDER):
        causes.append(unsupported_value(_MATCH, match, [_EXACT, _NOT_OLDER, ""]))
    if match == _EXACT and revision == "0":
        causes.append(_forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    return causes


def of_list(call: Call) -> ListOptions:
    """The options of a list. Raises ApiError (400, 422)."""
    causes = _match_causes(call)
    if "sendInitialEvents" in call.request.query:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    _refuse(causes)
    if continued := call.request.param("continue"):
        if call.request.param("resourceVersion") not in ("", "0"):
            raise status.bad_request("specifying resource version is not allowed when using continue")
        revision, after = pages.read_token(continued)
        return ListOptions(revision, True, _limit(call), after)
    wrong = _revision_cause(call)
    if wrong is not None:
        raise status.bad_request(f"invalid resource version: {wrong.sentence()}")
    exact = call.request.param(_MATCH) == _EXACT
    return ListOptions(_revision(call), exact, _limit(call), None)


def _limit(call: Call) -> int:
    text = call.request.param("limit", "0") or "0"
    try:
        return max(int(text), 0)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _revision(call: Call) -> int | None:
    text = call.request.param("resourceVersion")
    return int(text) if text else None


def _revision_cause(call: Call) -> Cause | None:
    text = call.request.param("resourceVersion")
    if not text or text.isdigit():
        return None
    why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
    return invalid_value("resourceVersion", text, why)


def revision_of_get(call: Call) -> int | None:
    """The revision that a get or watch asks for. Raises ApiError (500, as the real server) when it is none."""
    wrong = _revision_cause(call)
    if wrong is not None:
        raise status.status(500, "", wrong.sentence())
    return _revision(call)


def wants_initial_events(call: Call) -> bool:
    """Whether a watch shall begin with the present state, after its options are checked. Raises ApiError (422)."""
    match, causes, asked = call.request.param(_MATCH), [], "sendInitialEvents" in call.request.query
    if asked and match != _NOT_OLDER:
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(_forbidden(_MATCH, text))
    if match and not asked:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(_forbidden(_MATCH, text))
    if match and match != _NOT_OLDER:
        causes.append(unsupported_value(_MATCH, match, [_NOT_OLDER]))
    if call.request.param("continue"):
        causes.append(_forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    _refuse(causes)
    return is_true(call.request.param("sendInitialEvents"))
