"""The condition Available of APIServices: each aggregated server is asked for its resources, again and again.

Often while one is down, so that a server that has just started is used at once; seldom while all is well.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.informer import Informer
from pytest_smi.embedded.kubeapi.aggregation import COLLECTION, is_remote
from pytest_smi.embedded.kubeapi.aggregation_target import Unavailable
from pytest_smi.embedded.rest import ApiFailure

if TYPE_CHECKING:
    from pytest_smi.embedded.kubeapi.aggregation import Aggregator
    from pytest_smi.embedded.rest import Client

DOWN_SECONDS = 0.1
UP_SECONDS = 1.0

_log = logging.getLogger(__name__)


class AvailabilityController:
    """Keeps the conditions true; `run` until cancelled."""

    def __init__(self, client: Client, aggregator: Aggregator) -> None:
        self._client = client
        self._aggregator = aggregator
        self._changed = asyncio.Event()
        self._informer = Informer(client, COLLECTION, lambda *_: self._changed.set())

    async def run(self) -> None:
        """Probe for ever; sleeps until there is an APIService at all."""
        watching = asyncio.ensure_future(self._informer.run())
        try:
            while True:
                self._changed.clear()
                pause = await self._round()
                try:
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
                except TimeoutError:
                    pass  # nothing changed: time for the next round
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _round(self) -> float | None:
        """Probe every APIService once; how long to wait for the next round (None: for a change only)."""
        found = list(self._informer.objects.values())
        healthy = await asyncio.gather(*(self._judge(item) for item in found))
        if not any(is_remote(item) for item in found):
            return None
        return UP_SECONDS if all(healthy) else DOWN_SECONDS

    async def _judge(self, item: dict[str, Any]) -> bool:
        condition = await self._condition(item)
        old = next((c for c in _conditions(item) if c["type"] == "Available"), {})
        if any(old.get(key) != value for key, value in condition.items()):
            same = old.get("status") == condition["status"]
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            condition["lastTransitionTime"] = old.get("lastTransitionTime", now) if same else now
            await self._write(item, condition)
        return condition["status"] == "True"

    async def _condition(self, item: dict[str, Any]) -> dict[str, str]:
        if not is_remote(item):
            return _available("True", "Local", "Local APIServices are always available")
        try:
            await self._aggregator.probe(item)
        except Unavailable as problem:
            return _available("False", problem.reason, str(problem))
        return _available("True", "Passed", "all checks passed")

    async def _write(self, item: dict[str, Any], condition: dict[str, str]) -> None:
        others = [other for other in _conditions(item) if other["type"] != "Available"]
        patch = {"status": {"conditions": [*others, condition]}}
        try:
            written = await self._client.patch(f"{COLLECTION}/{item['metadata']['name']}/status", patch)
            self._informer.absorb(written)
        except (ApiFailure, OSError) as problem:
            _log.info("status of APIService %s: %s", item["metadata"]["name"], problem)  # the next round tries again


def _conditions(item: dict[str, Any]) -> list[dict[str, Any]]:
    return list((item.get("status") or {}).get("conditions") or ())


def _available(value: str, reason: str, message: str) -> dict[str, str]:
    return {"type": "Available", "status": value, "reason": reason, "message": message}
