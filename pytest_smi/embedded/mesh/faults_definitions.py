"""Faults about the definitions that the mesh brings: scope, served versions, and what a field may hold."""

from __future__ import annotations

import copy
from typing import Any

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.faults_structure import changed
from pytest_smi.embedded.mesh.semantics import Semantics


def _named(crds: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The CRD of a kind."""
    return next(crd for crd in crds if crd["spec"]["names"]["kind"] == kind)


@fault(
    "crd-cluster-wide",
    "The CRD of UDPRoute says that its objects belong to no namespace",
    kills={"API-003"},
    may_touch={"API-", "TA-", "TSC-06"},
)
class _ClusterWide(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = copy.deepcopy(super().crds(crds))
        _named(found, "UDPRoute")["spec"]["scope"] = "Cluster"
        return found


@fault(
    "crd-version-not-served",
    "TrafficSplit is not served in v1alpha2",
    kills={"API-005"},
    may_touch={"API-", "TS-", "XG-"},
    release="all",
)
class _NotServed(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = copy.deepcopy(super().crds(crds))
        for version in _named(found, "TrafficSplit")["spec"]["versions"]:
            version["served"] = version["served"] and version["name"] != "v1alpha2"
        return found


@fault(
    "crd-prunes-names-of-matches",
    "The CRD of TrafficTarget does not keep the names of matches in a rule",
    kills={"API-008"},
    may_touch={"API-", "TA-", "TM-", "TS-", "TSC-", "XG-"},
)
class _PrunesMatches(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def prune(properties: dict[str, Any], version: str) -> None:
            body = properties if version == "v1alpha1" else properties["spec"]["properties"]
            rules = body["specs" if version == "v1alpha1" else "rules"]
            del rules["items"]["properties"]["matches"]

        return changed(super().crds(crds), "TrafficTarget", prune)


@fault(
    "crd-route-ports-of-any-shape",
    "The CRD of TCPRoute takes anything under matches",
    kills={"API-019"},
    may_touch={"TSC-063", "TSC-070"},
)
class _AnyShape(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], version: str) -> None:
            if version == "v1alpha4":
                properties["spec"]["properties"]["matches"] = {"x-kubernetes-preserve-unknown-fields": True}

        return changed(super().crds(crds), "TCPRoute", loosen)


@fault(
    "crd-weights-may-be-words",
    "The CRD of TrafficSplit takes quantities as weights in every version",
    kills={"API-022"},
    may_touch={"API-023"},
)
class _WeightWords(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], _version: str) -> None:
            backend = properties["spec"]["properties"]["backends"]["items"]["properties"]
            backend["weight"] = {"x-kubernetes-int-or-string": True}

        return changed(super().crds(crds), "TrafficSplit", loosen)


@fault(
    "crd-weights-are-whole",
    "The CRD of TrafficSplit takes whole numbers only as weights, in v1alpha1 too",
    kills={"API-024"},
    may_touch={"API-", "TS-", "XG-"},
    release="all",
)
class _WholeWeights(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def tighten(properties: dict[str, Any], _version: str) -> None:
            backend = properties["spec"]["properties"]["backends"]["items"]["properties"]
            backend["weight"] = {"type": "integer"}

        return changed(super().crds(crds), "TrafficSplit", tighten)
