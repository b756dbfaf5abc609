"""The suite inside a real cluster, alone and under Sonobuoy: `tests/e2e/run up`, then `.venv/bin/pytest tests/e2e`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import contents
from tests.e2e.builds import built
from tests.e2e.folders import ROOT
from tests.e2e.judge import MESHES, invocation
from tests.e2e.trouble import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.cluster import Cluster

NAMESPACE = "ci"
PROGRAM = str(Path(sys.executable).with_name("pytest-smi"))
INSTALL_SECONDS, RUN_SECONDS, END_SECONDS = 180.0, 400.0, 120.0
PASSING = ("API-001", "API-011", "TA-001", "TA-005", "TA-013", "TA-112", "TS-001", "TSC-010", "XG-001")
"""Of each area something that OSM does: rights to create, change, scale, read logs and forward ports are all used."""


@pytest.fixture(scope="module")
def osm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """OSM on the cluster, kept there by a run that waits."""
    output = tmp_path_factory.mktemp("osm") / "output"
    command, environment = invocation(cluster, MESHES["osm"], ["-n", "0", "--smi-keep", "--smi-requirement=TA-001"])
    with output.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def kept() -> bool:
        assert process.poll() is None, output.read_text()
        return "Ctrl-C ends it" in output.read_text()

    try:
        until(kept, INSTALL_SECONDS, "OSM", output.read_text)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(END_SECONDS)


@pytest.fixture
def job(cluster: Cluster) -> Iterator[Callable[[str], object]]:
    """The state of the Job in a namespace outside the mesh, and what becomes of it."""
    cluster.load([contents.suite()])
    cluster.kubectl("create", "namespace", NAMESPACE)
    told = ["--mesh=osm", f"--image={contents.SUITE}", f"--namespace={NAMESPACE}"]
    manifests = _ours("job", *told, "--", f"--smi-requirement={','.join(PASSING)}")
    try:
        cluster.kubectl("apply", "-f", "-", data=manifests)
        yield lambda state: cluster.get("job", "pytest-smi", "-n", NAMESPACE)["status"].get(state)
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", data=manifests)
        cluster.kubectl("delete", "namespace", NAMESPACE)


@pytest.mark.usefixtures("osm")
def test_the_suite_runs_inside_the_cluster_with_no_more_rights_than_it_prints(
    cluster: Cluster, job: Callable[[str], object], tmp_path: Path
) -> None:
    def log() -> str:
        return cluster.kubectl("logs", "-n", NAMESPACE, "job/pytest-smi")

    until(lambda: job("succeeded") or job("failed"), RUN_SECONDS, "the Job to end", log)
    _ours("collect", "--out", str(tmp_path), data=log())
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert {one["requirement"] for one in results["instances"] if one["verdict"] == "pass"} == set(PASSING)
    assert results["exit"]["status"] == 0
    assert cluster.kubectl("get", "namespaces", "-o", "name").count("/tea") == 2, "the Job has left its scene"


@pytest.mark.usefixtures("osm")
def test_sonobuoy_runs_the_plugin_and_reads_its_results(cluster: Cluster, tmp_path: Path) -> None:
    cluster.load([contents.suite(), contents.sonobuoy()])
    chosen = " ".join(f"--smi-requirement={one}" for one in PASSING)
    told = {"SMI_MESH": "osm", "SMI_IMAGE": contents.SUITE, "PYTEST_ADDOPTS": chosen}
    words = [f"--plugin={ROOT / 'deploy' / 'sonobuoy-plugin.yaml'}", f"--plugin-image=smi:{contents.SUITE}"]
    words += [f"--plugin-env=smi.{name}={value}" for name, value in told.items()]
    # By default workers are told the address as [10.244.0.30], which newer Go does not take for one.
    config = tmp_path / "sonobuoy.json"
    config.write_text(json.dumps({"Server": {"advertiseaddress": "sonobuoy-aggregator:8080"}}), "utf-8")
    words += [f"--config={config}", f"--sonobuoy-image={contents.SONOBUOY}", "--skip-preflight", "--wait=5"]
    try:
        _sonobuoy(cluster, "run", *words)
        until(lambda: _sonobuoy(cluster, "status").count("complete") >= 1, END_SECONDS, "Sonobuoy to pack its results")
        _sonobuoy(cluster, "retrieve", str(tmp_path), "--filename=results.tar.gz")
    finally:
        _sonobuoy(cluster, "delete", "--wait=3")
    read = [str(built("sonobuoy") / "sonobuoy"), "results", str(tmp_path / "results.tar.gz"), "--plugin=smi"]
    summary = subprocess.run(read, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"Status: passed", "Failed: 0"} <= set(summary)


def _sonobuoy(cluster: Cluster, *words: str) -> str:
    program = str(built("sonobuoy") / "sonobuoy")
    return cluster.first.run(program, *words, f"--kubeconfig={cluster.kubeconfig}", seconds=RUN_SECONDS)


def _ours(*words: str, data: str | None = None) -> str:
    return subprocess.run([PROGRAM, *words], input=data, capture_output=True, text=True, check=True).stdout
