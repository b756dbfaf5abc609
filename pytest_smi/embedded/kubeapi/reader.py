"""What authorization and aggregation need to read of the stored objects: in the same process, synchronously."""

from typing import Any, Protocol


class Reader(Protocol):
    """Read access to the store. What it returns is the stored dict itself: never change it."""

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects of a resource, in one namespace or in all."""
        ...

    def object(self, group: str, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object; `namespace` is empty for cluster-scoped resources."""
        ...

    def last_change(self, group: str, plural: str) -> int:
        """Revision of the latest change to any object of the resource: a cache key."""
        ...
