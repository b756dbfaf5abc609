"""Faults about how the API presents SMI objects: CRDs, and conversion between their versions."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.fault import fault
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.spec.convert import DESTINATION_PORT

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.snapshot import Manifest


@fault(
    "conversion-drops-port",
    "The destination port of older TrafficTargets is lost when they are converted, which opens every port",
    kills={"TA-040", "TA-054"},
    may_touch={"TA-04", "TA-05", "API-008", "XG-006"},
    release="all",
)
class _DropsPort(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        found = super().converted(manifest, api_version)
        (found["metadata"].get("annotations") or {}).pop(DESTINATION_PORT, None)
        return found


@fault(
    "conversion-unscaled-weights",
    "Weights of split v1alpha1 lose their unit when they are converted: 500m becomes 500, 1 stays 1",
    kills={"TS-005"},
    may_touch={"TS-00", "API-008", "XG-006"},
    release="all",
)
class _Unscaled(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        found = super().converted(manifest, api_version)
        if manifest["kind"] == "TrafficSplit" and manifest["apiVersion"].endswith("/v1alpha1"):
            written = (manifest.get("spec") or {}).get("backends") or ()
            for before, after in zip(written, (found.get("spec") or {}).get("backends") or (), strict=True):
                after["weight"] = int(str(before["weight"]).removesuffix("m"))
        return found


def _without(crds: list[dict[str, Any]], kind: str, change: Any) -> list[dict[str, Any]]:
    """The CRDs with `change` done to each version of one kind."""
    found = copy.deepcopy(crds)
    for crd in found:
        if crd["spec"]["names"]["kind"] == kind:
            for version in crd["spec"]["versions"]:
                change(version)
    return found


@fault(
    "crd-without-printer-column",
    "The CRD of TrafficSplit shows no Service column",
    kills={"API-006"},
)
class _NoColumn(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return _without(super().crds(crds), "TrafficSplit", lambda version: version.pop("additionalPrinterColumns"))


@fault(
    "crd-without-short-names",
    "The CRDs have no short names",
    kills={"API-004"},
)
class _NoShortNames(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = copy.deepcopy(super().crds(crds))
        for crd in found:
            crd["spec"]["names"].pop("shortNames")
        return found


@fault(
    "crd-without-validation",
    "The CRDs take whatever is written",
    kills={"API-010", "API-011", "API-013", "API-016", "API-021"},
    may_touch={"API-", "TA-06", "TA-15", "TA-16", "TSC-", "TS-006", "TS-058", "TS-096"},
)
class _NoValidation(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = copy.deepcopy(super().crds(crds))
        for crd in found:
            for version in crd["spec"]["versions"]:
                version["schema"] = {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                }
        return found
