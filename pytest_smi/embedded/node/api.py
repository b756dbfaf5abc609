"""What the node offers to the API server's streaming subresources (log, exec, portforward)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path


class NoSuchContainer(LookupError):
    """No such pod or container runs on this node; the text is one line, fit for a Status."""


class NodeApi(Protocol):
    """Access to running containers. `container` may be "" for a pod's first one."""

    def logs_path(self, namespace: str, pod: str, container: str, previous: bool = False) -> Path | None:
        """The file with the container's output, which may still grow; None when it never started.

        `previous` is the run before the last restart. A log starts anew with each run.
        """

    async def exec(
        self, namespace: str, pod: str, container: str, argv: list[str], *, stdin: bool = False
    ) -> asyncio.subprocess.Process:
        """Starts `argv` beside the container, with its environment and paths; all its streams are pipes.

        Raises NoSuchContainer when the container does not run, FileNotFoundError for an unknown program.
        """

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects to the address on which the pod's own process listens, behind any sidecar.

        Raises NoSuchContainer for an unknown pod, OSError when the port refuses.
        """
