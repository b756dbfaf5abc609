"""Who owns whom: selectors, controller references, adoption and release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, Informer, path_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector (matchLabels and matchExpressions) selects these labels; an empty one selects all."""
    labels = labels or {}
    selector = selector or {}
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(term, labels) for term in selector.get("matchExpressions") or [])


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(term["key"]), term.get("values") or []
    match term["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"unknown selector operator {term['operator']}")


def controller_of(obj: Object) -> Object | None:
    """The owner reference that is marked as the controller."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return dict(reference)
    return None


def reference_to(owner: Object) -> Object:
    """A controller reference to `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def deleting(obj: Object) -> bool:
    """Whether deletion has been asked for."""
    return "deletionTimestamp" in obj["metadata"]


async def claim(
    client: Client, owner: Object, candidates: Iterable[Object], informer: Informer, collection: tuple[str, str]
) -> list[Object]:
    """The candidates that belong to `owner`: matching orphans are adopted, own ones that no longer match released.

    `informer` takes in what is changed; `collection` is the API version and plural of the candidates.
    """
    owned, uid = [], owner["metadata"]["uid"]
    for one in candidates:
        controller = controller_of(one)
        fits = matches(owner["spec"].get("selector"), one["metadata"].get("labels"))
        if controller and controller["uid"] == uid and (fits or deleting(owner)):
            owned.append(one)
        elif controller and controller["uid"] == uid:
            await _rewrite(client, one, informer, collection, remove=uid)
        elif controller is None and fits and not deleting(owner) and not deleting(one):
            adopted = await _rewrite(client, one, informer, collection, add=reference_to(owner))
            owned += [adopted] if adopted else []
    return owned


async def _rewrite(
    client: Client,
    one: Object,
    informer: Informer,
    collection: tuple[str, str],
    *,
    remove: str = "",
    add: Object | None = None,
) -> Object | None:
    metadata = one["metadata"]
    references = [item for item in metadata.get("ownerReferences") or [] if item["uid"] != remove]
    patch = {
        "metadata": {
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "ownerReferences": references + ([add] if add else []),
        }
    }
    try:
        changed = await client.patch(path_to(*collection, metadata["namespace"], metadata["name"]), patch)
    except ApiFailure as failure:
        if failure.code == 404:
            return None
        raise
    informer.absorb(changed)
    return changed
