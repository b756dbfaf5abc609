"""What each command judges, and pytest run against it with the cluster's network."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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
    """A mesh that can be judged here: its profile, the module it is built from, its images, and its judges.

    `workers` judge it; 0: one process, for a mesh on which one test's policy can fail another's.
    """

    name: str
    module: str
    images: Callable[[], list[Image]]
    workers: int = 4

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


def _osm() -> list[Image]:
    return [*contents.osm(), contents.envoy(), contents.curl()]


MESHES = {
    one.name: one
    for one in (
        Judged("osm", "osm", _osm),
        Judged("osm-permissive", "osm", _osm),
        Judged("traefik-mesh", "traefik-mesh", contents.traefik_mesh, workers=0),
        Judged("traefik-mesh-acl-off", "traefik-mesh", contents.traefik_mesh, workers=0),
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


def reference(arguments: Sequence[str]) -> int:
    """The embedded cluster on a real kube-apiserver: its own tests, then the suite against the reference mesh.

    Returns the first exit status of pytest that is not 0. It needs no namespaces and no root.
    """
    out = ROOT / "build" / "e2e" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    judging = ["--smi-mesh=reference", f"--smi-results={out}/results.json", f"--junitxml={out}/junit.xml", "-n", "2"]
    with tempfile.TemporaryDirectory() as assets:
        for module, program in (("etcd", "etcd"), ("kubernetes", "kube-apiserver")):
            Path(assets, program).symlink_to(built(module) / program)
        environment = {**os.environ, "KUBEBUILDER_ASSETS": assets}
        for words in (["tests/realapi"], [*judging, *arguments]):
            command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", *words]
            if status := subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
                return status
    return 0


def _run(cluster: Cluster, mesh: Judged, arguments: Sequence[str]) -> int:
    command, environment = invocation(cluster, mesh, arguments)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def invocation(cluster: Cluster, mesh: Judged, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The command, to be run in the repository's root, and its environment."""
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
    workers = [] if any(one.startswith(("-n", "--numprocesses")) for one in arguments) else ["-n", str(mesh.workers)]
    programs = f"{built('helm')}:{built('kubernetes')}:{os.environ['PATH']}"
    environment = {**os.environ, **mesh.environment(), "PATH": programs}
    command = [*cluster.first.reaching(), sys.executable, "-m", "pytest", *given, *workers, *arguments]
    return command, environment
