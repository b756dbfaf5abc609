"""Faults about what the API takes and keeps: CRDs that are too strict or too loose, conversions that change a thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh import regex
from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.faults_structure import changed
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.snapshot import Manifest

_API = frozenset({"API-", "XG-"})


@fault(
    "crd-weights-up-to-100",
    "The CRD of TrafficSplit takes weights as percentages: none above 100",
    kills={"API-023"},
    may_touch=_API | {"TS-0"},
)
class _Percentages(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def limit(properties: dict[str, Any], version: str) -> None:
            if version != "v1alpha1":
                backend = properties["spec"]["properties"]["backends"]["items"]["properties"]
                backend["weight"]["maximum"] = 100

        return changed(super().crds(crds), "TrafficSplit", limit)


@fault(
    "crd-keeps-destination-port",
    "The CRD of TrafficTarget still has a destination port in v1alpha3 and v1alpha4",
    kills={"API-015"},
)
class _KeepsPort(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def add(properties: dict[str, Any], version: str) -> None:
            if version in ("v1alpha3", "v1alpha4"):
                destination = properties["spec"]["properties"]["destination"]["properties"]
                destination["port"] = {"type": "integer"}

        return changed(super().crds(crds), "TrafficTarget", add)


@fault(
    "crd-port-of-any-type",
    "The CRD of TrafficTarget takes words and fractions as the destination's port",
    kills={"API-014"},
    may_touch={"TA-04", "TA-05"},
    release="0.5.0",
)
class _AnyPort(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], version: str) -> None:
            if version in ("v1alpha1", "v1alpha2"):
                body = properties["spec"]["properties"] if version == "v1alpha2" else properties
                body["destination"]["properties"]["port"] = {"x-kubernetes-preserve-unknown-fields": True}

        return changed(super().crds(crds), "TrafficTarget", loosen)


@fault(
    "crd-ports-must-be-listed",
    "The CRDs of TCPRoute and UDPRoute refuse an empty list of ports",
    kills={"API-020"},
    may_touch=_API | {"TA-", "TSC-06", "TS-0"},
)
class _PortsListed(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def restrict(properties: dict[str, Any], version: str) -> None:
            if version == "v1alpha4":
                matches = properties["spec"]["properties"]["matches"]["properties"]
                matches["ports"]["minItems"] = 1

        return changed(changed(super().crds(crds), "TCPRoute", restrict), "UDPRoute", restrict)


@fault(
    "crd-bindings-without-rules",
    "The CRD of IdentityBinding takes no schemes, empty ones, and those that exclude each other",
    kills={"API-027", "TA-166"},
    may_touch={"TA-155", "TA-167"},
)
class _AnyBinding(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], _version: str) -> None:
            loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            properties["spec"] = loose

        return changed(super().crds(crds), "IdentityBinding", loosen)


@fault(
    "crd-requires-a-status",
    "The CRD of TrafficSplit wants a status in every object",
    kills={"API-007", "API-028"},
    may_touch=_API | {"TM-", "TS-", "XG-"},
)
class _NeedsStatus(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = changed(super().crds(crds), "TrafficSplit", lambda properties, _: properties.update(_STATUS))
        for crd in found:
            for version in crd["spec"]["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                if "status" in schema["properties"]:
                    schema["required"] = [*schema.get("required", ()), "status"]
        return found


_STATUS = {"status": {"type": "object", "properties": {"state": {"type": "string"}}}}


@fault(
    "old-route-shape-counts",
    "Matches of an HTTPRouteGroup in the place that they had before v1alpha3 are stored and count",
    kills={"API-017"},
)
class _OldShape(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def add(properties: dict[str, Any], version: str) -> None:
            if "spec" in properties:
                properties["matches"] = properties["spec"]["properties"]["matches"]

        found = changed(super().crds(crds), "HTTPRouteGroup", add)
        for crd in found:
            for version in crd["spec"]["versions"]:
                if crd["spec"]["names"]["kind"] == "HTTPRouteGroup" and version["name"] in ("v1alpha3", "v1alpha4"):
                    version["schema"]["openAPIV3Schema"].pop("required", None)
        return found

    def view(self, snapshot: Snapshot) -> Snapshot:
        groups = {
            key: one if one.get("spec") else {**one, "spec": {"matches": one.get("matches") or []}}
            for key, one in snapshot.objects.get("HTTPRouteGroup", {}).items()
        }
        return super().view(Snapshot({**snapshot.objects, "HTTPRouteGroup": groups}))


@fault(
    "crd-half-a-match",
    "In v1alpha1 a match may leave out its path or its methods, and anything does instead",
    kills={"TSC-005"},
    may_touch={"API-", "TSC-"},
    release="all",
)
class _HalfMatch(Semantics):
    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], version: str) -> None:
            if version == "v1alpha1":
                properties["matches"]["items"]["required"] = ["name"]

        return changed(super().crds(crds), "HTTPRouteGroup", loosen)


@fault(
    "conversion-by-name-only",
    "Conversion changes an object's apiVersion and nothing else, so that fields in other places are lost",
    kills={"API-029", "XG-005", "XG-006"},
    may_touch=EVERYTHING | {"API-"},
    release="all",
)
class _NoConversion(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        return {**manifest, "apiVersion": api_version}


@fault(
    "conversion-loses-labels",
    "Conversion keeps what an object says and loses its labels",
    kills={"XG-007"},
    may_touch={"API-", "XG-"},
    release="all",
)
class _LosesLabels(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        found = super().converted(manifest, api_version)
        found["metadata"].pop("labels", None)
        return found


@fault(
    "conversion-fills-empty-sources",
    "Conversion writes the default ServiceAccount into an empty list of sources",
    kills={"API-012"},
    may_touch={"TA-06", "XG-006"},
    release="all",
)
class _FillsSources(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        found = super().converted(manifest, api_version)
        body = found.get("spec", found)
        if manifest["kind"] == "TrafficTarget" and body.get("sources") == []:
            body["sources"] = [{"kind": "ServiceAccount", "name": "default"}]
        return found


@fault(
    "conversion-mends-expressions",
    "Conversion writes .* in place of a regular expression that does not compile",
    kills={"API-018"},
    may_touch={"TA-075", "TSC-019", "TSC-020"},
    release="all",
)
class _MendsExpressions(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        found = super().converted(manifest, api_version)
        for match in found.get("spec", found).get("matches") or () if manifest["kind"] == "HTTPRouteGroup" else ():
            if not regex.acceptable(match.get("pathRegex") or ""):
                match["pathRegex"] = ".*"
        return found


@fault(
    "conversion-drops-the-root",
    "Conversion leaves a split's root out of its backends",
    kills={"API-026"},
    may_touch={"TS-066"},
    release="all",
)
class _DropsRoot(Semantics):
    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        found = super().converted(manifest, api_version)
        spec = found.get("spec") or {}
        if manifest["kind"] == "TrafficSplit":
            spec["backends"] = [one for one in spec.get("backends") or () if one["service"] != spec["service"]]
        return found
