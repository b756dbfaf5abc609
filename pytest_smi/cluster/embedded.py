"""The embedded cluster: a process of this package that serves a Kubernetes API and runs pods as local processes."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import Api, path_of
from pytest_smi.cluster.base import common_facts
from pytest_smi.cluster.claim import Claimed, folders, is_abandoned
from pytest_smi.cluster.companion import Companion
from pytest_smi.errors import ClusterEnded, ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.cluster.pods import Executed

PRIVATE_ADDRESS = "embedded.pytest-smi.dev/private-address"
_PREFIX = "smi-embedded-"
_LOG = "cluster.log"
_ASSETS = "KUBEBUILDER_ASSETS"
_START_SECONDS = 30.0
_START_SECONDS_OF_ASSETS = 150.0  # etcd and a real kube-apiserver take longer
_CONNECT_SECONDS = 5.0
_POLL_SECONDS = 0.02


class EmbeddedCluster:
    """Starts with construction, ready with `wait`; belongs to this process alone."""

    provider = "embedded"
    lasting = False

    def __init__(self) -> None:
        sweep()
        self._claimed = Claimed(_PREFIX)
        self.state = self._claimed.path
        self._process = Companion(
            "the embedded cluster", ["-m", "pytest_smi.embedded", "--state", str(self.state)], ClusterError
        )
        self.kubeconfig: Path | None = None

    def wait(self) -> None:
        """Wait until the API serves and the node is ready; then `api` and `kubeconfig` can be used."""
        import kubernetes  # noqa: F401  # takes half a second, during which the process starts

        try:
            said = self._process.ready(_START_SECONDS_OF_ASSETS if os.environ.get(_ASSETS) else _START_SECONDS)
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
            self._claimed.remove()


def sweep() -> list[Path]:
    """Remove state that killed runs and workers left: their processes died with them, their files did not."""
    found = abandoned()
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def abandoned() -> list[Path]:
    """State folders of clusters whose owners have ended without removing them."""
    return [folder for folder in folders(_PREFIX) if is_abandoned(folder)]
