"""What each command judges, and pytest run against it with the cluster's network."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e import contents
from tests.e2e.builds import MODULES, built, sources
from tests.e2e.folders import HERE, ROOT
from tests.e2e.snapshot import differences, snapshot
from tests.e2e.trouble import E2eError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.e2e.cluster import Cluster
    from tests.e2e.images import Image


@dataclass(frozen=True)
class Judged:
    """A mesh that can be judged here: its profile, the module that it is built from, and its images."""

    name: str
    module: str
    images: Callable[[], list[Image]]

    @property
    def profile(self) -> Path:
        """The profile, which extends the shipped one."""
        return HERE / "meshes" / f"{self.name}.toml"

    def environment(self) -> dict[str, str]:
        """What the profile takes from the environment."""
        return {
            "SMI_E2E_PYTHON": sys.executable,
            "SMI_E2E_PROGRAMS": str(built(self.module)),
            "SMI_E2E_SOURCES": str(sources(self.module)),
            "SMI_E2E_VERSION": MODULES[self.module].version,
            "SMI_E2E_REGISTRY": contents.LOCAL,
            "SMI_E2E_ENVOY": contents.ENVOY,
            "SMI_E2E_CURL": contents.CURL,
        }


MESHES = {
    one.name: one
    for one in (
        Judged("osm", "osm", lambda: [*contents.osm(), contents.envoy(), contents.curl()]),
        Judged("traefik-mesh", "traefik-mesh", contents.traefik_mesh),
        Judged("traefik-mesh-no-acl", "traefik-mesh", contents.traefik_mesh),
    )
}


def prepare(cluster: Cluster, mesh: Judged) -> None:
    """Have everything on the nodes that the mesh and the scene are made of."""
    cluster.load([*mesh.images(), contents.sample_app()])


def judge(cluster: Cluster, mesh: Judged, arguments: Sequence[str]) -> int:
    """Run the suite against the mesh, which the run installs and removes; returns pytest's exit status.

    Results go to build/e2e/NAME. `arguments` are pytest's own and may set any of the defaults anew. Raises E2eError
    when the cluster is not as it was before the run.
    """
    before = snapshot(cluster)
    status = _run(cluster, mesh, arguments)
    if changed := differences(before, snapshot(cluster)):
        raise E2eError("\n  ".join([f"pytest ended with status {status}; the cluster is not as it was:", *changed]))
    print("e2e: every object on the cluster is as it was before the run")
    return status


def _run(cluster: Cluster, mesh: Judged, arguments: Sequence[str]) -> int:
    out = ROOT / "build" / "e2e" / mesh.name
    out.mkdir(parents=True, exist_ok=True)
    given = [
        f"--smi-mesh={mesh.profile.relative_to(ROOT)}",
        "--smi-cluster=kubeconfig",
        f"--smi-kubeconfig={cluster.kubeconfig}",
        "--smi-install",
        f"--smi-results={out}/results.json",
        f"--junitxml={out}/junit.xml",
        *("-p", "no:hypothesispytest"),
    ]
    workers = [] if any(one.startswith(("-n", "--numprocesses")) for one in arguments) else ["-n", "4"]
    programs = f"{built('helm')}:{built('kubernetes')}:{os.environ['PATH']}"
    environment = {**os.environ, **mesh.environment(), "PATH": programs}
    command = [*cluster.first.reaching(), sys.executable, "-m", "pytest", *given, *workers, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
