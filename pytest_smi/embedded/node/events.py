"""Warnings of the node as Events, so that `kubectl describe pod` says why a pod does not run."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to

Object = dict[str, Any]
_MOST_REMEMBERED = 1000
_log = logging.getLogger(__name__)


class Recorder:
    """Writes Events in the background; one that repeats is counted, not written again."""

    def __init__(self, client: Client, host: str) -> None:
        self._client = client
        self._host = host
        self._written: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """A warning about a pod."""
        task = asyncio.create_task(self._write(pod, reason, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, pod: Object, reason: str, message: str) -> None:
        metadata = pod["metadata"]
        key = metadata["uid"], reason, message
        collection = path_to("v1", "events", metadata["namespace"])
        name, count = self._written.get(key, ("", 0))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            if name:
                await self._client.patch(f"{collection}/{name}", {"count": count + 1, "lastTimestamp": now})
            else:
                name = (await self._client.create(collection, self._event(pod, reason, message, now)))["metadata"][
                    "name"
                ]
        except (ApiFailure, OSError) as fault:
            _log.info("event %s for %s not written: %s", reason, metadata["name"], fault)
            return
        if len(self._written) >= _MOST_REMEMBERED:
            self._written.clear()
        self._written[key] = name, count + 1

    def _event(self, pod: Object, reason: str, message: str, now: str) -> Object:
        metadata = pod["metadata"]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                **{field: metadata[field] for field in ("namespace", "name", "uid")},
            },
            "reason": reason,
            "message": message,
            "type": "Warning",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": self._host},
            "reportingComponent": "kubelet",
            "reportingInstance": self._host,
        }
