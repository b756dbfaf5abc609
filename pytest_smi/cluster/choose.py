"""Where a run happens: from what was asked for to a cluster, and giving back what was made for it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_smi.cluster import local
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_smi.cluster.base import Cluster


def open_cluster(
    provider: str, name: str | None, shared: Callable[[], Path], kubeconfig: str | None, context: str | None
) -> Cluster:
    """The cluster of a provider (`embedded`, `kubeconfig`, `kind`, `k3d`, `minikube`), ready.

    `name` is that of a cluster that a tool makes; `shared` gives the folder that all processes of the run share.
    """
    if provider == "embedded":
        from pytest_smi.cluster.embedded import EmbeddedCluster

        embedded = EmbeddedCluster()
        embedded.wait()
        return embedded
    if provider == "kubeconfig":
        from pytest_smi.cluster.kubeconfig import KubeconfigCluster

        return KubeconfigCluster(kubeconfig, context)
    folder = shared()
    return local.LocalCluster(_tool(provider, name or local.NAME, folder), folder)


def release(folder: Path) -> str | None:
    """Remove the cluster that was made for the run of this shared folder, and the folder; its title, if there was one.

    Raises ClusterError when the tool fails; the folder stays then, so that it can be tried again.
    """
    found = local.made_in(folder)
    if found is not None:
        _tool(*found, folder).unmake()
    shutil.rmtree(folder, ignore_errors=True)
    return f"{found[0]} cluster {found[1]}" if found else None


def _tool(provider: str, name: str, folder: Path) -> local.Tool:
    from pytest_smi.cluster.k3d import K3d
    from pytest_smi.cluster.kind import Kind
    from pytest_smi.cluster.minikube import Minikube

    config = folder / local.CONFIG
    for tool in (Kind, K3d, Minikube):
        if tool.provider == provider:
            return tool(name, config)
    raise ClusterError(f"there is no way to a cluster called {provider}", "see docs/clusters.md")
