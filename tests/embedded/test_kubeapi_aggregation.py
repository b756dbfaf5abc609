"""An APIService's own server, behind a Service in the cluster or outside it, answers through the API server."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.embedded.kubeapi import tls
from pytest_smi.embedded.kubeapi.aggregation_target import URL_ANNOTATION
from pytest_smi.embedded.rest import ApiFailure
from tests.embedded.kubeapi_harness import DEADLINE_SECONDS, Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "metrics.tea.example"
BASE = f"/apis/{GROUP}/v1alpha1"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"v1alpha1.{GROUP}"


class Metrics(BaseHTTPRequestHandler):
    """Serves discovery, one list that tells what was received, and a watch of two events."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == BASE:
            entry = {
                "name": "brews",
                "singularName": "brew",
                "kind": "Brew",
                "namespaced": True,
                "verbs": ["get", "list"],
            }
            self._send({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1alpha1",
                        "resources": [entry]})  # fmt: skip
        elif "watch=true" in self.path:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for name in ("a", "b"):
                event = json.dumps({"type": "ADDED", "object": {"metadata": {"name": name, "resourceVersion": "1"}}})
                self.wfile.write(b"%x\r\n%b\n\r\n" % (len(event) + 1, event.encode()))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, body: str = "") -> None:
        certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        received = {
            "path": self.path,
            "body": body,
            "headers": self.headers.items(),
            "subject": certificate and certificate["subject"],
        }
        metadata = {"name": "x", "namespace": "default"}
        item = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Brew", "metadata": metadata, "received": received}
        self._send({"kind": "BrewList", "apiVersion": f"{GROUP}/v1alpha1", "metadata": {}, "items": [item]})

    def _send(self, obj: dict[str, Any]) -> None:
        body = json.dumps(obj).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Brewed-By", "metrics")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Backend:
    """A metrics server on a port of its own; with a context it speaks TLS."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Metrics)
        self._server.daemon_threads = True
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics")
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


def api_service(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": NAME, "annotations": annotations or {}},
        "spec": {
            "group": GROUP,
            "version": "v1alpha1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 10,
            "service": {"namespace": "default", "name": "metrics"},
            **spec,
        },
    }


def wait_for_condition(cluster: Cluster, status: str, reason: str) -> dict[str, Any]:
    """The condition Available once it has this status and reason; fails after the deadline with what was seen."""
    end = time.monotonic() + DEADLINE_SECONDS
    condition: dict[str, Any] = {}
    while time.monotonic() < end:
        found = cluster.request("GET", f"{SERVICES}/{NAME}")
        condition = next(iter((found.get("status") or {}).get("conditions") or [{}]))
        if (condition.get("status"), condition.get("reason")) == (status, reason):
            return condition
    raise AssertionError(f"Available did not become {status} ({reason}); last seen: {condition}")


def received(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["items"][0]["received"]
    return found


def test_a_server_outside_the_cluster_is_reached_by_annotation(cluster: Cluster, backend: Backend) -> None:
    cluster.request("POST", SERVICES, api_service({URL_ANNOTATION: f"http://127.0.0.1:{backend.port}"}))
    condition = wait_for_condition(cluster, "True", "Passed")
    assert condition["message"] == "all checks passed"
    got = received(cluster.request("GET", f"{BASE}/namespaces/default/brews", labelSelector="a=b"))
    assert got["path"] == f"{BASE}/namespaces/default/brews?labelSelector=a%3Db"
    headers = [(name.lower(), value) for name, value in got["headers"]]
    assert ("x-remote-user", "kubernetes-admin") in headers
    assert [value for name, value in headers if name == "x-remote-group"] == ["system:masters", "system:authenticated"]
    assert not [name for name, _ in headers if name == "authorization"]
    posted = received(cluster.request("POST", f"{BASE}/namespaces/default/brews", {"kind": "Brew"}))
    assert json.loads(posted["body"]) == {"kind": "Brew"}


def test_a_watch_streams_through(cluster: Cluster, backend: Backend) -> None:
    cluster.request("POST", SERVICES, api_service({URL_ANNOTATION: f"http://127.0.0.1:{backend.port}"}))

    async def names() -> list[str]:
        from pytest_smi.embedded.rest import Client

        client = Client(cluster.http, cluster.token)
        found = [event["object"]["metadata"]["name"] async for event in client.watch(f"{BASE}/brews")]
        client.close()
        return found

    assert cluster.run(names()) == ["a", "b"]


def test_kubectl_discovers_and_lists_the_aggregated_kind(cluster: Cluster, backend: Backend) -> None:
    cluster.request("POST", SERVICES, api_service({URL_ANNOTATION: f"http://127.0.0.1:{backend.port}"}))
    wait_for_condition(cluster, "True", "Passed")
    assert "brews" in cluster.kubectl("api-resources", "--api-group", GROUP).stdout
    assert cluster.kubectl("get", "brews", "-o", "name").stdout.strip() == f"brew.{GROUP}/x"
    assert cluster.kubectl("wait", "--for=condition=Available", f"apiservice/{NAME}", "--timeout=5s").returncode == 0


def in_cluster_service(cluster: Cluster, port: int) -> None:
    """A Service without a selector whose Endpoints lead to a port of this machine."""
    metadata = {"name": "metrics", "namespace": "default"}
    spec = {"ports": [{"name": "api", "port": 443}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    cluster.request("POST", "/api/v1/namespaces/default/services", service)
    subset = {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "api", "port": port}]}
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]}
    cluster.request("POST", "/api/v1/namespaces/default/endpoints", endpoints)


def test_a_server_behind_a_service_knows_us_by_the_front_proxy_certificate(cluster: Cluster, tmp_path: Path) -> None:
    config = cluster.request("GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")
    authority = tls.new_authority("metrics-ca")
    pair = authority.issue("metrics", dns=["metrics.default.svc"])
    folder = tmp_path / "backend"
    folder.mkdir()
    context = tls.server_context(pair, folder, client_ca_pem=config["data"]["requestheader-client-ca-file"])
    context.verify_mode = ssl.CERT_REQUIRED
    backend = Backend(context)
    try:
        in_cluster_service(cluster, backend.port)
        bundle = base64.b64encode(authority.cert_pem.encode()).decode()
        cluster.request("POST", SERVICES, api_service(caBundle=bundle))
        wait_for_condition(cluster, "True", "Passed")
        subject = received(cluster.request("GET", f"{BASE}/brews"))["subject"]
        names = json.loads(config["data"]["requestheader-allowed-names"])
        assert subject == [[["commonName", names[0]]]]
    finally:
        backend.stop()


def test_a_server_that_another_authority_vouches_for_is_not_believed(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "backend"
    folder.mkdir()
    context = tls.server_context(tls.new_authority("a").issue("metrics", dns=["metrics.default.svc"]), folder)
    backend = Backend(context)
    try:
        in_cluster_service(cluster, backend.port)
        bundle = base64.b64encode(tls.new_authority("b").cert_pem.encode()).decode()
        cluster.request("POST", SERVICES, api_service(caBundle=bundle))
        condition = wait_for_condition(cluster, "False", "FailedDiscoveryCheck")
        assert "CERTIFICATE_VERIFY_FAILED" in condition["message"]
    finally:
        backend.stop()


def test_a_server_that_is_away_is_unavailable_and_back_as_soon_as_it_is_up(cluster: Cluster) -> None:
    first = Backend()
    first.stop()
    cluster.request("POST", SERVICES, api_service({URL_ANNOTATION: f"http://127.0.0.1:{first.port}"}))
    wait_for_condition(cluster, "False", "FailedDiscoveryCheck")
    with pytest.raises(ApiFailure) as failure:
        cluster.request("GET", f"{BASE}/brews")
    assert (failure.value.code, failure.value.reason) == (503, "ServiceUnavailable")
    assert "currently unable to handle the request" in failure.value.message
    second = Backend(port=first.port)
    try:
        wait_for_condition(cluster, "True", "Passed")
        assert received(cluster.request("GET", f"{BASE}/brews"))["path"] == f"{BASE}/brews"
    finally:
        second.stop()


def test_a_missing_service_is_named_and_a_deleted_apiservice_is_gone(cluster: Cluster) -> None:
    cluster.request("POST", SERVICES, api_service())
    condition = wait_for_condition(cluster, "False", "ServiceNotFound")
    assert condition["message"] == 'service/"metrics" in "default" is not present'
    assert GROUP in [group["name"] for group in cluster.request("GET", "/apis")["groups"]]
    cluster.request("DELETE", f"{SERVICES}/{NAME}")
    with pytest.raises(ApiFailure) as failure:
        cluster.request("GET", f"{BASE}/brews")
    assert failure.value.code == 404
    assert GROUP not in [group["name"] for group in cluster.request("GET", "/apis")["groups"]]


def test_an_apiservice_without_a_service_is_ours_and_available(cluster: Cluster) -> None:
    manifest = api_service()
    del manifest["spec"]["service"]
    cluster.request("POST", SERVICES, manifest)
    wait_for_condition(cluster, "True", "Local")


def test_rights_are_checked_before_a_request_is_sent_on(cluster: Cluster, backend: Backend) -> None:
    cluster.request("POST", SERVICES, api_service({URL_ANNOTATION: f"http://127.0.0.1:{backend.port}"}))
    with pytest.raises(ApiFailure, match=f'brews.{GROUP} is forbidden: User "otto"'):
        cluster.request("GET", f"{BASE}/brews", token=cluster.otto_token)
