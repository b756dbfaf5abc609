"""The suite as a pod inside the cluster: by its own account, with its own rights, its results out of its log."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.kubeconfig import SERVICEACCOUNT
from tests.embedded.cluster_process import until
from tests.embedded.standing_mesh import PROFILE, snapshot, standing_mesh

SECONDS = 180.0
CHOSEN = "--smi-requirement=TA-001,TA-005,TS-007"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with standing_mesh(tmp_path_factory.mktemp("mesh")) as found:
        yield found


def cli(*arguments: str, text: str = "") -> str:
    command = [sys.executable, "-m", "pytest_smi.cli", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


@pytest.fixture
def manifests(tmp_path: Path) -> list[dict[str, Any]]:
    """What `pytest-smi job` prints."""
    (tmp_path / "mine.toml").write_text(PROFILE)
    mesh = f"--mesh={tmp_path / 'mine.toml'}"
    printed = cli("job", "--image=suite:1", mesh, "--", CHOSEN, "-q", "-p", "no:hypothesispytest")
    return list(yaml.safe_load_all(printed))


def as_pod(cluster: EmbeddedCluster, template: dict[str, Any]) -> dict[str, Any]:
    """The pod that the Job would make, with what a real cluster adds: the account's token, and the server's address.

    The embedded cluster has no Jobs, and gives pods no tokens.
    """
    assert cluster.kubeconfig
    config = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    path = "/api/v1/namespaces/default/serviceaccounts/pytest-smi/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    token = cluster.api.request("POST", path, asked).body["status"]["token"]
    data = {"token": base64.b64encode(token.encode()).decode(), "ca.crt": config["certificate-authority-data"]}
    meta = {"name": "account", "namespace": "default"}
    cluster.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    server = urlsplit(config["server"])
    env = {"KUBERNETES_SERVICE_HOST": server.hostname, "KUBERNETES_SERVICE_PORT": str(server.port)}
    env["SMI_SERVICEACCOUNT"] = SERVICEACCOUNT  # the embedded cluster's pods see the mounts of their own only by name
    (container,) = template["spec"]["containers"]
    container["env"] += [{"name": name, "value": value} for name, value in env.items()]
    container["volumeMounts"].append({"name": "account", "mountPath": SERVICEACCOUNT})
    template["spec"]["volumes"].append({"name": "account", "secret": {"secretName": "account"}})
    meta = {"name": "suite", "namespace": "default", "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def ended(cluster: EmbeddedCluster) -> str:
    """The phase of the pod, once it has ended."""

    def phase() -> str | None:
        found = str(cluster.api.get("/api/v1/namespaces/default/pods/suite")["status"].get("phase"))
        return found if found in ("Succeeded", "Failed") else None

    return until("the suite's pod to end", phase, SECONDS)


def test_the_job_runs_the_suite_and_its_results_come_out_of_its_log(
    cluster: EmbeddedCluster, manifests: list[dict[str, Any]], tmp_path: Path
) -> None:
    before = snapshot(cluster.api)
    *first, job = manifests
    for manifest in first:
        cluster.api.apply(manifest)
    pod = as_pod(cluster, job["spec"]["template"])
    made = snapshot(cluster.api).keys() - before.keys()
    cluster.api.create(pod)
    phase = ended(cluster)
    log = cluster.logs("default", "suite")
    assert phase == "Succeeded", log
    printed = cli("collect", f"--out={tmp_path / 'results'}", text=log)
    assert printed.splitlines() == [f"{tmp_path / 'results'}/{name}" for name in ("junit.xml", "results.json")]
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert results["complete"] is True
    assert [one["verdict"] for one in results["instances"]] == ["pass"] * len(results["instances"])
    assert len(results["instances"]) >= 3
    cluster.api.delete("/api/v1/namespaces/default/pods/suite", gracePeriodSeconds=0)
    until("the pod to go", lambda: cluster.api.find("/api/v1/namespaces/default/pods/suite") is None)
    assert snapshot(cluster.api).keys() - before.keys() == made, "the run itself has left nothing"


def test_the_job_is_one_that_kubernetes_takes(manifests: list[dict[str, Any]]) -> None:
    """Read and written by the official client's model, in which an unknown or misplaced field would not survive."""
    from kubernetes import client

    job = manifests[-1]
    if not hasattr(client.V1Job, "from_dict"):
        pytest.skip("the models of this release of the kubernetes client read no dictionaries")
    assert client.ApiClient().sanitize_for_serialization(client.V1Job.from_dict(job)) == job


def test_sonobuoy_finds_the_results_where_its_plugin_says(tmp_path: Path) -> None:
    """The plugin's command with its environment, its results directory being one of ours."""
    plugin = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "sonobuoy-plugin.yaml").read_text())
    assert plugin["sonobuoy-config"]["result-format"] == "junit"
    spec = plugin["spec"]
    env = {one["name"]: one["value"] for one in spec["env"]}
    assert env["SONOBUOY_RESULTS_DIR"] == spec["volumeMounts"][0]["mountPath"] == "/tmp/sonobuoy/results"
    assert spec["command"][0] == "python3"
    (tmp_path / "test_one.py").write_text("def test_one(): pass\n")
    results = tmp_path / "results"
    done = subprocess.run(
        [sys.executable, *spec["command"][1:], *spec["args"], "-p", "no:hypothesispytest", "test_one.py"],
        cwd=tmp_path,
        env={"PATH": "", "SMI_MESH": "reference", "SONOBUOY_RESULTS_DIR": str(results)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packed = Path((results / "done").read_text())
    assert packed.parent == results
    listed = subprocess.run(["tar", "-tzf", packed], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["junit.xml", "results.json"]
