"""What the suite needs of a cluster, whoever provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smi.cluster.api import Api


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
    """A reachable Kubernetes API and a way to a pod's port that does not cross the mesh."""

    provider: str
    api: Api
    kubeconfig: Path | None

    def facts(self) -> dict[str, Any]:
        """What results.json says of the cluster: provider, Kubernetes version, what its nodes run on."""

    def connect(self, namespace: str, pod: str, port: int) -> Connection:
        """Open the pod's port for the control side. Raises ClusterError."""

    def check(self) -> None:
        """Raise ClusterEnded when the cluster was started for this run and has ended meanwhile."""

    def close(self) -> None:
        """Give back what was started for this run; leave what was there before."""


def common_facts(provider: str, api: Api) -> dict[str, Any]:
    """The facts that every provider can give, read through the API."""
    return {
        "provider": provider,
        "kubernetes": api.get("/version").get("gitVersion", "unknown"),
        "nodes": [_node(one) for one in api.list("/api/v1/nodes")],
    }


def _node(found: dict[str, Any]) -> dict[str, Any]:
    """What a node runs on; not its name, which is the machine's and no reader's business."""
    info = found.get("status", {}).get("nodeInfo", {})
    return {key: info.get(key) for key in ("architecture", "osImage", "kernelVersion", "kubeletVersion")}
