"""Policy -> the files that Envoy reads: two that follow topology, three that follow policy, and the bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh import envoy_routes
from pytest_smi.embedded.mesh.envoy_base import Resource, extension, file_source
from pytest_smi.embedded.mesh.envoy_clusters import clusters
from pytest_smi.embedded.mesh.envoy_listeners import listeners

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smi.embedded.mesh.model import Policy


def bootstrap(directory: Path, admin: str) -> Resource:
    """Envoy's start configuration. `admin` is the path of the administration socket (`@name`: an abstract one)."""
    return {
        "node": {"id": "pytest-smi", "cluster": "pytest-smi"},
        "dynamic_resources": {
            "lds_config": file_source(directory / "listeners.json"),
            "cds_config": file_source(directory / "clusters.json"),
        },
        "admin": {"address": {"pipe": {"path": admin}}},
        "bootstrap_extensions": [extension("internal", "bootstrap.internal_listener.v3.InternalListener")],
    }


def tables(policy: Policy) -> dict[str, list[Resource]]:
    """The files that follow policy: what is enforced, and where traffic goes."""
    return {
        "inbound": [envoy_routes.inbound(policy)],
        "services": [envoy_routes.services(policy)],
        "streams": [envoy_routes.streams(policy)],
    }


def topology(policy: Policy, directory: Path) -> dict[str, list[Resource]]:
    """The files that follow pods and Services. They must be written in this order: clusters before who uses them."""
    return {"clusters": clusters(policy, directory / "tls"), "listeners": listeners(policy, directory)}
