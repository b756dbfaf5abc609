"""The nodes of a cluster: whether one can run pods, and what they are for the reader of results."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import path_of
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from pytest_smi.cluster.api import Api

_SECONDS = 30.0  # a cluster that has just been started may need some
_PAUSE_SECONDS = 0.5


def ready_nodes(api: Api) -> list[dict[str, Any]]:
    """All nodes, once one of them is ready. Raises ClusterError, naming them, when none becomes so."""
    deadline = time.monotonic() + _SECONDS
    while True:
        nodes = api.list(path_of("v1", "Node"))
        reasons = [unready(node) for node in nodes]
        if not all(reasons):
            return nodes
        if time.monotonic() > deadline:
            raise ClusterError(
                f"no node of the cluster can run pods: {'; '.join(reasons) or 'it has none'}",
                "kubectl describe nodes tells why",
            )
        time.sleep(_PAUSE_SECONDS)  # the interval of a poll with a deadline


def unready(node: dict[str, Any]) -> str:
    """Name of the node and why it is not ready; empty when it is."""
    for condition in node.get("status", {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] != "True":
            why = " ".join(f"{condition.get('reason', '')}: {condition.get('message', '')}".split())
            return f"{node['metadata']['name']} is not ready ({why[:300]})"
    return ""


def described(node: dict[str, Any]) -> dict[str, Any]:
    """What a node runs on; not its name, which is the machine's and no reader's business."""
    info = node.get("status", {}).get("nodeInfo", {})
    return {key: info.get(key) for key in ("architecture", "osImage", "kernelVersion", "kubeletVersion")}
