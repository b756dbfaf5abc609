"""The embedded cluster: a process of this package that serves a Kubernetes API and runs pods as local processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import Api, path_of
from pytest_smi.cluster.base import common_facts
from pytest_smi.cluster.companion import Companion
from pytest_smi.errors import ClusterEnded, ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.cluster.pods import Executed

PRIVATE_ADDRESS = "embedded.pytest-smi.dev/private-address"
_PREFIX = "smi-embedded-"
_CLAIM = "in-use"  # locked for as long as the owner lives: the kernel lets go of it, however that one ends
_LOG = "cluster.log"
_START_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_POLL_SECONDS = 0.02


class EmbeddedCluster:
    """Starts with construction, ready with `wait`; belongs to this process alone."""

    provider = "embedded"
    lasting = False

    def __init__(self) -> None:
        sweep()
        self.state = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._claim = _claim(self.state)
        self._process = Companion(
            "the embedded cluster", ["-m", "pytest_smi.embedded", "--state", str(self.state)], ClusterError
        )
        self.kubeconfig: Path | None = None

    def wait(self) -> None:
        """Wait until the API serves and the node is ready; then `api` and `kubeconfig` can be used."""
        import kubernetes  # noqa: F401  # takes half a second, during which the process starts

        try:
            said = self._process.ready(_START_SECONDS)
        except BaseException:
            self.close()
            raise
        self.kubeconfig = Path(said["kubeconfig"])
        self.api = self.new_api()

    def new_api(self) -> Api:
        """One more way to the same API, for another thread. Without patience: if it is away, it has ended."""
        from kubernetes import config

        return Api(config.new_client_from_config(str(self.kubeconfig)), patience=0.0)

    def facts(self) -> dict[str, Any]:
        """Provider, Kubernetes version, what its nodes run on."""
        return common_facts(self.provider, self.api)

    def connect(self, namespace: str, pod: str, port: int) -> socket.socket:
        """Connect to the pod's process at its private address, past any sidecar; waits for one that restarts."""
        found = self.api.get(path_of("v1", "Pod", namespace, pod))
        address = found["metadata"].get("annotations", {}).get(PRIVATE_ADDRESS) or found["status"].get("podIP")
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                stream = socket.create_connection((address, port), timeout=_CONNECT_SECONDS)
                break
            except OSError as fault:
                # Refused: the pod's process has ended and is about to be started again.
                if not isinstance(fault, ConnectionRefusedError) or time.monotonic() > deadline:
                    raise ClusterError(f"port {port} of pod {namespace}/{pod} cannot be reached: {fault}") from fault
            time.sleep(_POLL_SECONDS)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def execute(self, namespace: str, pod: str, command: Sequence[str], container: str | None = None) -> Executed:
        """Run a command in a container and wait for its end."""
        from pytest_smi.cluster.pods import execute

        return execute(self.api, namespace, pod, command, container=container)

    def logs(self, namespace: str, pod: str, container: str | None = None, **which: Any) -> str:
        """The output of a container; `previous` and `lines` as in `pods.logs`."""
        from pytest_smi.cluster.pods import logs

        return logs(self.api, namespace, pod, container=container, **which)

    def load_image(self, image: str) -> None:
        """Nothing to do: pods are processes of this machine, whatever their image's name."""

    def check(self) -> None:
        """Raise ClusterEnded when the cluster's process has ended by itself."""
        how = self._process.how_it_ended()
        if how:
            raise ClusterEnded(
                f"the embedded cluster has ended in the middle of the run, {how}", f"see {self.state / _LOG}"
            )

    def close(self) -> None:
        """End the cluster's process, with all its pods, and remove its state.

        The log of one that has ended by itself is left to be read, claimed until this process ends: the next run
        removes it.
        """
        ended_by_itself = not self._process.alive()
        self._process.close()
        if not ended_by_itself:
            shutil.rmtree(self.state, ignore_errors=True)
            os.close(self._claim)


def _claim(folder: Path) -> int:
    """A file descriptor that marks the folder as in use for as long as it is open."""
    unlocked = folder / f"{_CLAIM}.new"
    claim = os.open(unlocked, os.O_RDWR | os.O_CREAT)
    fcntl.flock(claim, fcntl.LOCK_EX)
    unlocked.rename(folder / _CLAIM)  # nobody ever sees it unlocked while we live
    return claim


def sweep() -> None:
    """Remove state that killed runs and workers left: their processes died with them, their files did not."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        claim = os.open(folder / _CLAIM, os.O_RDWR)
    except OSError:
        return False  # not claimed yet, or another user's
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(claim)
    return True
