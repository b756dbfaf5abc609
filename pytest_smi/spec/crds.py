"""Our own CustomResourceDefinitions for every kind and API version of SMI (apiextensions.k8s.io/v1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.spec.kinds import KINDS, STORAGE_VERSION, Kind
from pytest_smi.spec.schemas import schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLUMNS = {
    "TrafficTarget": (("Destination", ".destination.name"),),
    "IdentityBinding": (("Service Account", ".schemes.serviceAccount"),),
    "HTTPRouteGroup": (),
    "TCPRoute": (("Ports", ".matches.ports"),),
    "UDPRoute": (("Ports", ".matches.ports"),),
    "TrafficSplit": (("Service", ".service"),),
}


def crds(
    header_encoding: Literal["array", "map"] = "array",
    *,
    conversion_url: str | None = None,
    ca_bundle: str | None = None,
    served: Mapping[str, Sequence[str]] | None = None,
) -> list[dict[str, Any]]:
    """One CRD per kind. Stored is v1alpha4; served is every version, or those of `served` (area -> versions).

    With `conversion_url` (https) the API server asks that webhook to convert, trusting `ca_bundle` (base64 of PEM);
    `pytest_smi.spec.convert` has the answers. Without it only `apiVersion` is rewritten, which loses fields between
    versions of different shape.
    """
    return [_crd(kind, header_encoding, _conversion(conversion_url, ca_bundle), served) for kind in KINDS.values()]


def _crd(
    kind: Kind,
    header_encoding: Literal["array", "map"],
    conversion: dict[str, Any],
    served: Mapping[str, Sequence[str]] | None,
) -> dict[str, Any]:
    chosen = kind.versions if served is None else served.get(kind.area, ())
    names = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.singular,
        "shortNames": [kind.short],
        "categories": ["smi"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced",
            "conversion": conversion,
            "versions": [_version(kind, version, header_encoding, version in chosen) for version in kind.versions],
        },
    }


def _version(kind: Kind, version: str, header_encoding: Literal["array", "map"], served: bool) -> dict[str, Any]:
    return {
        "name": version,
        "served": served,
        "storage": version == STORAGE_VERSION,
        "schema": {"openAPIV3Schema": schema(kind.kind, version, header_encoding)},
        "additionalPrinterColumns": _columns(kind, version),
    }


def _conversion(url: str | None, ca_bundle: str | None) -> dict[str, Any]:
    if url is None:
        return {"strategy": "None"}
    client = {"url": url} | ({"caBundle": ca_bundle} if ca_bundle else {})
    return {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client}}


def _columns(kind: Kind, version: str) -> list[dict[str, Any]]:
    top = kind.kind == "TrafficTarget" and version == "v1alpha1"
    # Before v1alpha4 a TCPRoute has no ports to show.
    rows = () if kind.kind == "TCPRoute" and version != "v1alpha4" else _COLUMNS[kind.kind]
    columns = [{"name": name, "type": "string", "jsonPath": path if top else f".spec{path}"} for name, path in rows]
    return [*columns, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
