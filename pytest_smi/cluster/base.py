"""What the suite needs of a cluster, whoever provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pytest_smi.cluster.nodes import described, ready_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_smi.cluster.api import Api
    from pytest_smi.cluster.pods import Executed


class Connection(Protocol):
    """A byte stream to a pod's port; the subset of a socket that agents use."""

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes."""

    def recv(self, size: int, /) -> bytes:
        """Receive at most `size` bytes; empty at the end of the stream."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Seconds that a single operation may take."""

    def close(self) -> None:
        """Close the stream."""


class Cluster(Protocol):
    """A reachable Kubernetes API (`api` gets, lists, watches, applies, deletes) and ways to pods past the mesh.

    `kubeconfig` is the file that was named for it, None where the default or the pod's own account serves.
    `lasting` says that the cluster is still there after the run, which then must leave nothing in it.
    """

    provider: str
    lasting: bool
    api: Api
    kubeconfig: Path | None

    def new_api(self) -> Api:
        """One more way to the same API, for another thread."""

    def facts(self) -> dict[str, Any]:
        """What results.json says of the cluster: provider, Kubernetes version, what its nodes run on."""

    def connect(self, namespace: str, pod: str, port: int) -> Connection:
        """Open the pod's port for the control side. Raises ClusterError."""

    def execute(self, namespace: str, pod: str, command: Sequence[str], container: str | None = None) -> Executed:
        """Run a command in a container (default: the pod's first) and wait for its end. Raises ClusterError."""

    def logs(self, namespace: str, pod: str, container: str | None = None, **which: Any) -> str:
        """The output of a container; `previous` for the run before, `lines` for the last ones only."""

    def load_image(self, image: str) -> None:
        """Make an image of this machine known to the nodes, where they cannot pull it. Raises ClusterError."""

    def check(self) -> None:
        """Raise ClusterEnded when the cluster was started for this run and has ended meanwhile."""

    def close(self) -> None:
        """Give back what was started for this run; leave what was there before."""


def common_facts(provider: str, api: Api) -> dict[str, Any]:
    """The facts that every provider can give, read through the API. Raises ClusterError when no node is ready."""
    return {
        "provider": provider,
        "kubernetes": api.get("/version").get("gitVersion", "unknown"),
        "nodes": [described(node) for node in ready_nodes(api)],
    }
