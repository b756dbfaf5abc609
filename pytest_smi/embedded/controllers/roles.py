"""Aggregated ClusterRoles have the rules of every ClusterRole that their selectors choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import Client, path_to
from pytest_smi.embedded.controllers.ownership import deleting, matches
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]

_API = "rbac.authorization.k8s.io/v1"


def aggregated(role: Object, others: Iterable[Object]) -> list[Object]:
    """The rules of an aggregated role: those of the chosen roles, each once, selector by selector and by name."""
    rules: list[Object] = []
    known = sorted(others, key=lambda one: str(one["metadata"]["name"]))
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        for one in known:
            metadata = one["metadata"]
            if metadata["name"] != role["metadata"]["name"] and matches(selector, metadata.get("labels")):
                rules += [rule for rule in one.get("rules") or () if rule not in rules]
    return rules


class RoleAggregationController:
    """Keeps the rules of aggregated ClusterRoles, with every change of any ClusterRole."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._roles = caches.of(_API, "clusterroles")
        self._queue = WorkQueue[str]("roles", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        self._roles.listen(lambda _kind, _obj: self._changed())
        await self._queue.run()

    def _changed(self) -> None:
        for role in self._roles.objects.values():
            if role.get("aggregationRule"):
                self._queue.add(role["metadata"]["name"])

    async def _sync(self, name: str) -> None:
        role = self._roles.get("", name)
        if role is None or deleting(role) or not role.get("aggregationRule"):
            return
        rules = aggregated(role, self._roles.objects.values())
        if rules != (role.get("rules") or []):
            path = path_to(_API, "clusterroles", name=name)
            self._roles.absorb(await self._client.patch(path, {"rules": rules}))
