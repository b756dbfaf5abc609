"""A mesh on a cluster: brought by us or already there, its facts, and giving it back."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.cluster.companion import Companion
from pytest_smi.errors import MeshError
from pytest_smi.mesh.diagnose import diagnose
from pytest_smi.mesh.ready import Readiness
from pytest_smi.mesh.restart import restart, restartable
from pytest_smi.mesh.version import UNKNOWN, version_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile

_READY_SECONDS = 60.0


class Mesh:
    """The mesh under test. `version` is read from what runs; `flags` are those that name it to pytest.

    `restarts` counts the restarts of its control plane in this process.
    """

    def __init__(
        self, profile: Profile, cluster: Cluster, state: Path, fault: str | None = None, flags: str | None = None
    ) -> None:
        self.profile = profile
        self.cluster = cluster
        self.flags = flags or f"--smi-mesh={profile.name}"
        self.version = UNKNOWN
        self.restarts = 0
        self._facts: dict[str, Any] = {}
        self._log = state / "mesh.log"
        self._process: Companion | None = None
        if profile.install.method == "reference":
            self._process = _start_reference(cluster, state, fault)

    def wait(self) -> None:
        """Wait until the mesh says that it programs traffic; a mesh that we did not start must be there already."""
        if self._process:
            self._facts = self._process.ready(_READY_SECONDS)
            self.version = str(self._facts.get("version", UNKNOWN))
        else:
            Readiness(self.cluster, self.profile).wait(brought=False)
            self.version = version_of(self.cluster, self.profile)

    def header_encoding(self, cluster: Cluster, specs_version: str | None) -> Literal["array", "map"]:
        """`array` or `map`: how the live CRD of HTTPRouteGroup takes header filters in that version (TSC-051)."""
        if specs_version is None:
            return "array"
        name = "httproutegroups.specs.smi-spec.io"
        crd = cluster.api.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        if not crd:
            raise MeshError(f"the cluster has no CRD {name}", "install the mesh's SMI CRDs first")
        for version in crd["spec"]["versions"]:
            if version["name"] == specs_version:
                return "map" if _headers_schema(version).get("type") == "object" else "array"
        return "array"

    def facts(self) -> dict[str, Any]:
        """What results.json says of the mesh."""
        profile = {"name": self.profile.name, "title": self.profile.title, "verified": self.profile.verified}
        rest = {key: value for key, value in self._facts.items() if key not in ("ready", "version", "fault")}
        return {**profile, "version": self.version, "fault": self._facts.get("fault"), "details": rest}

    def diagnose(self, used: Sequence[tuple[str, str]] = ()) -> dict[str, str]:
        """What the mesh says of itself: title -> text; `used` are pods of the scene, by namespace and name."""
        return diagnose(self.cluster, self.profile, used)

    def restartable(self) -> bool:
        """Whether `restart_control_plane` may be called."""
        return self._process is not None or restartable(self.cluster, self.profile)

    def restart_control_plane(self) -> None:
        """Restart the control plane while the data plane serves, and wait until it is ready again.

        Raises MeshError for a mesh that somebody else brought, or whose profile does not say how.
        """
        self.restarts += 1
        if self._process is None:
            restart(self.cluster, self.profile)
        else:
            self._process.tell("restart")
            self._facts = self._process.ready(_READY_SECONDS)

    def check(self) -> None:
        """Raise MeshError when a mesh that we started has ended: what is seen from then on says nothing about it."""
        how = self._process.how_it_ended() if self._process else ""
        if how:
            raise MeshError(
                f"the {self.profile.name} mesh has ended in the middle of the run, {how}", f"see {self._log}"
            )

    def close(self) -> None:
        """End what we started."""
        if self._process:
            self._process.close()


@cache
def reference_faults() -> list[dict[str, Any]]:
    """The reference mesh's seeded defects, as its own program tells them (once, in some tenths of a second)."""
    command = [sys.executable, "-m", "pytest_smi.embedded.mesh", "--list-faults"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeshError("the reference mesh does not list its faults", f"run: python {' '.join(command[1:])}")
    return list(json.loads(done.stdout))


def _start_reference(cluster: Cluster, state: Path, fault: str | None) -> Companion:
    where = ["--kubeconfig", str(cluster.kubeconfig), "--state", str(state)]
    arguments = ["-m", "pytest_smi.embedded.mesh", *where, *(["--fault", fault] if fault else [])]
    return Companion("the reference mesh", arguments, MeshError)


def _headers_schema(version: dict[str, Any]) -> dict[str, Any]:
    """The schema of `matches[].headers`, wherever this version keeps its matches."""
    schema: dict[str, Any] = version.get("schema", {}).get("openAPIV3Schema", {})
    top = schema.get("properties", {})
    matches = top.get("spec", {}).get("properties", {}).get("matches") or top.get("matches") or {}
    headers: dict[str, Any] = matches.get("items", {}).get("properties", {}).get("headers", {})
    return headers
