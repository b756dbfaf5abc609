"""Every namespace has a ConfigMap with the certificate to check the API server by: pods' token volumes refer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.controllers.ownership import deleting
from pytest_smi.embedded.controllers.queue import WorkQueue

if TYPE_CHECKING:
    from pytest_smi.embedded.controllers.caches import Caches

_NAME = "kube-root-ca.crt"


class RootCertificateController:
    """Makes the ConfigMap in every namespace, once: whoever changes or deletes it has it so."""

    def __init__(self, client: Client, caches: Caches, ca_pem: str) -> None:
        self._client = client
        self._namespaces = caches.namespaces
        self._content = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _NAME},
            "data": {"ca.crt": ca_pem},
        }
        self._queue = WorkQueue[str]("roots", self._sync)
        self._done: set[str] = set()

    async def run(self) -> None:
        """Works until cancelled."""
        self._namespaces.listen(lambda _, obj: self._queue.add(obj["metadata"]["name"]))
        await self._queue.run()

    async def _sync(self, name: str) -> None:
        namespace = self._namespaces.get("", name)
        uid = namespace["metadata"]["uid"] if namespace else ""
        if namespace is None or deleting(namespace) or uid in self._done:
            return
        try:
            await self._client.create(path_to("v1", "configmaps", name), self._content)
        except ApiFailure as failure:
            if failure.code != 409:
                raise
        self._done.add(uid)
