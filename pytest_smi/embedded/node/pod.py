"""One pod on this node, from the first look at it until it has gone."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Informer, path_to
from pytest_smi.embedded.node.container import Container
from pytest_smi.embedded.node.environment import ConfigError
from pytest_smi.embedded.node.status import now, pod_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.embedded.node.launch import Sandbox

Object = dict[str, Any]
_RETRY = 0.02  # seconds, at first, when something that the pod needs is not there yet
_LONGEST_RETRY = 1.0

_log = logging.getLogger(__name__)


class Pod:
    """Runs the containers of a pod and reports on them."""

    def __init__(
        self, sandbox: Sandbox, informer: Informer, host: str, warn: Callable[[Object, str, str], None]
    ) -> None:
        self.sandbox = sandbox
        self._informer = informer
        self._client = sandbox.client
        self._host = host
        self._warn = warn
        self._started = now()
        self._dirty = asyncio.Event()
        self._written: Object = {}
        self._preparing = True
        self._tasks: list[asyncio.Task[None]] = []
        spec = sandbox.pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        once = "Never" if policy == "Never" else "OnFailure"
        self.init = [self._container(one, one.get("restartPolicy", once)) for one in spec.get("initContainers") or []]
        for one in self.init:
            one.state.sidecar = one.policy == "Always"
        self.containers = [self._container(one, policy) for one in spec["containers"]]

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return str(self.sandbox.pod["metadata"]["uid"])

    def find(self, name: str) -> Container | None:
        """A container by name; the first for ""."""
        every = [*self.containers, *self.init]
        return next((one for one in every if name in ("", one.state.name)), None)

    def start(self) -> None:
        """Begins to run and to report."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._report())]

    def update(self, pod: Object) -> None:
        """Takes in a newer state of the object."""
        status = {**pod.get("status", {}), "podIP": self.sandbox.ip, "hostIP": self._host}
        self.sandbox.pod = {**pod, "status": status}

    async def stop(self, grace: float) -> None:
        """Ends every process, then the reports; the volumes go, the logs stay until the pod's object has gone.

        Called again with a shorter grace, it hurries.
        """
        running, reporting = self._tasks
        reporting.cancel()
        if self._preparing:
            running.cancel()
        await asyncio.gather(*(one.stop(grace) for one in [*self.containers, *self.init]))
        await asyncio.wait([running])
        shutil.rmtree(self.sandbox.folder / "volumes", ignore_errors=True)
        if self.sandbox.pod["metadata"].get("finalizers"):
            await self._write()  # someone wants to see how it ended; else the object goes now

    def _container(self, spec: Object, policy: str) -> Container:
        return Container(spec, self.sandbox, policy, self._dirty.set, lambda *told: self._warn(self.sandbox.pod, *told))

    async def _run(self) -> None:
        self._dirty.set()
        try:
            await self._await_volumes()
        except (ApiFailure, OSError) as fault:
            _log.warning("preparing %s: %s", self._path(), fault)
            return
        self._preparing = False
        async with asyncio.TaskGroup() as group:
            for one in self.init:
                task = group.create_task(one.run())
                await (one.up.wait() if one.state.sidecar else asyncio.wait([task]))
                if not one.state.passed:
                    return
            for one in self.containers:
                group.create_task(one.run())

    async def _await_volumes(self) -> None:
        delay = _RETRY
        while True:
            try:
                return await self.sandbox.make_volumes()
            except ConfigError as fault:
                for one in self.containers:
                    one.state.state = {"waiting": {"reason": "ContainerCreating", "message": str(fault)}}
                self._warn(self.sandbox.pod, "FailedMount", f"MountVolume.SetUp failed: {fault}")
                self._dirty.set()
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, _LONGEST_RETRY)

    async def _report(self) -> None:
        """Writes the status whenever it has changed; changes that come together are written together."""
        delay = 0.0
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._write()
                delay = 0.0
            except ApiFailure as failure:
                if failure.code == 404:
                    return
                _log.info("status of %s: %s", self._path(), failure)
                delay = min(delay * 2 + 0.01, 1.0)
                await asyncio.sleep(delay)
                self._dirty.set()

    async def _write(self) -> None:
        init, main = ([one.state for one in part] for part in (self.init, self.containers))
        status = pod_status(self.sandbox.pod, init, main, self.sandbox.ip, self._host, self._started)
        if status == self._written:
            return
        patch = {"metadata": {"uid": self.uid}, "status": status}
        answer = await self._client.patch(f"{self._path()}/status", patch)
        self._written = status
        self._informer.absorb(answer)

    def _path(self) -> str:
        metadata = self.sandbox.pod["metadata"]
        return path_to("v1", "pods", metadata["namespace"], metadata["name"])
