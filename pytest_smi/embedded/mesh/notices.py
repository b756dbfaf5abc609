"""Notices become Events on the object that they are about, each told once for as long as it holds."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.embedded.mesh.install import MANAGER
from pytest_smi.spec.kinds import KINDS, STORAGE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.mesh.model import Notice

_log = logging.getLogger(__name__)


class Herald:
    """Writes Events."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._told: set[Notice] = set()
        self._sending: set[asyncio.Task[None]] = set()

    def tell(self, notices: Iterable[Notice]) -> None:
        """Tell the notices that are new; those that no longer hold are forgotten and told again when they return."""
        current = set(notices)
        for notice in current - self._told:
            task = asyncio.get_running_loop().create_task(self._send(notice))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        self._told = current

    async def _send(self, notice: Notice) -> None:
        made = event(notice, datetime.now(UTC))
        path = f"/api/v1/namespaces/{notice.about[1]}/events"
        try:
            await self._client.create(path, made)
        except ApiFailure as failure:
            if failure.code == 409:  # told before, in an earlier life
                again = {"lastTimestamp": made["lastTimestamp"]}
                await self._client.patch(f"{path}/{made['metadata']['name']}", again, manager=MANAGER)
            elif failure.code not in (403, 404):  # the namespace is going away
                _log.warning("event on %s: %s", notice.about, failure)
        except OSError as fault:
            _log.warning("event on %s: %s", notice.about, fault)


def event(notice: Notice, now: datetime) -> dict[str, Any]:
    """The Event of a notice. Equal notices have Events of one name."""
    kind, namespace, name = notice.about
    digest = hashlib.sha256(f"{notice.uid}{notice.reason}{notice.message}".encode()).hexdigest()[:16]
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"kind": kind, "namespace": namespace, "name": name, "uid": notice.uid}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{digest}", "namespace": namespace},
        "involvedObject": {**about, "apiVersion": KINDS[kind].api_version(STORAGE_VERSION)},
        "type": "Warning",
        "reason": notice.reason,
        "message": notice.message,
        "source": {"component": MANAGER},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
