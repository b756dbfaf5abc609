"""The reference mesh in one event loop: authority, webhook, control loop, UDP relay, metrics API and Envoy."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import Client
from pytest_smi.embedded.mesh.ca import Authority
from pytest_smi.embedded.mesh.controller import Controller
from pytest_smi.embedded.mesh.datagrams import Relay
from pytest_smi.embedded.mesh.dataplane import Envoy, find_envoy
from pytest_smi.embedded.mesh.install import install
from pytest_smi.embedded.mesh.metrics_api import MetricsApi
from pytest_smi.embedded.mesh.metrics_log import Journal
from pytest_smi.embedded.mesh.metrics_server import MetricsServer
from pytest_smi.embedded.mesh.notices import Herald
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.webhook import ConversionWebhook
from pytest_smi.embedded.mesh.xds import Directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path


@dataclass(frozen=True)
class Running:
    """A mesh that programs traffic; `ready` is what its ready line says."""

    ready: dict[str, Any]
    envoy: Envoy
    tasks: tuple[asyncio.Task[None], ...]

    async def until(self, end: asyncio.Event) -> bool:
        """Wait for `end` (True), or for Envoy to end by itself (False). What fails inside the mesh is raised here."""
        wanted = asyncio.ensure_future(end.wait())
        unwanted = asyncio.ensure_future(self.envoy.ended())
        done, _ = await asyncio.wait((wanted, unwanted, *self.tasks), return_when=asyncio.FIRST_COMPLETED)
        for one in (wanted, unwanted):
            one.cancel()
        for task in self.tasks:
            if task in done:
                task.result()
        return wanted in done


@contextlib.asynccontextmanager
async def mesh(
    kubeconfig: Path,
    state: Path,
    fault: str | None = None,
    handed: str | None = None,
    *,
    older_metrics: bool = False,
) -> AsyncIterator[Running]:
    """A running mesh with its files in `state`. Raises MeshError when it cannot start, OSError without an API.

    `handed` is the Envoy of an earlier life of this program (`Envoy.handover`): it serves on, as it was, until we know
    the API's objects again.
    """
    semantics = _semantics(fault)
    semantics.older_metrics = older_metrics
    authority = _authority(state / "authority.pem", anew=handed is None)
    directory = Directory(state / "envoy", authority)
    envoy = Envoy(find_envoy(), directory.path, state / "envoy.log")
    async with contextlib.AsyncExitStack() as stack:
        client = stack.enter_context(contextlib.closing(Client.from_kubeconfig(kubeconfig)))
        stack.push_async_callback(envoy.stop)
        if handed is None or not semantics.resumes():
            directory.write({"clusters": [], "listeners": []})  # Envoy does not start without them
        if handed is None:
            await envoy.start()  # it takes its time to come up; meanwhile we find out what to tell it
        else:
            envoy.adopt(handed)
        webhook = ConversionWebhook(authority, semantics.converted)
        await webhook.start()
        stack.push_async_callback(webhook.close)
        relay = stack.enter_context(contextlib.closing(Relay()))
        controller = Controller(client, semantics, directory, relay, Herald(client), state / "policy.json")
        journal = Journal(directory.path)
        api = MetricsApi(semantics, journal, controller.snapshot, client.get)
        metrics = MetricsServer(api, semantics, client, authority)
        stack.push_async_callback(metrics.close)
        await install(client, semantics, webhook.url, authority.pem)
        await metrics.start()
        watch = await stack.enter_async_context(_task(controller.watch()))
        await envoy.ready(*await controller.synced())
        run = await stack.enter_async_context(_task(controller.run(envoy)))
        rotate = await stack.enter_async_context(_task(journal.rotate(envoy)))
        ready = {"ready": True, "version": _own_version(), "envoy": await envoy.version(), "fault": fault}
        yield Running(ready, envoy, (watch, run, rotate))


def _authority(kept: Path, *, anew: bool) -> Authority:
    """The authority of this mesh, kept in a file that only we may read."""
    if not anew:
        return Authority(kept.read_bytes())
    authority = Authority()
    kept.touch(mode=0o600)
    kept.write_bytes(authority.secret)
    return authority


def _semantics(fault: str | None) -> Semantics:
    if fault is None:
        return Semantics()
    from pytest_smi.embedded.mesh.faults import semantics_of  # dozens of classes that a sound mesh has no use for

    return semantics_of(fault)


def _own_version() -> str:
    try:
        return version("pytest-smi")
    except PackageNotFoundError:
        return "unknown"


@contextlib.asynccontextmanager
async def _task(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """A task that lives as long as the context."""
    task = asyncio.get_running_loop().create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
