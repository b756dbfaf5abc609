"""Whether the names of a CRD are accepted, and the conditions of its status that say so."""

from collections.abc import Iterable
from typing import Any

from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.objects import now

Object = dict[str, Any]

_PARTS = {
    "plural": "PluralConflict",
    "singular": "SingularConflict",
    "shortNames": "ShortNamesConflict",
    "kind": "KindConflict",
    "listKind": "ListKindConflict",
}


def settled(crd: Object, served: Iterable[Resource]) -> Object:
    """The status of a CRD as far as names go: what is accepted, and whether that is enough to be established."""
    status, wanted = crd.get("status") or {}, crd["spec"]["names"]
    accepted = dict(status.get("acceptedNames") or {})
    theirs = [one for one in served if one.group == crd["spec"]["group"] and one.plural != wanted["plural"]]
    reason, message = "NoConflicts", "no conflicts found"
    for part, why in _PARTS.items():
        clash = _taken(part, wanted.get(part), accepted.get(part), theirs)
        if clash:
            reason, message = why, f'"{clash}" is already in use'
        elif wanted.get(part):
            accepted[part] = wanted[part]
        else:
            accepted.pop(part, None)
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    good = reason == "NoConflicts"
    conditions = with_condition(status.get("conditions"), "NamesAccepted", good, reason, message)
    if good:
        said = "the initial names have been accepted"
        conditions = with_condition(conditions, "Established", True, "InitialNamesAccepted", said)
    elif not is_established(crd):
        conditions = with_condition(conditions, "Established", False, "NotAccepted", "not all names are accepted")
    return {**status, "acceptedNames": accepted, "conditions": conditions}


def _taken(part: str, wanted: Any, accepted: Any, theirs: list[Resource]) -> str:
    """The name that is taken already; empty when none is, or when it was accepted before."""
    names = wanted if isinstance(wanted, list) else [wanted]
    before = accepted if isinstance(accepted, list) else [accepted]
    used: set[str] = set()
    for one in theirs:
        used |= {one.kind, one.list_kind} if part in ("kind", "listKind") else {one.plural, one.singular}
        used |= set() if part in ("kind", "listKind") else set(one.short_names)
    return next((name for name in names if name and name in used and name not in before), "")


def with_condition(conditions: list[Object] | None, kind: str, value: bool, reason: str, message: str) -> list[Object]:
    """The conditions with this one in its place, or after the others; its time moves with its value only."""
    made = {"type": kind, "status": str(value), "lastTransitionTime": now(), "reason": reason, "message": message}
    result, there = [], False
    for one in conditions or []:
        if one["type"] == kind:
            there = True
            kept = one.get("lastTransitionTime") if one["status"] == made["status"] else None
            one = {**made, "lastTransitionTime": kept or made["lastTransitionTime"]}
        result.append(one)
    return result if there else [*result, made]


def is_established(crd: Object) -> bool:
    """Whether the resources of the CRD are served."""
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
