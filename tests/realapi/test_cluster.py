"""The embedded cluster on a real kube-apiserver: node, controllers, streams through the kubelet endpoint, its end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.cluster_process import SERVER, Cluster, until
from tests.embedded.kubeapi_harness import kubectl_path

if TYPE_CHECKING:
    from pytest_smi.embedded.realapi.assets import Assets

PODS = "/api/v1/namespaces/default/pods"


def kubectl(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [kubectl_path(), "--kubeconfig", cluster.said["kubeconfig"], *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def teapot(cluster: Cluster) -> str:
    """The name of a pod that serves HTTP at port 8080."""
    container = {
        "name": "app",
        "image": "python",
        "command": ["python3", "-c", SERVER],
        "env": [{"name": "BIND_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "teapot"}, "spec": {"containers": [container]}}
    cluster.until(
        "the default ServiceAccount", lambda: cluster.find("/api/v1/namespaces/default/serviceaccounts/default")
    )
    cluster.create("v1", "pods", "default", pod)
    cluster.until("a pod that runs", lambda: _running(cluster.get(f"{PODS}/teapot")))
    cluster.until("its first words", lambda: "serving" in kubectl(cluster, "logs", "teapot").stdout or None)
    return "teapot"


def _running(pod: dict[str, Any]) -> bool | None:
    return pod["status"].get("phase") == "Running" or None


def test_it_is_a_real_one(cluster: Cluster) -> None:
    version = cluster.get("/version")
    assert version["compiler"] == "gc"
    assert {group["name"] for group in cluster.get("/apis")["groups"]} >= {"batch", "flowcontrol.apiserver.k8s.io"}


def test_logs_come_through_the_kubelet_endpoint(cluster: Cluster, teapot: str) -> None:
    assert kubectl(cluster, "logs", teapot, "--tail=1").stdout == "serving\n"


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_exec_comes_through_the_kubelet_endpoint(
    cluster: Cluster, teapot: str, websockets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
    done = kubectl(cluster, "exec", teapot, "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.returncode) == ("out\n", 3)
    assert "err\n" in done.stderr


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_port_forward_comes_through_the_kubelet_endpoint(
    cluster: Cluster, teapot: str, websockets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
    command = [kubectl_path(), "--kubeconfig", cluster.said["kubeconfig"], "port-forward", teapot, ":8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        port = forward.stdout.readline().partition("127.0.0.1:")[2].partition(" ")[0]
        answer = subprocess.run(
            ["python3", "-c", f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/').status)"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        forward.terminate()
    assert answer.stdout == "200\n", answer.stderr


def test_a_deployment_comes_up_and_its_service_has_slices_of_names(cluster: Cluster) -> None:
    template = {
        "metadata": {"labels": {"app": "pot"}},
        "spec": {"containers": [{"name": "a", "image": "a", "command": ["sleep", "600"]}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "pot"}}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "pot"}, "spec": spec}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pot"}}
    service["spec"] = {"selector": {"app": "pot"}, "ports": [{"port": 80}]}
    cluster.create("v1", "services", "default", service)
    cluster.create("apps/v1", "deployments", "default", deployment)
    path = "/apis/apps/v1/namespaces/default/deployments/pot"
    cluster.until("two pods", lambda: cluster.get(path)["status"].get("availableReplicas") == 2 or None)
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

    def addresses() -> list[str] | None:
        found = [
            address
            for one in cluster.items(slices, labelSelector="kubernetes.io/service-name=pot")
            for endpoint in one.get("endpoints") or ()
            for address in endpoint["addresses"]
            if one["addressType"] == "FQDN"
        ]
        return found if len(found) == 2 else None

    assert all(address.startswith("127.") for address in cluster.until("two endpoints", addresses))


def test_aggregated_roles_gain_their_rules(cluster: Cluster) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view"
    cluster.until("the rules of view", lambda: cluster.get(path).get("rules") or None)


def test_a_program_that_ends_ends_the_cluster_with_its_name(programs: Assets, tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "state")
    try:
        children = Path(f"/proc/{cluster.process.pid}/task/{cluster.process.pid}/children").read_text().split()
        (etcd,) = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == programs.etcd.name]
        os.kill(etcd, signal.SIGKILL)
        assert "etcd has ended with status -9" in cluster.first_line()["error"]
        until("the end", lambda: cluster.process.poll() == 3 or None)
    finally:
        cluster.close()
