"""A program that runs as long as the cluster does, with its output in a file."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pytest_smi.embedded.orphans import die_with_parent
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Program:
    """One running program. Nothing of it is worth an orderly end: its state goes with the cluster."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Path) -> None:
        self._process = process
        self._name = name
        self._log = log

    @classmethod
    async def start(cls, path: Path, arguments: Sequence[str], folder: Path) -> Program:
        """Starts it in `folder`, where its log is kept too. Raises ClusterError for no program of this machine."""
        log = folder / f"{path.name}.log"
        with log.open("ab") as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    path,
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=folder,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            except OSError as fault:
                raise ClusterError(f"{path} cannot be run: {fault.strerror}", "is it built for this machine?") from None
        return cls(process, path.name, log)

    async def watch(self) -> None:
        """Returns never: raises ClusterError when the program ends by itself, with its last words."""
        status = await self._process.wait()
        raise ClusterError(f"{self._name} has ended with status {status}: {self._last_words()}", f"see {self._log}")

    async def stop(self) -> None:
        """Ends it and waits until it is gone. Safe to call for one that has ended."""
        if self._process.returncode is None:  # else its id may be another's by now
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1][:300] if lines else "it said nothing"
