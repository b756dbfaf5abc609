"""A mesh that is there already: looked at before it is judged, never changed, and asked what it says at a failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.rights import RIGHTS, manifests
from pytest_smi.mesh.install import bring, claim, remove
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.rights import rights_of
from tests.embedded.run_process import PytestRun
from tests.embedded.standin_mesh import NAMESPACE, profile
from tests.embedded.test_run_rights import kubeconfig_of

FEW = "--smi-requirement=TA-004,TA-005"
MODE = f"/api/v1/namespaces/{NAMESPACE}/configmaps/mode"

Start = Callable[..., PytestRun]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """A cluster with the stand-in on it, which lets everybody do everything: a defect that tests of access see."""
    folder = tmp_path_factory.mktemp("standin")
    (folder / "mine.toml").write_text(profile(folder))
    os.environ.update(STANDIN_PYTHON=sys.executable, STANDIN_FAULT="allow-all")
    found = EmbeddedCluster()
    try:
        found.wait()
        record = claim(found, load_profile(str(folder / "mine.toml")), "elsewhere")
        try:
            bring(found, record)
            yield found
        finally:
            remove(found, record)
    finally:
        found.close()
        del os.environ["STANDIN_PYTHON"], os.environ["STANDIN_FAULT"]


@pytest.fixture
def start(cluster: EmbeddedCluster, tmp_path: Path) -> Iterator[Start]:
    """Starts a run that judges what is there; keywords change parts of the profile."""
    runs: list[PytestRun] = []

    def begin(*arguments: str, reports: bool = False, **parts: str) -> PytestRun:
        (tmp_path / "mine.toml").write_text(profile(tmp_path, **parts))
        where = ["--smi-mesh=./mine.toml", f"--smi-kubeconfig={cluster.kubeconfig}"]
        runs.append(PytestRun(tmp_path, *where, *arguments, reports=reports))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


@pytest.fixture
def permissive(cluster: EmbeddedCluster) -> Iterator[None]:
    """For the length of a test, the mesh is in the mode that it must not be in."""
    cluster.api.patch(MODE, {"data": {"permissive": "true"}})
    yield
    cluster.api.patch(MODE, {"data": {"permissive": "false"}})


def ending(run: PytestRun) -> str:
    (line,) = (line for line in run.said.splitlines() if line.startswith("exit "))
    return line


def refused(run: PytestRun) -> str:
    """The ending of a run that judged nothing."""
    assert run.status == 3, run.said
    assert run.verdicts() == {}
    assert run.results()["complete"] is False
    assert "Traceback" not in run.said
    return ending(run)


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
@pytest.mark.usefixtures("permissive")
def test_a_mesh_in_the_wrong_mode_is_not_judged(start: Start, processes: str) -> None:
    assert refused(start(FEW, processes)) == (
        "exit 3: standin is not configured for SMI, not so: permissive mode is off (.data.permissive of ConfigMap "
        f"{NAMESPACE}/mode: 'true'): kubectl patch configmap mode"
    )


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
@pytest.mark.usefixtures("permissive")
def test_when_told_to_it_is_judged_all_the_same_and_the_results_say_so(start: Start, processes: str) -> None:
    run = start(FEW, processes, "--smi-force")
    assert run.status == 1, run.said
    assert run.verdicts() == {"TA-004[access-v1alpha3]": "pass", "TA-005[access-v1alpha3]": "fail"}
    found = run.results()
    assert found["settings"]["force"] is True
    assert [one["that"] for one in found["mesh"]["preconditions"] if not one["held"]] == ["permissive mode is off"]
    assert ", forced" in run.said
    assert found["mesh"]["installed"] is False


@pytest.fixture
def without_metrics(cluster: EmbeddedCluster) -> Iterator[None]:
    """For the length of a test, nobody serves the metrics API."""
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.metrics.smi-spec.io"
    found = cluster.api.get(path)
    cluster.api.delete(path)
    yield
    meta = {"name": found["metadata"]["name"], "labels": found["metadata"].get("labels", {})}
    cluster.api.create({**found, "metadata": meta})


@pytest.mark.usefixtures("without_metrics")
def test_an_api_version_that_the_cluster_does_not_serve_is_named(start: Start) -> None:
    versions = 'access = ["v1alpha3"]\nspecs = ["v1alpha4"]\nmetrics = ["v1alpha1"]'
    assert "not so: the cluster serves TrafficMetrics of metrics.smi-spec.io/v1alpha1 (it does not)" in refused(
        start(FEW, "-n0", versions=versions)
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ('["controller", "injector"]', "Stand-in is only half installed: no deployment injector in namespace"),
        ('["nowhere"]', "there is no Stand-in on this cluster: no deployment nowhere in namespace"),
    ],
)
def test_a_mesh_that_is_not_there_or_only_half_is_one_line(start: Start, names: str, told: str) -> None:
    assert told in refused(start(FEW, "-n0", ready=f"deployments = {names}"))


def test_a_mesh_that_does_not_become_ready_names_what_is_missing(start: Start) -> None:
    ready = """deployments = ["controller"]
webhooks = ["no-such-webhook"]
seconds = 1
[[ready.http]]
pods = { app = "controller" }
port = 9"""
    told = refused(start(FEW, "-n0", ready=ready))
    assert "the standin mesh is not ready after 1 s: no webhook configuration no-such-webhook; port 9/ of pods" in told


def test_a_pod_that_is_not_in_the_mesh_stops_the_run_and_is_named(start: Start) -> None:
    run = start(FEW, "-n0", injection='containers = ["envoy"]')
    assert run.status == 3, run.said
    assert set(run.verdicts().values()) == {"error"}
    assert "is not configured for SMI: pod tea-" in ending(run)
    assert "is not in the mesh: it has no container envoy" in ending(run)


def test_a_pod_that_should_stay_outside_is_named_too(start: Start) -> None:
    run = start(FEW, "-n0", injection='annotations = ["embedded.pytest-smi.dev/private-address"]')
    assert run.status == 3, run.said
    assert "should stay outside the mesh, but has annotation embedded.pytest-smi.dev/private-add" in ending(run)


@pytest.mark.parametrize("told", [True, False])
def test_rights_to_look_at_the_mesh_come_with_the_role_for_its_profile(
    cluster: EmbeddedCluster, start: Start, tmp_path: Path, told: bool
) -> None:
    (tmp_path / "mine.toml").write_text(profile(tmp_path))
    account = f"may-look-{told}".lower()
    rights = rights_of(load_profile(str(tmp_path / "mine.toml"))) if told else RIGHTS
    kubeconfig = kubeconfig_of(cluster, tmp_path, account, manifests("default", account, rights, role=account))
    run = start("--smi-requirement=TA-004", f"--smi-kubeconfig={kubeconfig}", "-n0")
    if told:
        assert run.status == 0, run.said
    else:
        assert f"permissive mode is off (ConfigMap {NAMESPACE}/mode cannot be read: Forbidden): grant" in refused(run)


def test_the_first_failure_has_what_the_mesh_says_of_itself_among_its_evidence(start: Start) -> None:
    run = start("--smi-requirement=TA-005,TA-006", "-n0", reports=True)
    assert run.status == 1, run.said
    steps: list[dict[str, Any]] = [
        {**step, "key": one["key"]}
        for one in run.results()["instances"]
        for step in one["evidence"]["steps"]
        if step["kind"] == "diagnose"
    ]
    (step,) = steps
    (log,) = (text for title, text in step["details"].items() if title.endswith(" log"))
    assert "reconciled, token=[redacted]" in log
    assert "s3cr3t" not in run.said + (run.folder / "results.json").read_text()
    pages = [text for title, text in step["details"].items() if title.endswith(":15900/healthz")]
    assert len(pages) == 2, "the client's pod and the server's"
    assert all('"ok"' in page for page in pages)
    attached = [path.read_text() for path in (run.folder / "allure").glob("*-attachment.json")]
    assert any("reconciled" in text for text in attached)
