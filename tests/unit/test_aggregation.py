"""Where an aggregated server is looked for, and what is told to it about the caller."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pytest_smi.embedded.kubeapi.aggregation_proxy import identity, request_head
from pytest_smi.embedded.kubeapi.aggregation_target import URL_ANNOTATION, Backend, Unavailable, backend_of
from pytest_smi.embedded.kubeapi.http import User


class Store:
    """Objects by (plural, name)."""

    def __init__(self, **kept: list[dict[str, Any]]) -> None:
        self.kept = kept

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return self.kept.get(plural, [])

    def object(self, group: str, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        return next((item for item in self.kept.get(plural, []) if item["metadata"]["name"] == name), None)

    def last_change(self, group: str, plural: str) -> int:
        return 0


def api_service(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    service = {"namespace": "smi", "name": "metrics"}
    return {
        "metadata": {"name": "v1alpha1.metrics.smi-spec.io", "annotations": annotations or {}},
        "spec": {"group": "metrics.smi-spec.io", "version": "v1alpha1", "service": service} | spec,
    }


SERVICE = {
    "metadata": {"name": "metrics"},
    "spec": {"ports": [{"name": "api", "port": 443}, {"name": "b", "port": 80}]},
}

OTHER_PORT = {"namespace": "smi", "name": "metrics", "port": 99}


def endpoint_slice(ready: bool = True, port_name: str = "api") -> dict[str, Any]:
    return {
        "metadata": {"name": "metrics-x", "labels": {"kubernetes.io/service-name": "metrics"}},
        "ports": [{"name": port_name, "port": 8443}],
        "endpoints": [{"addresses": ["127.70.0.9"], "conditions": {"ready": ready}}],
    }


def test_the_endpoint_of_the_service_port_is_used() -> None:
    store = Store(services=[SERVICE], endpointslices=[endpoint_slice()])
    assert backend_of(api_service(), store) == Backend("127.70.0.9", 8443, "metrics.smi.svc")


def test_a_service_may_be_another_name_of_the_server() -> None:
    named = {"metadata": {"name": "metrics"}, "spec": {"type": "ExternalName", "externalName": "127.0.0.1"}}
    found = api_service(service={"namespace": "smi", "name": "metrics", "port": 8443})
    assert backend_of(found, Store(services=[named])) == Backend("127.0.0.1", 8443, "metrics.smi.svc")


def test_endpoints_serve_where_there_is_no_slice() -> None:
    subset = {"addresses": [{"ip": "127.70.0.8"}], "ports": [{"name": "api", "port": 9443}]}
    store = Store(services=[SERVICE], endpoints=[{"metadata": {"name": "metrics"}, "subsets": [subset]}])
    assert backend_of(api_service(), store).port == 9443


def test_the_authority_comes_from_the_bundle_and_verification_can_be_skipped() -> None:
    store = Store(services=[SERVICE], endpointslices=[endpoint_slice()])
    bundle = base64.b64encode(b"PEM").decode()
    assert backend_of(api_service(caBundle=bundle), store).ca_pem == "PEM"
    assert not backend_of(api_service(insecureSkipTLSVerify=True), store).verify


@pytest.mark.parametrize(
    ("url", "host", "port", "secure", "prefix"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, False, ""),
        ("https://localhost/base/", "localhost", 443, True, "/base"),
    ],
)
def test_an_annotation_places_the_server_outside_the_cluster(
    url: str, host: str, port: int, secure: bool, prefix: str
) -> None:
    backend = backend_of(api_service({URL_ANNOTATION: url}), Store())
    assert (backend.host, backend.port, backend.secure, backend.prefix) == (host, port, secure, prefix)


@pytest.mark.parametrize(
    ("found", "store", "reason"),
    [
        (api_service(), Store(), "ServiceNotFound"),
        (api_service(service=OTHER_PORT), Store(services=[SERVICE]), "ServicePortError"),
        (api_service(), Store(services=[SERVICE]), "MissingEndpoints"),
        (api_service(), Store(services=[SERVICE], endpointslices=[endpoint_slice(ready=False)]), "MissingEndpoints"),
        (api_service(), Store(services=[SERVICE], endpointslices=[endpoint_slice(port_name="b")]), "MissingEndpoints"),
        (api_service({URL_ANNOTATION: "ftp://x"}), Store(), "InvalidURL"),
        (api_service({URL_ANNOTATION: "http://x:port"}), Store(), "InvalidURL"),
        (api_service(caBundle="%"), Store(services=[SERVICE]), "InvalidCABundle"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(found: dict[str, Any], store: Store, reason: str) -> None:
    with pytest.raises(Unavailable) as problem:
        backend_of(found, store)
    assert problem.value.reason == reason
    assert str(problem.value)


def test_the_caller_is_told_in_remote_headers() -> None:
    user = User("anna", "u1", ("brewers", "system:authenticated"), {"example.org/scope": ("a", "b")})
    assert identity(user) == [
        "X-Remote-User: anna",
        "X-Remote-Uid: u1",
        "X-Remote-Group: brewers",
        "X-Remote-Group: system:authenticated",
        "X-Remote-Extra-example.org%2Fscope: a",
        "X-Remote-Extra-example.org%2Fscope: b",
    ]


def test_a_request_head_names_the_server_and_closes_after_the_answer() -> None:
    head = request_head("GET", "/apis", Backend("127.0.0.1", 1, "metrics.smi.svc"), ["Accept: */*"])
    assert head == "GET /apis HTTP/1.1\r\nHost: metrics.smi.svc\r\nConnection: close\r\nAccept: */*\r\n"
