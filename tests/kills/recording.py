"""A recording: the API's objects step by step while the suite ran against the sound mesh, and which test was on.

It tells in advance which tests a fault can touch at all (`foresight`). A file has one JSON object a line: `test` with
the requirement of the test that is on from now on (null: none), or the `type`, `kind` and `object` of a change.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.embedded.client import Client, Informer
from pytest_smi.embedded.mesh.snapshot import SOURCES, Objects, Snapshot

_SYNC_SECONDS = 30.0


class Recorder:
    """Writes a recording as long as the context lasts; as a pytest plugin it notes the tests."""

    def __init__(self, kubeconfig: Path, path: Path) -> None:
        self._kubeconfig = kubeconfig
        self._file = path.open("w")
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        if not self._ready.wait(_SYNC_SECONDS):
            raise TimeoutError(f"the recorder has not seen the cluster's objects after {_SYNC_SECONDS:.0f} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._file.close()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note the test that begins."""
        marker = item.get_closest_marker("requirement")
        self._note({"test": marker.args[0] if marker else None})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Note that it ends: what is deleted from now on decides no verdict."""
        self._note({"test": None})

    def _note(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(f"{json.dumps(entry)}\n")

    async def _watch(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        client = Client.from_kubeconfig(self._kubeconfig)
        informers = [Informer(client, path, self._listener(kind)) for kind, path in SOURCES.items()]
        tasks = [self._loop.create_task(one.run()) for one in informers]
        try:
            self._ready.set()
            await self._end.wait()
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            client.close()

    def _listener(self, kind: str) -> Any:
        return lambda what, found: self._note({"type": what, "kind": kind, "object": found})


def replay(path: Path) -> Iterator[tuple[str | None, Snapshot]]:
    """The requirement under test (None between tests) with the objects, after each step."""
    test: str | None = None
    objects: dict[str, Objects] = {kind: {} for kind in SOURCES}
    with path.open() as lines:
        for entry in map(json.loads, lines):
            if "test" in entry:
                test = entry["test"]
            else:
                metadata = entry["object"]["metadata"]
                key = metadata["namespace"], metadata["name"]
                found = dict(objects[entry["kind"]])
                found.pop(key, None)
                if entry["type"] != "DELETED":
                    found[key] = entry["object"]
                objects = {**objects, entry["kind"]: found}
            yield test, Snapshot(objects)
