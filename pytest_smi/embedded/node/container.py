"""One container: started, probed, restarted with growing pauses, ended with grace."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.node.environment import ConfigError
from pytest_smi.embedded.node.probes import Outcome, attempt, verdicts
from pytest_smi.embedded.node.spawner import Process, SpawnFailure
from pytest_smi.embedded.node.status import ContainerState, now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pytest_smi.embedded.node.launch import Launch, Sandbox

Object = dict[str, Any]
_FIRST_PAUSE = 0.25  # seconds; a kubelet waits 10, which a test bed cannot
_LONGEST_PAUSE = 30.0
_STEADY = 60.0  # seconds of running after which earlier crashes are forgotten


class Container:
    """Runs one container of a pod until it is done or stopped.

    `changed` is called whenever `state` has; `warn(reason, message)` becomes an Event. `up` is set when it has started
    for the first time, by its startup probe if it has one.
    """

    def __init__(
        self, spec: Object, sandbox: Sandbox, policy: str, changed: Callable[[], None], warn: Callable[[str, str], None]
    ) -> None:
        self.state = ContainerState(spec["name"], spec.get("image", ""))
        self.launch: Launch | None = None
        self._spec = spec
        self._sandbox = sandbox
        self.policy = policy
        self.up = asyncio.Event()
        self._changed = changed
        self._warn = warn
        self._stopping = asyncio.Event()
        self._process: Process | None = None
        self._ports = {one["name"]: one["containerPort"] for one in spec.get("ports") or [] if "name" in one}

    @property
    def running(self) -> bool:
        """Whether its process runs now."""
        return self._process is not None and not self._process.ended.is_set()

    async def run(self) -> None:
        """Until it has ended for good; the pod's restartPolicy decides."""
        crashes = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            if await self._start():
                await self._attend()
                if not self._restarts():
                    break
                crashes = 0 if time.monotonic() - began > _STEADY else crashes + 1
                if crashes > 1:
                    await self._back_off(crashes - 2)
                self._note_restart()
            elif not self._stopping.is_set():
                crashes += 1
                await self._pause(crashes - 1)
        self.state.done = True
        self._changed()

    async def stop(self, grace: float) -> None:
        """Ends it: preStop, SIGTERM, after `grace` seconds SIGKILL. `run` then returns."""
        self._stopping.set()
        if self.running:
            deadline = time.monotonic() + grace
            if hook := (self._spec.get("lifecycle") or {}).get("preStop"):
                await self._attempt({**hook, "timeoutSeconds": max(grace, 0.01)})()
            await self._end(max(0.0, deadline - time.monotonic()))

    def log(self, previous: bool) -> Path | None:
        """The file with the output of this run, or of the one before."""
        number = self.state.restarts - int(previous)
        path = self._sandbox.log(self.state.name, number)
        return path if number >= 0 and path.exists() else None

    async def _start(self) -> bool:
        try:
            self.launch = await self._sandbox.prepare(self._spec)
            path = self._sandbox.log(self.state.name, self.state.restarts)
            spawner, launch = self._sandbox.spawner, self.launch
            self._process = await spawner.start(launch.argv, launch.env, launch.cwd, path)
        except ConfigError as fault:
            self._fail(fault.args[1] if len(fault.args) > 1 else "CreateContainerConfigError", str(fault.args[0]))
            return False
        except (SpawnFailure, OSError) as fault:
            self._fail("RunContainerError", str(fault))
            return False
        if self._stopping.is_set():  # while it was being started
            self._sandbox.spawner.signal(self._process, signal.SIGKILL)
        self.state.pid = self._process.pid
        self.state.state = {"running": {"startedAt": now()}}
        if "startupProbe" not in self._spec:
            self._note_started()
        self._changed()
        return True

    def _note_started(self) -> None:
        self.state.started = True
        self.state.ready = "readinessProbe" not in self._spec
        self.up.set()
        self._changed()

    async def _attend(self) -> None:
        """Probes the running process until it ends, then records how."""
        assert self._process
        probing = asyncio.create_task(self._probe())
        try:
            await self._process.ended.wait()
        finally:
            probing.cancel()
        status = self._process.status or 0
        reason = "Completed" if status == 0 else "Error"
        ended = {
            "exitCode": status,
            "reason": reason,
            "finishedAt": now(),
            "containerID": f"process://{self.state.pid}",
        }
        ended["startedAt"] = self.state.state["running"]["startedAt"]
        if status > 128:
            ended["signal"] = status - 128
        self.state.state = {"terminated": ended}
        self.state.ready = self.state.started = False
        self._changed()

    def _restarts(self) -> bool:
        if self._stopping.is_set() or self.policy == "Never":
            return False
        return self.policy == "Always" or self.state.exit_code != 0

    async def _back_off(self, crashes: int) -> None:
        seconds = min(_FIRST_PAUSE * float(1 << min(crashes, 20)), _LONGEST_PAUSE)
        self.state.last = self.state.state
        message = f"back-off {seconds:g}s restarting failed container={self.state.name}"
        self.state.state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self._warn("BackOff", f"Back-off restarting failed container {self.state.name}")
        self._changed()
        await self._pause(crashes)

    async def _pause(self, crashes: int) -> None:
        try:
            async with asyncio.timeout(min(_FIRST_PAUSE * float(1 << min(crashes, 20)), _LONGEST_PAUSE)):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _note_restart(self) -> None:
        if not self._stopping.is_set():
            self.state.last = self.state.state if "terminated" in self.state.state else self.state.last
            self.state.restarts += 1

    def _fail(self, reason: str, message: str) -> None:
        self.state.state = {"waiting": {"reason": reason, "message": message}}
        self._warn("Failed", f"Error: {message}")
        self._changed()

    async def _probe(self) -> None:
        """Startup first; once that has succeeded, readiness and liveness side by side."""
        if hook := (self._spec.get("lifecycle") or {}).get("postStart"):
            await self._attempt({**hook, "timeoutSeconds": self._sandbox.grace})()
        if probe := self._spec.get("startupProbe"):
            async for outcome in verdicts(probe, self._attempt(probe), eager=True):
                if not outcome.good:
                    await self._kill("Startup", outcome)
                    return
                break
            self._note_started()
        async with asyncio.TaskGroup() as group:
            if probe := self._spec.get("readinessProbe"):
                group.create_task(self._watch_readiness(probe))
            if probe := self._spec.get("livenessProbe"):
                group.create_task(self._watch_liveness(probe))

    async def _watch_readiness(self, probe: Object) -> None:
        async for outcome in verdicts(probe, self._attempt(probe), eager=True):
            if not outcome.good:
                self._warn("Unhealthy", f"Readiness probe failed: {outcome.message}")
            if self.state.ready != outcome.good:
                self.state.ready = outcome.good
                self._changed()

    async def _watch_liveness(self, probe: Object) -> None:
        async for outcome in verdicts(probe, self._attempt(probe), eager=False):
            if not outcome.good:
                await self._kill("Liveness", outcome)
                return

    def _attempt(self, probe: Object) -> Callable[[], Awaitable[Outcome]]:
        return lambda: attempt(probe, self._sandbox.bind, self._ports, self._run)

    async def _kill(self, kind: str, outcome: Outcome) -> None:
        self._warn("Unhealthy", f"{kind} probe failed: {outcome.message}")
        await self._end(self._sandbox.grace)

    async def _end(self, grace: float) -> None:
        assert self._process
        if grace > 0:
            self._sandbox.spawner.signal(self._process, signal.SIGTERM)
            try:
                async with asyncio.timeout(grace):
                    await self._process.ended.wait()
            except TimeoutError:
                pass
        self._sandbox.spawner.signal(self._process, signal.SIGKILL)
        await self._process.ended.wait()

    async def _run(self, argv: list[str]) -> tuple[int, str]:
        """A command inside the container, for a probe or hook: (exit status, output)."""
        assert self.launch
        child = await self._sandbox.execute(self.launch, argv, stdin=False)
        try:
            output, errors = await child.communicate()
        except asyncio.CancelledError:
            child.kill()
            raise
        return child.returncode or 0, (output + errors).decode(errors="replace")
