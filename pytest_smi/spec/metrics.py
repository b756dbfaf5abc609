"""Traffic Metrics: the resources that the API offers, and its paths (the document "MET", metrics.smi-spec.io/v1alpha1).

The answers are read by `metrics_read`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_smi.spec.kinds import STORAGE_VERSION, group

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = group("metrics")
VERSION = "v1alpha1"
GROUP_VERSION = f"{GROUP}/{VERSION}"
API_SERVICE = f"{VERSION}.{GROUP}"
ROOT = f"/apis/{GROUP_VERSION}"

KIND = "TrafficMetrics"
LIST_KIND = "TrafficMetricsList"

PERCENTILES: Mapping[str, float] = MappingProxyType(
    {"p99_response_latency": 0.99, "p90_response_latency": 0.90, "p50_response_latency": 0.50}
)
"""Latency metric -> the share of requests that were at most so slow."""
SUCCESS, FAILURE = "success_count", "failure_count"
METRIC_NAMES = (*PERCENTILES, SUCCESS, FAILURE)
"""The names of the metrics in a TrafficMetrics, as the document lists them."""

DIRECTIONS = ("to", "from")
SIDES = ("client", "server")


@dataclass(frozen=True)
class Measured:
    """A kind of object that traffic can be measured of: its resource name, which is also that in the metrics API."""

    plural: str
    kind: str
    api_version: str
    namespaced: bool = True

    def collection(self, namespace: str = "") -> str:
        """The path of the objects themselves (not of their metrics); without a namespace: those of all."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        space = f"/namespaces/{quote(namespace)}" if namespace and self.namespaced else ""
        return f"{root}{space}/{self.plural}"


def _measured() -> dict[str, Measured]:
    rows = (
        Measured("namespaces", "Namespace", "v1", namespaced=False),
        Measured("nodes", "Node", "v1", namespaced=False),
        Measured("pods", "Pod", "v1"),
        Measured("replicationcontrollers", "ReplicationController", "v1"),
        Measured("services", "Service", "v1"),
        Measured("daemonsets", "DaemonSet", "apps/v1"),
        Measured("deployments", "Deployment", "apps/v1"),
        Measured("replicasets", "ReplicaSet", "apps/v1"),
        Measured("statefulsets", "StatefulSet", "apps/v1"),
        Measured("jobs", "Job", "batch/v1"),
        Measured("trafficsplits", "TrafficSplit", f"{group('split')}/{STORAGE_VERSION}"),
    )
    return {row.plural: row for row in rows}


MEASURED: Mapping[str, Measured] = MappingProxyType(_measured())
"""Resource name -> what it measures: the full list of MET §Kubernetes API, in its order."""


def metrics_path(plural: str, namespace: str = "", name: str = "", *, edges: bool = False) -> str:
    """The path of a list of metrics or, with a name, of one object's; `edges`: of that object's edges."""
    space = f"/namespaces/{quote(namespace)}" if namespace else ""
    end = f"/{quote(name)}" if name else ""
    return f"{ROOT}{space}/{plural}{end}" + ("/edges" if edges else "")
