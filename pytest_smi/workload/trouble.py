"""A pod that does not come up: when to stop waiting, and why, in the last words of its application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import path_of
from pytest_smi.errors import WorkloadError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.cluster.api import Api

HOPELESS = 3
"""So many restarts of a container that failed are enough to stop waiting: a mesh's sidecar may need one or two."""


def hopeless(api: Api, pods: Iterable[dict[str, Any]]) -> WorkloadError | None:
    """An error for the first of the pods whose container fails again and again, or None."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", []):
            if container["restartCount"] >= HOPELESS and _failed(container):
                return _ended(api, pod["metadata"], container)
    return None


def _failed(container: dict[str, Any]) -> bool:
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}
    return bool(ended.get("exitCode"))


def _ended(api: Api, metadata: dict[str, Any], container: dict[str, Any]) -> WorkloadError:
    namespace, name = metadata["namespace"], metadata["name"]
    path = f"{path_of('v1', 'Pod', namespace, name)}/log"
    lines: list[str] = []
    for previous in ("false", "true"):  # the run that fails now may not have said anything yet
        query = {"container": container["name"], "previous": previous, "tailLines": 1}
        reply = api.request("GET", path, accept="*/*", query=query)
        lines += str(reply.body).splitlines()[-1:] if reply.code == 200 else []
    said = next((line for line in lines if line.strip()), "it left no log")
    return WorkloadError(
        f"container {container['name']} of pod {namespace}/{name} fails again and again: {said}",
        "ports that the sample application needs must be free: ss -lntup shows who has one"
        if "cannot open" in said
        else f"kubectl logs --previous -n {namespace} {name}",
    )
