"""The reference mesh's control loop, with an Envoy that is slow to tell what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.embedded.mesh.ca import Authority
from pytest_smi.embedded.mesh.controller import Controller, grown
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import SOURCES, Snapshot
from pytest_smi.embedded.mesh.xds import Directory
from tests.unit.refmesh_objects import group, rule, target, world

BAD, GOOD = "((a{100}){100}){100}", "/pour"


class _Client:
    """Lists what a snapshot has, and never tells of a change."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    async def get(self, path: str, **_: object) -> dict[str, Any]:
        kind = next(kind for kind, collection in SOURCES.items() if collection == path)
        items = list(self._snapshot.objects.get(kind, {}).values())
        return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}

    async def watch(self, *_: object, **__: object) -> AsyncIterator[dict[str, Any]]:
        await asyncio.Event().wait()
        yield {}


class _Envoy:
    """Has refused one update, which its counters tell in the look that is given; later they are gone."""

    def __init__(self, told_at: int) -> None:
        self._told_at = told_at
        self.looks = 0
        self.asked: list[str] = []

    async def counters(self, _: str) -> dict[str, int]:
        self.looks += 1
        return {"a.update_rejected": int(self.looks == self._told_at)}

    def check(self, _: dict[str, int]) -> None:
        pass

    async def takes(self, pattern: str) -> bool:
        self.asked.append(pattern)
        return pattern != BAD


class _Nobody:
    def update(self, _: object) -> None:
        pass

    def tell(self, _: object) -> None:
        pass


@pytest.mark.parametrize("told_at", [1, 3])
def test_a_pattern_that_envoy_refuses_is_found_also_when_envoy_comes_to_it_late(tmp_path: Path, told_at: int) -> None:
    menu = group("menu", {"name": "bad", "pathRegex": BAD}, {"name": "good", "pathRegex": GOOD})
    semantics, envoy, nobody = Semantics(), _Envoy(told_at), _Nobody()
    directory = Directory(tmp_path / "envoy", Authority())
    client: Any = _Client(world(menu, target("tea", ["kettle"], rule("menu"))))
    controller = Controller(client, semantics, directory, nobody, nobody, tmp_path / "policy.json")  # type: ignore[arg-type]

    async def run() -> None:
        tasks = [asyncio.create_task(controller.watch())]
        await controller.synced()
        tasks.append(asyncio.create_task(controller.run(envoy)))  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            while envoy.looks <= told_at:  # one more shows that fewer rejections are none
                await asyncio.sleep(0.01)  # the interval of a poll with a deadline
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    assert semantics.refused == {BAD}
    assert sorted(envoy.asked) == sorted([BAD, GOOD])
    assert BAD not in "".join(file.read_text() for file in (tmp_path / "envoy").glob("*.json"))


def test_a_refusal_is_seen_also_while_the_counter_of_another_goes_away() -> None:
    assert grown({"gone": 3}, {"new": 1})
    assert grown({"kept": 1}, {"kept": 2})
    assert not grown({"gone": 3, "kept": 1}, {"kept": 1, "new": 0})
