"""The garbage collector's picture of the cluster: which object is owned by which. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass
class Node:
    """An object, as far as ownership goes. `collection` is its API version and plural."""

    collection: tuple[str, str]
    namespace: str
    name: str
    owners: list[Object] = field(default_factory=list)
    finalizers: list[str] = field(default_factory=list)
    deleting: bool = False


class OwnerGraph:
    """Nodes by uid, and dependents by the uid of their owner (which may itself be unknown)."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def put(self, collection: tuple[str, str], obj: Object) -> Node:
        """Takes in the newest state of an object."""
        metadata = obj["metadata"]
        uid = metadata["uid"]
        self._unlink(uid)
        node = self.nodes[uid] = Node(
            collection,
            metadata.get("namespace", ""),
            metadata["name"],
            metadata.get("ownerReferences") or [],
            metadata.get("finalizers") or [],
            "deletionTimestamp" in metadata,
        )
        for owner in node.owners:
            self._dependents.setdefault(owner["uid"], set()).add(uid)
        return node

    def remove(self, uid: str) -> None:
        """Forgets an object; its dependents stay known as such."""
        self._unlink(uid)
        self.nodes.pop(uid, None)

    def dependents(self, uid: str) -> list[str]:
        """The uids of the objects that name `uid` as an owner."""
        return sorted(self._dependents.get(uid, ()))

    def blocking(self, uid: str) -> list[str]:
        """Those dependents that must be gone before their owner goes, in a foreground deletion."""
        return [
            one
            for one in self.dependents(uid)
            if any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in self.nodes[one].owners)
        ]

    def _unlink(self, uid: str) -> None:
        if known := self.nodes.get(uid):
            for owner in known.owners:
                dependents = self._dependents.get(owner["uid"], set())
                dependents.discard(uid)
                if not dependents:
                    self._dependents.pop(owner["uid"], None)
