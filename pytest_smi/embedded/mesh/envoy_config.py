"""Policy -> the files that Envoy reads: two that follow topology, three that follow policy, and the bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh import envoy_routes
from pytest_smi.embedded.mesh.envoy_base import Resource, extension, file_source, socket_address
from pytest_smi.embedded.mesh.envoy_clusters import clusters
from pytest_smi.embedded.mesh.envoy_listeners import listeners

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_smi.embedded.mesh.model import Policy


_STATISTICS = ({"suffix": "update_rejected"}, {"prefix": "listener_manager."}, {"prefix": "cluster_manager."})
"""The statistics that we read; keeping thousands of others costs Envoy time at the start and with each request."""


def bootstrap(directory: Path, admin: str) -> Resource:
    """Envoy's start configuration. `admin` is the path of the administration socket (`@name`: an abstract one)."""
    return {
        "node": {"id": "pytest-smi", "cluster": "pytest-smi"},
        "dynamic_resources": {
            "lds_config": file_source(directory / "listeners.json"),
            "cds_config": file_source(directory / "clusters.json"),
        },
        "admin": {"address": {"pipe": {"path": admin}}},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": list(_STATISTICS)}}},
        "bootstrap_extensions": [extension("internal", "bootstrap.internal_listener.v3.InternalListener")],
    }


def probe(pattern: str) -> Resource:
    """A start configuration that is valid if Envoy takes a regular expression."""
    route = {"match": {"safe_regex": {"regex": pattern}}, "direct_response": {"status": 200}}
    table = {"name": "probe", "virtual_hosts": [{"name": "probe", "domains": ["*"], "routes": [route]}]}
    router = extension("router", "filters.http.router.v3.Router")
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    manager = extension("http", kind, stat_prefix="probe", route_config=table, http_filters=[router])
    listener = {
        "name": "probe",
        "address": socket_address("127.0.0.1", 0),
        "filter_chains": [{"filters": [manager]}],
    }
    return {"static_resources": {"listeners": [listener]}}


class Renderer:
    """Renders the files of a policy, and only those whose part of the policy differs from the last one's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._inputs: dict[str, object] = {}

    def changed(self, policy: Policy) -> dict[str, list[Resource]]:
        """Name -> resources of the files to write, in this order: clusters come before who uses them."""
        found: dict[str, list[Resource]] = {}
        for name, (inputs, render) in self._parts(policy).items():
            if self._inputs.get(name) != inputs:
                self._inputs[name] = inputs
                found[name] = render()
        return found

    def _parts(self, policy: Policy) -> dict[str, tuple[object, Callable[[], list[Resource]]]]:
        ports = {key: (one.cluster_ip, one.protocol) for key, one in policy.services.items()}
        routing = (policy.routes, ports, policy.guards, policy.pods if policy.guards else ())
        tls = self._directory / "tls"
        return {
            "clusters": ((policy.pods, policy.services, policy.plain), lambda: clusters(policy, tls)),
            "inbound": (
                (policy.inbound, policy.pods, policy.unavailable, policy.answers, policy.leak),
                lambda: [envoy_routes.inbound(policy)],
            ),
            "services": (routing, lambda: [envoy_routes.services(policy)]),
            "streams": (routing, lambda: [envoy_routes.streams(policy)]),
            "listeners": (
                (policy.pods, ports, frozenset(policy.inbound)),
                lambda: listeners(policy, self._directory),
            ),
        }
