"""Where the specification says it: a requirement's `source` as documents, sections and permanent links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMIT = "cc4babdc44570894e23ab6727910d965cb38fadc"
"""The last commit of the specification's repository (2023-10-20), which has every version of every document."""

_REPOSITORY = f"https://github.com/servicemeshinterface/smi-spec/blob/{COMMIT}"
_AREAS = {"AC": "access", "SP": "specs", "SPL": "split", "MET": "metrics"}
_TITLES = {"AC": "Traffic Access", "SP": "Traffic Specs", "SPL": "Traffic Split", "MET": "Traffic Metrics"}
_OVERVIEW = "SPEC_LATEST_STABLE.md"

# Headings of the documents, longest first where one begins another. A source may go on after the heading.
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "AC": (
        "Specification",
        "IdentityBinding",
        "TrafficTarget",
        "Example implementation for L7",
        "Example implementation for L4",
        "Tradeoffs",
        "Out of scope",
    ),
    "SP": (
        "Specification",
        "HTTPRouteGroup",
        "HTTP header filters",
        "TCPRoute",
        "UDPRoute",
        "Automatic Generation",
        "Tradeoffs",
        "Out of scope",
    ),
    "SPL": ("Specification", "Ports", "Workflow", "Tradeoffs", "Open Questions", "Example implementation"),
    "MET": (
        "Specification",
        "TrafficMetricsList",
        "TrafficMetrics",
        "Edge",
        "Kubernetes API",
        "Traffic Splits",
        "RBAC",
        "Tradeoffs",
        "Out of scope",
        "Open Questions",
    ),
    "SPEC": ("Non-Goals", "Technical Overview", "Versioning"),
}


@dataclass(frozen=True)
class Reference:
    """One place in the specification: `document` and `section` to print, `path` in its repository, `url` to open."""

    document: str
    section: str | None
    path: str
    url: str


def document_path(area: str, version: str) -> str:
    """Path of an area's document (access, specs, split, metrics) in the specification's repository."""
    return f"apis/traffic-{area}/{version}/traffic-{area}.md"


def references(source: str, versions: Mapping[str, str]) -> tuple[Reference, ...]:
    """The documents that a requirement's `source` names, in the given API versions (`Instance.versions`).

    Sources outside the specification (a CRD, Kubernetes, an issue) give nothing, nor do areas that `versions` lacks.
    """
    found = []
    for part in re.split(r"[;,] ", source):
        shape = re.match(r"(SPEC|SPL|SP|AC|MET)\b\s*(?:§(.*))?", part)
        if shape is None:
            continue
        reference = _reference(shape[1], shape[2] or "", versions)
        if reference is not None and reference not in found:
            found.append(reference)
    return tuple(found)


def _reference(code: str, text: str, versions: Mapping[str, str]) -> Reference | None:
    section = next((heading for heading in _HEADINGS[code] if text.startswith(heading)), None)
    if code == "SPEC":
        return _made("SMI specification", section, _OVERVIEW)
    area = _AREAS[code]
    if area not in versions:
        return None
    version = versions[area]
    if section is not None and section.startswith("Example implementation for") and version in ("v1alpha1", "v1alpha2"):
        # The older documents have one example, for L7.
        section = "Example Implementation"
    return _made(f"{_TITLES[code]} {version}", section, document_path(area, version))


def _made(document: str, section: str | None, path: str) -> Reference:
    anchor = "" if section is None else "#" + re.sub(r"[^a-z0-9-]", "", section.lower().replace(" ", "-"))
    return Reference(document, section, path, f"{_REPOSITORY}/{path}{anchor}")
