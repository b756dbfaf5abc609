"""The two API servers that play the stories, each bare: no controllers, no node. And what the real one answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.addresses import Claim
from pytest_smi.embedded.kubeapi.auth import ADMIN
from pytest_smi.embedded.realapi import servers
from tests.embedded.differential.normal import Normaliser
from tests.embedded.differential.player import Player, Server
from tests.embedded.kubeapi_harness import OTTO, Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_smi.embedded.realapi.assets import Assets
    from tests.embedded.differential.story import Story

RECORDED = Path(__file__).with_name("recorded")
_VERSION = "version.json"
_TOKENS = {"admin": "an-admin-for-stories", "otto": "otto-for-stories", "stranger": "nobody-has-this", "nobody": ""}

Recording = list[dict[str, Any]]


@contextlib.contextmanager
def ours(folder: Path) -> Iterator[Player]:
    """Our own server."""
    cluster = Cluster(folder)
    cluster.start()
    tokens = {**_TOKENS, "admin": cluster.token, "otto": cluster.otto_token}
    player = Player(Server(cluster.http, tokens))
    try:
        yield player
    finally:
        player.close()
        cluster.stop()


@contextlib.contextmanager
def real(assets: Assets, folder: Path) -> Iterator[Player]:
    """A real kube-apiserver, in a loop and a thread of its own."""
    loop, end, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: list[Any] = []

    async def serve() -> None:
        users = {_TOKENS["admin"]: ADMIN, _TOKENS["otto"]: OTTO}
        with contextlib.closing(Claim()) as claim:
            async with servers.running(assets, folder, claim.block.node, claim.block.service_cidr, users) as running:
                found.append(running.server)
                started.set()
                await end.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as failure:
            found.append(failure)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="kube-apiserver")
    thread.start()
    started.wait()
    try:
        if isinstance(found[0], BaseException):
            raise found[0]
        player = Player(Server(found[0], _TOKENS, str(folder / "ca.crt")))
        yield player
        player.close()
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


def play(player: Player, story: Story) -> Recording:
    """The normalised answers to a story."""
    return Normaliser().answers(player.play(story))


def recorded(story: str) -> Recording:
    """What the real server answered when it was asked last."""
    path = RECORDED / f"{story}.json"
    found: Recording = json.loads(path.read_text()) if path.exists() else []
    return found


def write(story: str, recording: Recording) -> None:
    """Keeps what the real server answered."""
    (RECORDED / f"{story}.json").write_text(json.dumps(recording, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def recorded_version() -> str:
    """The version of the server that was recorded."""
    found: str = json.loads((RECORDED / _VERSION).read_text())["gitVersion"]
    return found


def write_version(version: str) -> None:
    """Keeps the version of the server that was recorded."""
    (RECORDED / _VERSION).write_text(json.dumps({"gitVersion": version}) + "\n")
