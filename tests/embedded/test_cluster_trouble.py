"""An API server that misbehaves: what is repeated, what is not, and the one line that is told in the end."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_smi.cluster.api import Api, Refused, path_of
from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.cluster.kubeconfig import KubeconfigCluster
from pytest_smi.errors import ClusterError
from tests.embedded.misbehaving import Misbehaving

NAMESPACES = path_of("v1", "Namespace")


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedCluster]:
    cluster = EmbeddedCluster()
    cluster.wait()
    yield cluster
    cluster.close()


@pytest.fixture
def proxy(embedded: EmbeddedCluster, tmp_path: Path) -> Iterator[Misbehaving]:
    assert embedded.kubeconfig
    found = Misbehaving(embedded.kubeconfig, tmp_path)
    yield found
    found.close()


@pytest.fixture
def api(proxy: Misbehaving) -> Api:
    """An API that has answered once, so that its absence is waited for."""
    found = KubeconfigCluster(str(proxy.kubeconfig)).api
    found.get("/version")
    proxy.requests.clear()
    return found


def thing(name: str | None = None) -> dict[str, Any]:
    meta = {"name": name or f"thing-{secrets.token_hex(4)}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "b"}}


def path(manifest: dict[str, Any]) -> str:
    return path_of("v1", "ConfigMap", "default", manifest["metadata"]["name"])


def one_line(fault: BaseException) -> str:
    assert "\n" not in str(fault)
    return str(fault)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_read_is_repeated_when_the_server_cannot(api: Api, proxy: Misbehaving, status: int) -> None:
    with proxy.fault("GET", times=2, status=status):
        assert api.list(NAMESPACES)
    assert len(proxy.requests) == 3


def test_a_server_that_breaks_down_each_time_is_told_soon(api: Api, proxy: Misbehaving) -> None:
    with proxy.fault("GET", status=500, message="etcdserver: no leader"), pytest.raises(Refused) as raised:
        api.list(NAMESPACES)
    assert "the API server cannot answer: GET /api/v1/namespaces: 500: etcdserver: no leader" in one_line(raised.value)
    assert len(proxy.requests) == 3


def test_the_server_says_when_to_come_again(api: Api, proxy: Misbehaving) -> None:
    began = time.monotonic()
    with proxy.fault("POST", times=1, status=429, headers={"Retry-After": "1"}):
        api.create(thing())
    assert time.monotonic() - began >= 1
    assert len(proxy.requests) == 2, "what was turned away unread can be sent again, whatever it is"


def test_a_server_that_is_too_busy_for_long_is_not_waited_for(api: Api, proxy: Misbehaving) -> None:
    with proxy.fault("GET", status=429, headers={"Retry-After": "3600"}), pytest.raises(Refused) as raised:
        api.list(NAMESPACES)
    assert "the API server is too busy" in one_line(raised.value)
    assert len(proxy.requests) == 1


def test_an_apply_whose_answer_is_lost_is_repeated(api: Api, proxy: Misbehaving) -> None:
    manifest = thing()
    with proxy.fault("PATCH", how="lose", times=2):
        applied = api.apply(manifest)
    assert applied["data"] == {"a": "b"}
    assert len(proxy.requests) == 3


def test_a_creation_whose_answer_is_lost_is_not_repeated(api: Api, proxy: Misbehaving) -> None:
    manifest = thing()
    with proxy.fault("POST", how="lose", times=1), pytest.raises(ClusterError) as raised:
        api.create(manifest)
    assert "did not answer POST /api/v1/namespaces/default/configmaps: the connection broke" in one_line(raised.value)
    assert len(proxy.requests) == 1
    assert api.get(path(manifest))["data"] == {"a": "b"}


def test_a_deletion_whose_answer_is_lost_is_repeated(api: Api, proxy: Misbehaving) -> None:
    manifest = thing()
    api.create(manifest)
    with proxy.fault("DELETE", how="lose", times=1):
        api.delete(path(manifest))
    assert api.find(path(manifest)) is None


def test_a_server_that_is_away_for_a_while_is_waited_for(api: Api, proxy: Misbehaving) -> None:
    proxy.down()
    threading.Timer(1.0, proxy.up).start()
    api.create(thing())  # never arrived, so nothing is repeated
    assert len(proxy.requests) == 1


def test_a_server_that_was_never_there_is_told_soon(proxy: Misbehaving) -> None:
    proxy.down()
    began = time.monotonic()
    with pytest.raises(ClusterError) as raised:
        KubeconfigCluster(str(proxy.kubeconfig)).api.get("/version")
    proxy.up()
    assert "did not answer GET /version: connection refused (is the cluster running" in one_line(raised.value)
    assert time.monotonic() - began < 10


def test_a_server_that_says_nothing_is_told_after_the_time_limit(proxy: Misbehaving) -> None:
    client = KubeconfigCluster(str(proxy.kubeconfig)).api.transport.client
    with proxy.fault("GET", how="hang"), pytest.raises(ClusterError) as raised:
        Api(client, timeout=0.5, patience=1.0).get("/version")
    assert "did not answer GET /version: no answer within the time limit" in one_line(raised.value)


def test_a_webhook_that_is_down_is_named(api: Api, proxy: Misbehaving) -> None:
    message = (
        'Internal error occurred: failed calling webhook "validate.example.com": failed to call webhook: Post '
        '"https://validator.mesh-system.svc:443/x?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused'
    )
    with proxy.fault("PATCH", status=500, message=message), pytest.raises(Refused) as raised:
        api.apply(thing())
    line = one_line(raised.value)
    assert line.startswith("admission webhook validate.example.com does not answer: PATCH /api/v1/")
    assert "kubectl get pods,endpoints -n mesh-system" in line


def test_an_answer_of_something_else_than_an_api_server(api: Api, proxy: Misbehaving) -> None:
    with proxy.fault("GET", status=407, message="proxy authentication required"), pytest.raises(Refused) as raised:
        api.list(NAMESPACES)
    assert "GET /api/v1/namespaces: 407" in one_line(raised.value)


def changed(embedded: EmbeddedCluster, folder: Path, **cluster: str) -> str:
    """The kubeconfig of the embedded cluster with other entries for the cluster."""
    assert embedded.kubeconfig
    config = yaml.safe_load(embedded.kubeconfig.read_text())
    config["clusters"][0]["cluster"] |= cluster
    found = folder / "changed"
    found.write_text(yaml.safe_dump(config))
    return str(found)


def test_a_certificate_of_a_stranger(embedded: EmbeddedCluster, tmp_path: Path) -> None:
    other = EmbeddedCluster()
    try:
        other.wait()
        assert other.kubeconfig
        entry = yaml.safe_load(other.kubeconfig.read_text())["clusters"][0]["cluster"]
    finally:
        other.close()
    ca = entry["certificate-authority-data"]
    assert base64.b64decode(ca).startswith(b"-----BEGIN CERTIFICATE")
    config = changed(embedded, tmp_path, **{"certificate-authority-data": ca})
    with pytest.raises(ClusterError) as raised:
        KubeconfigCluster(config).api.get("/version")
    line = one_line(raised.value)
    assert "did not answer GET /version: its certificate is not one that we trust" in line
    assert "fetch its kubeconfig again" in line


def test_https_to_a_port_that_speaks_http(embedded: EmbeddedCluster, proxy: Misbehaving, tmp_path: Path) -> None:
    config = changed(embedded, tmp_path, server=f"https://127.0.0.1:{proxy.port}")
    with pytest.raises(ClusterError) as raised:
        KubeconfigCluster(config).api.get("/version")
    assert "TLS" in one_line(raised.value)


def test_a_node_that_is_not_ready_is_named(proxy: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = KubeconfigCluster(str(proxy.kubeconfig))
    monkeypatch.setattr("pytest_smi.cluster.nodes._SECONDS", 0.5)
    (node,) = cluster.api.list(path_of("v1", "Node"))
    status = path_of("v1", "Node", name=node["metadata"]["name"]) + "/status"
    ready = [one for one in node["status"]["conditions"] if one["type"] == "Ready"]
    sick = [{**one, "status": "False", "reason": "KubeletNotReady", "message": "no CNI"} for one in ready]
    cluster.api.patch(status, {"status": {"conditions": sick}})
    try:
        with pytest.raises(ClusterError) as raised:
            cluster.facts()
    finally:
        cluster.api.patch(status, {"status": {"conditions": ready}})
    assert "is not ready (KubeletNotReady: no CNI)" in one_line(raised.value)
    assert cluster.facts()["nodes"]
