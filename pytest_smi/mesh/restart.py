"""Restarting the control plane of a mesh that a run brought: the pods of its Deployments go, and others must come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.cluster.ownership import run_of
from pytest_smi.cluster.waiting import until
from pytest_smi.errors import MeshError
from pytest_smi.mesh.probe import is_ready
from pytest_smi.mesh.ready import Readiness

if TYPE_CHECKING:
    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile


def restartable(cluster: Cluster, profile: Profile) -> bool:
    """Whether the control plane may be restarted: the profile says how, and a run brought the mesh."""
    if not profile.restart.deployments or not profile.namespace:
        return False
    return run_of(cluster.api.find(f"/api/v1/namespaces/{profile.namespace}") or {}) is not None


def restart(cluster: Cluster, profile: Profile) -> None:
    """Replace every pod of the control plane and wait until the mesh is ready again.

    Raises MeshError for a mesh that somebody else brought: what others use is not restarted.
    """
    if not restartable(cluster, profile):
        raise MeshError(
            f"{profile.name} may not be restarted: no run brought it, or its profile has no [restart]",
            "add --smi-install",
        )
    for name in profile.restart.deployments:
        _replace(cluster, profile, name)
    Readiness(cluster, profile).wait(brought=True)


def _replace(cluster: Cluster, profile: Profile, name: str) -> None:
    space, _, own = name.rpartition("/")
    space = space or profile.namespace
    found = cluster.api.get(f"/apis/apps/v1/namespaces/{space}/deployments/{own}")
    selector = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())
    pods = f"/api/v1/namespaces/{space}/pods"
    old = {one["metadata"]["name"]: one["metadata"]["uid"] for one in cluster.api.list(pods, labelSelector=selector)}
    for pod in old:
        cluster.api.delete(f"{pods}/{pod}")

    def replaced() -> bool:
        # The Deployment's status still counts the old pods for a while: only the pods themselves tell.
        there = cluster.api.list(pods, labelSelector=selector)
        fresh = [one for one in there if one["metadata"]["uid"] not in old.values()]
        ready = sum(map(is_ready, fresh))
        return len(fresh) == len(there) and ready >= found["spec"].get("replicas", 1)

    until(replaced, f"other pods of {name} to be ready", f"kubectl get pods -n {space}", profile.ready.seconds)
