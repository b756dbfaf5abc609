"""Lists in pages: later pages show the state of the first, for as long as it is remembered."""

import base64
import json
from collections import OrderedDict

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.store import Key, Record, ResourceKey

_KEPT = 64

_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
)


class Snapshots:
    """The newest lists that somebody has not read to their end."""

    def __init__(self) -> None:
        self._lists: OrderedDict[tuple[ResourceKey, str, int], list[Record]] = OrderedDict()

    def keep(self, resource: ResourceKey, namespace: str, revision: int, records: list[Record]) -> None:
        """Remember a list under its revision; the oldest one is forgotten when there are too many."""
        key = (resource, namespace, revision)
        self._lists[key] = records
        self._lists.move_to_end(key)
        while len(self._lists) > _KEPT:
            self._lists.popitem(last=False)

    def find(self, resource: ResourceKey, namespace: str, revision: int) -> list[Record]:
        """The list of that revision. Raises ApiError (410) when it is forgotten."""
        found = self._lists.get((resource, namespace, revision))
        if found is None:
            raise status.expired(_EXPIRED)
        return found


def token(revision: int, last: Key) -> str:
    """What a client sends to get the next page."""
    content = {"v": "meta.k8s.io/v1", "rv": revision, "start": f"{last[0]}/{last[1]}\u0000"}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def read_token(text: str) -> tuple[int, Key]:
    """Revision and last key of a continue token. Raises ApiError (400)."""
    try:
        content = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = content["start"].rstrip("\u0000").partition("/")
        return int(content["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise status.bad_request("continue key is not valid: encoding is invalid") from None
