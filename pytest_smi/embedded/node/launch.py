"""The surroundings of a pod's processes: addresses, environment, volumes, and how a command line is found."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client, path_to
from pytest_smi.embedded.node import environment, volumes
from pytest_smi.embedded.node.environment import ConfigError, Mounts
from pytest_smi.embedded.node.spawner import Spawner, SpawnFailure, resolve
from pytest_smi.embedded.orphans import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Object = dict[str, Any]
Sources = dict[tuple[str, str], dict[str, bytes]]
_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass(frozen=True)
class Launch:
    """A command line ready to be started, in its environment."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path
    mounts: Mounts


@dataclass
class Sandbox:
    """What the containers of one pod share. `bind` is the address they listen on, `ip` the pod's own."""

    client: Client
    spawner: Spawner
    pod: Object
    folder: Path
    ip: str
    bind: str
    dns: str

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def log(self, container: str, run: int) -> Path:
        """The log file of a container's run (0 for the first)."""
        return self.folder / "logs" / f"{container}-{run}.log"

    async def make_volumes(self) -> None:
        """Lays out folders and volumes. Raises ConfigError while something they need is not there."""
        for part in ("logs", "root", "volumes"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        sources = await self._read(volumes.references(self.pod))
        volumes.materialise(self.pod, sources, self.folder / "volumes")

    async def prepare(self, container: Object) -> Launch:
        """How to start a container. Raises ConfigError(message[, reason]) when it cannot be."""
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        if not container.get("command"):
            image = container.get("image", "")
            raise ConfigError(f"image {image} cannot be run here: give the container a command", "ErrImagePull")
        mounts = volumes.mounts(container, self.folder / "volumes")
        sources = await self._read(environment.references(container))
        decoded = {key: {name: _text(value) for name, value in data.items()} for key, data in sources.items()}
        env = environment.variables(container, self.pod, decoded, self._given())
        argv = [mounts.rewrite(environment.expand(word, env)) for word in command]
        env = {name: mounts.rewrite(value) for name, value in env.items()}
        cwd = self.folder / "root"
        if wanted := container.get("workingDir"):
            local = mounts.rewrite(wanted)
            cwd = cwd / wanted.lstrip("/") if local == wanted else cwd.__class__(local)
            cwd.mkdir(parents=True, exist_ok=True)
        return Launch(argv, env, cwd, mounts)

    async def execute(self, launch: Launch, argv: list[str], *, stdin: bool) -> asyncio.subprocess.Process:
        """Another process beside a container's own. Raises FileNotFoundError for an unknown program."""
        words = [launch.mounts.rewrite(word) for word in argv]
        try:
            program = resolve(words[0], launch.env)
        except SpawnFailure as fault:
            raise FileNotFoundError(str(fault)) from None
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        return await asyncio.create_subprocess_exec(
            program,
            *words[1:],
            stdin=pipe if stdin else none,
            stdout=pipe,
            stderr=pipe,
            env=launch.env,
            cwd=launch.cwd,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def _given(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder / "root"),
            "LANG": "C.UTF-8",
            "HOSTNAME": self.pod["metadata"]["name"],
            "BIND_ADDRESS": self.bind,
            "SOURCE_ADDRESS": self.ip,
            "DNS_SERVER": self.dns,
        }

    async def _read(self, wanted: Iterable[tuple[str, str, bool]]) -> Sources:
        found: Sources = {}
        for kind, name, optional in sorted(wanted):
            path = path_to("v1", _PLURALS[kind], self.pod["metadata"]["namespace"], name)
            try:
                found[kind, name] = volumes.data_of({"kind": kind, **await self.client.get(path)})
            except ApiFailure as failure:
                if failure.code != 404:
                    raise ConfigError(f"{kind} {name}: {failure.message}") from None
                if not optional:
                    raise ConfigError(f'{kind.lower()} "{name}" not found') from None
        return found


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
