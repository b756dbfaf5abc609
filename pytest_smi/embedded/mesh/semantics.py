"""All decisions of the specification in one class, so that a fault can decide any of them otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.metrics_semantics import MetricsSemantics
from pytest_smi.embedded.mesh.semantics_split import SplitSemantics
from pytest_smi.spec.convert import convert

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.snapshot import Manifest, Snapshot


class Semantics(SplitSemantics, MetricsSemantics):
    """The reference: access control, traffic splitting, metrics, and how the API presents objects."""

    def view(self, snapshot: Snapshot) -> Snapshot:
        """The objects that count: what the API has now. Faults of memory return something older."""
        return snapshot

    def resumes(self) -> bool:
        """Whether a control plane that is restarted leaves the data plane as it is until it knows better (TA-119).

        It is asked once, at such a restart.
        """
        return True

    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The CRDs that the mesh installs."""
        return crds

    def converted(self, manifest: Manifest, api_version: str) -> Manifest:
        """An object in another served version, nothing lost (XG-006). Raises Unconvertible."""
        return convert(manifest, api_version)
