"""Programs that bring or remove a mesh: Helm, or the mesh's own command line. No shell, a deadline, one clear error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

from pytest_smi.errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_smi.cluster.base import Cluster

_HINTS = {"helm": "install Helm 3.8 or newer, see helm.sh; or install the mesh yourself and leave out --smi-install"}


class Programs:
    """Runs programs against one cluster, with `extra` in their environment, in `folder`."""

    def __init__(self, environment: Mapping[str, str], folder: str, seconds: float) -> None:
        self.environment = dict(environment)
        self._folder = folder or None
        self._seconds = seconds

    def run(self, command: Sequence[str]) -> str:
        """What the program printed. Raises MeshError, one line, when it is not there, fails, or takes too long."""
        name = command[0]
        program = shutil.which(name, path=self.environment.get("PATH"))
        if program is None:
            raise MeshError(f"{name} is not on the PATH", _HINTS.get(name, f"install {name}, which the profile runs"))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            status = self._ended([program, *command[1:]], out.fileno(), err.fileno(), name)
            said, complained = (_text(file) for file in (out, err))
        if status:
            last = next((line.strip() for line in reversed((complained or said).splitlines()) if line.strip()), "")
            raise MeshError(f"{' '.join(command)[:300]} ended with status {status}: {last[:500]}", "run it by hand")
        return said

    def _ended(self, command: Sequence[str], out: int, err: int, name: str) -> int:
        """The exit status. The program has a process group of its own, which ends with it when we are interrupted."""
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.environment,
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as fault:
            raise MeshError(f"{name} cannot be run: {fault}", "see [install] in the profile") from None
        try:
            return process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            raise MeshError(f"{name} has not ended after {self._seconds:g} s", "raise [install] seconds") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                _give_up(process)


def _give_up(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _text(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read().decode("utf-8", "replace"))  # type: ignore[attr-defined]


def environment(cluster: Cluster, context: str | None, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Our environment with the way to the cluster in KUBECONFIG, and `more`.

    A context is put into a file of its own before the kubeconfig: the first file that sets something wins.
    """
    found = {**os.environ, **more}
    files = [str(cluster.kubeconfig)] if cluster.kubeconfig else []
    if context:
        chosen = folder / "context"
        chosen.write_text(f"apiVersion: v1\nkind: Config\ncurrent-context: {context}\n", "utf-8")
        rest = files or [found.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")]
        files = [str(chosen), *rest]
    if files:
        found["KUBECONFIG"] = os.pathsep.join(files)
    return found
