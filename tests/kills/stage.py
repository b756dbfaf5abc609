"""The stage on which one fault after the other is judged: cluster and scene stay, only the mesh is started anew.

`python -m tests.kills.stage` reads orders, one JSON object a line, from standard input, and answers each with a line:
the verdicts of the instances. What pytest says goes to standard error. It ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_smi.cluster.base import Cluster
from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.mesh.lifecycle import Mesh
from pytest_smi.run import RUN
from pytest_smi.workload.scene import Scene
from tests.kills.recording import Recorder

HASTE = "--smi-timeout=1"
"""For what is expected to turn red: it takes the whole budget."""
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RESULTS = Path("results.json")
_PLAIN = ("no:cacheprovider", "no:allure_pytest", "no:xdist", "no:hypothesispytest")


class Stage:
    """A cluster and a scene that stand over many runs of the suite in this process."""

    def __init__(self) -> None:
        self._cluster = EmbeddedCluster()
        self._scene: Scene | None = None
        self._cluster.wait()

    def judge(self, fault: str | None, requirements: Sequence[str], *arguments: str) -> list[dict[str, Any]]:
        """Run these requirements against the mesh with a fault; the instances as results.json has them."""
        words = [f"--smi-fault={fault}"] if fault else []
        self._run([*words, *(f"--smi-requirement={one}" for one in requirements), *arguments])
        return list(json.loads(_RESULTS.read_text())["instances"])

    def record(self, requirements: Sequence[str], path: Path) -> list[dict[str, Any]]:
        """Run these requirements against the sound mesh, and record what the API's objects were."""
        assert self._cluster.kubeconfig
        with Recorder(self._cluster.kubeconfig, path) as recorder:
            self._run([f"--smi-requirement={one}" for one in requirements], recorder)
        return list(json.loads(_RESULTS.read_text())["instances"])

    def _run(self, words: Sequence[str], *plugins: object) -> None:
        _RESULTS.unlink(missing_ok=True)
        for one in self._cluster.api.list(_CRDS):  # as on a cluster that has seen no mesh before
            self._cluster.api.delete(f"{_CRDS}/{one['metadata']['name']}")
        plain = [word for plugin in _PLAIN for word in ("-p", plugin)]
        told = ["--smi-mesh=reference", f"--smi-results={_RESULTS}", "-q"]
        pytest.main([*told, *words, *plain], plugins=[_Usher(self), *plugins])

    def fixtures(self) -> ModuleType:
        """A plugin with fixtures that give what stands, in the place of the suite's."""

        @pytest.fixture(scope="session")
        def smi_cluster(pytestconfig: pytest.Config) -> Cluster:
            pytestconfig.stash[RUN].facts["cluster"] = self._cluster.facts()
            return self._cluster

        @pytest.fixture(scope="session")
        def smi_workload(pytestconfig: pytest.Config, smi_started: Mesh, request: pytest.FixtureRequest) -> Scene:
            run = pytestconfig.stash[RUN]
            run.scene = scene = self._scene or Scene(self._cluster, run.profile, run.processes.run)
            if self._scene is None:
                scene.deploy()
            request.getfixturevalue("smi_mesh")
            scene.wait()
            scene.revokes = scene.stands = True  # the mesh of the run before may not have
            scene.standing = None  # it went with the definitions
            scene.introduced.clear()  # not to this mesh
            self._scene = scene
            run.facts["scene"] = {"namespaces": [scene.namespace, scene.namespace2]}
            return scene

        found = ModuleType("smi_stage")
        found.__dict__.update(smi_cluster=smi_cluster, smi_workload=smi_workload)
        return found

    def close(self) -> None:
        """End the cluster, and with it all pods."""
        self._cluster.close()


class _Usher:
    """Registers the stage's fixtures after the plugin whose they replace: the last one counts."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.register(self._stage.fixtures(), "smi-stage")


def main() -> None:
    """Serve orders until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what pytest prints is no answer
    with contextlib.closing(Stage()) as stage:
        for order in map(json.loads, sys.stdin):
            if record := order.get("record"):
                found = stage.record(order["requirements"], Path(record))
            else:
                found = stage.judge(order["fault"], order["requirements"], *order["arguments"])
            told = [{name: one[name] for name in ("requirement", "verdict", "message")} for one in found]
            print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
