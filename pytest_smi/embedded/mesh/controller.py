"""The control loop: a change -> snapshot -> policy -> files. Events that are there already are taken together."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import Informer
from pytest_smi.embedded.mesh.compiler import compile_policy
from pytest_smi.embedded.mesh.dataplane import REJECTED
from pytest_smi.embedded.mesh.envoy_config import Renderer
from pytest_smi.embedded.mesh.snapshot import SOURCES, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.mesh.datagrams import Relay
    from pytest_smi.embedded.mesh.dataplane import Envoy
    from pytest_smi.embedded.mesh.model import Policy
    from pytest_smi.embedded.mesh.notices import Herald
    from pytest_smi.embedded.mesh.semantics import Semantics
    from pytest_smi.embedded.mesh.xds import Directory

_QUIET_SECONDS = 0.05
"""So long after the last change we look whether Envoy took it, then after twice that, and so on …"""
_PATIENCE_SECONDS = 10.0
"""… up to this pause: on a busy machine Envoy may come to a change late."""
_LOOK_SECONDS = 1.0
"""At least this often we look while changes keep coming."""
_log = logging.getLogger(__name__)


class Controller:
    """Keeps the data plane as the API's objects want it."""

    def __init__(
        self, client: Client, semantics: Semantics, directory: Directory, relay: Relay, herald: Herald, diagnosis: Path
    ) -> None:
        self._semantics = semantics
        self._directory = directory
        self._renderer = Renderer(directory.path)
        self._relay = relay
        self._herald = herald
        self._diagnosis = diagnosis
        self._changed: set[str] = set(SOURCES)
        self._wake = asyncio.Event()
        self._informers = {kind: Informer(client, path, self._listener(kind)) for kind, path in SOURCES.items()}
        self._proven: set[str] = set()
        self._rejections: dict[str, int] = {}
        self._size = (0, 0)
        self._policy: Policy | None = None

    def _listener(self, kind: str) -> Any:
        def heard(_type: str, _object: dict[str, Any]) -> None:
            self._changed.add(kind)
            self._wake.set()

        return heard

    def snapshot(self) -> Snapshot:
        """The API's objects as they are known now."""
        return Snapshot({kind: informer.objects for kind, informer in self._informers.items()})

    async def watch(self) -> None:
        """Follow the API's objects for ever."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                group.create_task(informer.run())

    async def synced(self) -> tuple[int, int]:
        """Wait for the first complete lists, write the first configuration; how many listeners and clusters it has."""
        await asyncio.gather(*(informer.synced.wait() for informer in self._informers.values()))
        self.reconcile()
        return self._size

    async def run(self, envoy: Envoy) -> None:
        """Apply changes for ever; between them, look whether the data plane took them."""
        looked, pause = time.monotonic(), _QUIET_SECONDS
        while True:
            quiet = False
            try:
                async with asyncio.timeout(pause if pause < _PATIENCE_SECONDS else None):
                    await self._wake.wait()
            except TimeoutError:
                quiet, pause = True, pause * 2
            if quiet or (self._policy and time.monotonic() - looked > _LOOK_SECONDS):
                await self._look(envoy)
                looked = time.monotonic()
            if self._wake.is_set():
                pause = _QUIET_SECONDS
                # Let the other watches deliver what has come in together with this.
                await asyncio.sleep(0)
                self.reconcile()

    def reconcile(self) -> None:
        """Bring the files up to date with what has changed since the last time."""
        changed, self._changed = self._changed, set()
        self._wake.clear()
        policy = compile_policy(self.snapshot(), self._semantics)
        self._directory.certify(policy.pods)
        files = self._renderer.changed(policy)
        if "listeners" in files and "clusters" in files:
            self._size = (len(files["listeners"]), len(files["clusters"]))
        written = self._directory.write(files)
        self._relay.update(policy)
        self._herald.tell(policy.notices)
        self._policy = policy
        if written:
            _log.info("%s changed: wrote %s", ", ".join(sorted(changed)), ", ".join(written))

    async def _look(self, envoy: Envoy) -> None:
        """Note the policy for diagnosis; take patterns that Envoy refused out of use. Raises MeshError for the rest."""
        if self._policy:
            self._diagnosis.write_text(json.dumps(_plain(self._policy), indent=1))
            self._policy = None
        try:
            counters = await envoy.counters(REJECTED)
        except OSError:
            return  # Envoy is going away, which is noticed elsewhere
        envoy.check(counters)
        before, self._rejections = self._rejections, counters
        if not grown(before, counters):
            return  # which proves nothing of the patterns: it may not have come to them yet
        patterns = _patterns(self._informers["HTTPRouteGroup"].objects.values())
        suspects = patterns - self._proven - self._semantics.refused
        refused = {pattern for pattern in suspects if not await envoy.takes(pattern)}
        _log.error("Envoy rejected an update; patterns taken out of use: %s", sorted(refused))
        self._proven |= suspects - refused
        self._semantics.refused.update(refused)
        self._changed.add("HTTPRouteGroup")
        self.reconcile()


def grown(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Whether any counter is higher than before.

    One by one: counters go away with what they are of, which in a sum would hide what others count meanwhile.
    """
    return any(count > before.get(name, 0) for name, count in now.items())


def _patterns(groups: Any) -> set[str]:
    """Every regular expression in the route groups."""
    matches = [match for group in groups for match in (group.get("spec") or {}).get("matches") or ()]
    paths = {match["pathRegex"] for match in matches if match.get("pathRegex")}
    headers = [match.get("headers") or () for match in matches]
    maps = [one for value in headers for one in ([value] if isinstance(value, dict) else value)]
    return paths | {pattern for one in maps for pattern in one.values()}


def _plain(policy: Policy) -> dict[str, Any]:
    """The policy as JSON, for people: keys joined, sets sorted."""

    def value(found: Any) -> Any:
        if is_dataclass(found) and not isinstance(found, type):
            return value(asdict(found))
        if isinstance(found, dict):
            return {_joined(key): value(inner) for key, inner in found.items()}
        if isinstance(found, (frozenset, set)):
            return sorted((value(inner) for inner in found), key=str)
        if isinstance(found, (list, tuple)):
            return [value(inner) for inner in found]
        return found

    return dict(value(asdict(policy)))


def _joined(key: Any) -> str:
    return "/".join(_joined(part) for part in key) if isinstance(key, tuple) else str(key)
