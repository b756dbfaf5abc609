"""Every namespace has a ServiceAccount named `default`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.controllers.ownership import deleting
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

Object = dict[str, Any]


class AccountController:
    """Makes the default ServiceAccount, and makes it again when someone deletes it."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._namespaces = caches.namespaces
        self._accounts = caches.accounts
        self._queue = WorkQueue[str]("accounts", self._sync)

    async def run(self) -> None:
        """Works until cancelled."""
        self._namespaces.listen(lambda _, obj: self._queue.add(obj["metadata"]["name"]))
        self._accounts.listen(self._account_changed)
        await self._queue.run()

    def _account_changed(self, kind: str, account: Object) -> None:
        if kind == "DELETED" and account["metadata"]["name"] == "default":
            self._queue.add(account["metadata"]["namespace"])

    async def _sync(self, namespace: str) -> None:
        found = self._namespaces.get("", namespace)
        if found is None or deleting(found) or self._accounts.get(namespace, "default"):
            return
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        try:
            self._accounts.absorb(await self._client.create(path_to("v1", "serviceaccounts", namespace), account))
        except ApiFailure as failure:
            if failure.code != 409:
                raise
