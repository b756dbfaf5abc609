"""How long cluster, mesh and scene take to be up, and how many processes' worth of pods that is.

Run: python tests/bench/startup.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.mesh.lifecycle import Mesh
from pytest_smi.mesh.profile import load_profile
from pytest_smi.workload.scene import Scene

ROUNDS = 5


def once(folder: Path) -> tuple[float, float]:
    """Seconds until all is up, and seconds until all is gone again."""
    began = time.perf_counter()
    profile = load_profile("reference")
    cluster = EmbeddedCluster()
    try:
        cluster.wait()
        mesh = Mesh(profile, cluster, folder)
        try:
            scene = Scene(cluster, profile, "bench")
            scene.deploy()
            mesh.wait()
            scene.wait()
            up = time.perf_counter()
            scene.close()
        finally:
            mesh.close()
    finally:
        cluster.close()
    return up - began, time.perf_counter() - up


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = [once(Path(folder, str(number))) for number in range(ROUNDS)]
    for name, times in zip(("up", "down"), zip(*rounds, strict=True), strict=True):
        print(f"{name:5} " + "  ".join(f"{seconds:.2f} s" for seconds in times))


if __name__ == "__main__":
    main()
