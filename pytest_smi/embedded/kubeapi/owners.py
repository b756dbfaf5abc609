"""Owner references: what they need, and that there is one controller among them at most."""

from typing import Any

from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_NEEDED = {"apiVersion": "version must not be empty", "kind": "must not be empty", "name": "must not be empty"}
_NEEDED |= {"uid": "must not be empty"}
_NEVER = {("v1", "Event"), ("events.k8s.io/v1", "Event")}


def causes(owners: list[Object], path: str) -> list[Cause]:
    """Everything wrong with the owner references of an object."""
    found = [cause for owner in owners for cause in _of_one(owner, path)]
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        first, second = (f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        text = (
            f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}'
        )
        found.append(invalid_value(path, owners, text))
    return found


def _of_one(owner: Object, path: str) -> list[Cause]:
    found = [
        invalid_value(f"{path}.{field}", owner.get(field) or "", why)
        for field, why in _NEEDED.items()
        if not owner.get(field)
    ]
    if (owner.get("apiVersion"), owner.get("kind")) in _NEVER:
        group, _, version = owner["apiVersion"].rpartition("/")
        text = f"{group}/{version}, Kind={owner['kind']} is disallowed from being an owner"
        found.append(invalid_value(path, owner, text))
    return found
