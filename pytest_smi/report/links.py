"""Where the specification says what an instance judges."""

from __future__ import annotations

_SPEC = "https://github.com/servicemeshinterface/smi-spec/blob/main/apis"
_DOCUMENTS = {
    "access": "traffic-access",
    "metrics": "traffic-metrics",
    "specs": "traffic-specs",
    "split": "traffic-split",
}


def spec_url(api: str) -> str | None:
    """The document of an API version named like `split-v1alpha2`; None for anything that is no part of SMI."""
    group, _, version = api.partition("-")
    document = _DOCUMENTS.get(group)
    return f"{_SPEC}/{document}/{version}/{document}.md" if document and version else None
