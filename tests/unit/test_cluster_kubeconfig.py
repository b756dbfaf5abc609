"""Which cluster is taken: a kubeconfig's, or in a pod the one that runs it; and one line for what cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_smi.cluster.kubeconfig import KubeconfigCluster, in_pod
from pytest_smi.errors import ClusterError

CONFIG = """
apiVersion: v1
kind: Config
current-context: dev
clusters: [{name: dev, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: dev, user: {token: t}}]
contexts:
- {name: dev, context: {cluster: dev, user: dev}}
- {name: kind-dev, context: {cluster: dev, user: dev}}
"""


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The surroundings of a pod with a ServiceAccount, and no kubeconfig anywhere; the account's folder."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("of-a-pod")
    (folder / "ca.crt").write_text("-----BEGIN CERTIFICATE-----")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name, value in {"HOST": "127.0.0.1", "PORT": "9"}.items():
        monkeypatch.setenv(f"KUBERNETES_SERVICE_{name}", value)
    monkeypatch.setenv("SMI_SERVICEACCOUNT", str(folder))
    return folder


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "kubeconfig"
    path.write_text(CONFIG)
    return str(path)


def test_a_pod_without_a_kubeconfig_uses_its_own_account(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pod / "ca.crt").unlink()
    with pytest.raises(ClusterError, match="no cluster: Service certification file does not exist"):
        KubeconfigCluster()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert not in_pod()


def test_a_named_kubeconfig_wins_over_the_pod(pod: Path, config: str) -> None:
    cluster = KubeconfigCluster(config)
    assert cluster.api.transport.host == "http://127.0.0.1:9"
    assert cluster.api.transport.credentials() == {"authorization": "Bearer t"}


def test_a_kubeconfig_in_its_default_place_wins_over_the_pod(pod: Path) -> None:
    (pod.parent / ".kube").mkdir()
    (pod.parent / ".kube" / "config").write_text("{}")
    with pytest.raises(ClusterError, match="no cluster: "):
        KubeconfigCluster()


def test_an_unknown_context_is_told_with_the_nearest_one(config: str) -> None:
    with pytest.raises(ClusterError, match=r"no context kind-dv in .*kubeconfig \(did you mean kind-dev\?\)"):
        KubeconfigCluster(config, "kind-dv")


def test_an_unknown_context_is_told_with_those_there_are(config: str) -> None:
    with pytest.raises(ClusterError, match=r"no context mars in .*kubeconfig \(it has dev, kind-dev\)"):
        KubeconfigCluster(config, "mars")


@pytest.mark.parametrize("text", ["", "[]", "a: [", "contexts: 7", "{}", "current-context: x"])
def test_a_file_that_is_no_kubeconfig_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    for context in (None, "dev"):
        with pytest.raises(ClusterError) as raised:
            KubeconfigCluster(str(path), context)
        assert raised.value.what.startswith("no cluster: ")
        assert "\n" not in str(raised.value)
