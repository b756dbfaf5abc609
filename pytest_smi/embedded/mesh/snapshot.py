"""The API objects that the mesh looks at, at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Manifest = dict[str, Any]
Objects = dict[tuple[str, str], Manifest]

SOURCES: Mapping[str, str] = {
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "TrafficTarget": "/apis/access.smi-spec.io/v1alpha4/traffictargets",
    "IdentityBinding": "/apis/access.smi-spec.io/v1alpha4/identitybindings",
    "HTTPRouteGroup": "/apis/specs.smi-spec.io/v1alpha4/httproutegroups",
    "TCPRoute": "/apis/specs.smi-spec.io/v1alpha4/tcproutes",
    "UDPRoute": "/apis/specs.smi-spec.io/v1alpha4/udproutes",
    "TrafficSplit": "/apis/split.smi-spec.io/v1alpha4/trafficsplits",
}
"""Kind -> the collection to watch. SMI objects are read in the stored version, whatever they were written in."""


@dataclass(frozen=True)
class Snapshot:
    """Objects by kind and by (namespace, name). Nobody may change them."""

    objects: Mapping[str, Mapping[tuple[str, str], Manifest]] = field(default_factory=dict)

    def all(self, kind: str) -> list[Manifest]:
        """Objects of a kind, oldest first, so that the same objects always come in the same order."""
        return sorted(self.objects.get(kind, {}).values(), key=_age)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object, or None."""
        return self.objects.get(kind, {}).get((namespace, name))

    def __iter__(self) -> Any:
        return (kind for kind in self.objects)


def _age(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return str(metadata.get("creationTimestamp") or ""), metadata.get("namespace") or "", metadata["name"]


def of(*manifests: Manifest) -> Snapshot:
    """A snapshot of these manifests."""
    objects: dict[str, Objects] = {}
    for manifest in manifests:
        metadata = manifest["metadata"]
        objects.setdefault(manifest["kind"], {})[metadata.get("namespace") or "", metadata["name"]] = manifest
    return Snapshot(objects)
