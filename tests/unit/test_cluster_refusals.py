"""What the API server's refusals mean, in one line with what to do; the messages are as Kubernetes words them."""

from __future__ import annotations

import socket
import ssl

import pytest
import urllib3
from urllib3.connection import HTTPSConnection

from pytest_smi.cluster.refusals import concerns_object, explain, never_arrived, unreachable

RIGHTS = "pytest-smi rbac"


def told(code: int, message: str, reason: str = "") -> str:
    line = explain(code, {"reason": reason, "message": message}, "GET /api/v1/pods")
    assert "\n" not in line.what + line.advice
    return f"{line.what} ({line.advice})"


def test_credentials_that_are_not_accepted() -> None:
    line = told(401, "Unauthorized", "Unauthorized")
    assert line.startswith("the API server does not accept our credentials: GET /api/v1/pods: 401 Unauthorized")
    assert "log in again" in line


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'pods is forbidden: User "system:serviceaccount:ci:smi" cannot list resource "pods" in API group "" in the '
            'namespace "tea-1"',
            "no right to list pods in namespace tea-1",
        ),
        (
            'nodes is forbidden: User "jo" cannot list resource "nodes" in API group "" at the cluster scope',
            "no right to list nodes in the whole cluster",
        ),
        (
            'deployments.apps "kettle" is forbidden: User "jo" cannot patch resource "deployments" in API group "apps" '
            'in the namespace "tea-1"',
            "no right to patch deployments of apps in namespace tea-1",
        ),
        (
            'pods "kettle-1" is forbidden: User "jo" cannot create resource "pods/portforward" in API group "" in the '
            'namespace "tea-1"',
            "no right to create pods/portforward in namespace tea-1",
        ),
    ],
)
def test_a_missing_right_is_named_with_where_to_get_it(message: str, expected: str) -> None:
    line = told(403, message, "Forbidden")
    assert line.startswith(expected)
    assert RIGHTS in line


def test_a_path_that_may_not_be_read() -> None:
    line = told(403, 'forbidden: User "system:anonymous" cannot get path "/version"', "Forbidden")
    assert line.startswith("no right to get /version: ")
    assert RIGHTS in line


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('pods "kettle" is forbidden: exceeded quota: small, requested: pods=1', "a resource quota is used up"),
        ('pods "kettle" is forbidden: violates PodSecurity "restricted:latest": ...', "pod security forbids it"),
    ],
)
def test_what_is_forbidden_for_another_reason_than_rights(message: str, expected: str) -> None:
    line = told(403, message, "Forbidden")
    assert line.startswith(expected)
    assert RIGHTS not in line


def test_a_webhook_that_is_down_is_named_with_its_service() -> None:
    message = (
        'Internal error occurred: failed calling webhook "osm-validator.k8s.io": failed to call webhook: Post '
        '"https://osm-validator.osm-system.svc:9093/validate?timeout=10s": dial tcp 10.0.0.1:9093: connect: refused'
    )
    line = told(500, message, "InternalError")
    assert line.startswith("admission webhook osm-validator.k8s.io does not answer: GET /api/v1/pods: 500")
    assert "service osm-validator ready? kubectl get pods,endpoints -n osm-system" in line


def test_a_webhook_that_is_down_without_a_service() -> None:
    message = 'Internal error occurred: failed calling webhook "w.example.com": Post "https://example.com/": EOF'
    assert "kubectl get validatingwebhookconfigurations" in told(500, message, "InternalError")


def test_a_webhook_that_refuses() -> None:
    line = told(403, 'admission webhook "policy.example.com" denied the request: no :latest images', "Forbidden")
    assert line.startswith("admission webhook policy.example.com refuses it: ")
    assert RIGHTS not in line


@pytest.mark.parametrize(("code", "expected"), [(429, "is too busy"), (500, "cannot answer"), (503, "cannot answer")])
def test_a_server_that_cannot(code: int, expected: str) -> None:
    assert f"the API server {expected}" in told(code, "the reason", "Why")


def test_anything_else_is_told_as_it_is() -> None:
    assert told(422, "spec.x:\n  Invalid value", "Invalid") == (
        "GET /api/v1/pods: 422 Invalid: spec.x: Invalid value ()"
    )


RBAC = 'tcproutes "x" is forbidden: User "jo" cannot patch resource "tcproutes" in API group "g" in the namespace "n"'


@pytest.mark.parametrize(
    ("code", "message", "of_object"),
    [
        (400, "strict decoding error", True),
        (403, 'admission webhook "w" denied the request: no', True),
        (403, 'configmaps "x" is forbidden: exceeded quota', True),
        (403, RBAC, False),
        (401, "Unauthorized", False),
        (409, "conflict", True),
        (422, "Invalid", True),
        (429, "too many requests", False),
        (500, "failed calling webhook", False),
        (503, "unavailable", False),
        (
            500,
            "failed to create typed patch object (tea; Kind=TrafficTarget): .spec.rules[0].matches: field not "
            "declared in schema",
            True,
        ),
    ],
)
def test_only_some_refusals_are_a_judgement_of_the_object(code: int, message: str, of_object: bool) -> None:
    assert concerns_object(code, {"message": message}) is of_object


def fault_of(url: str) -> BaseException:
    """What the HTTP client raises for a URL."""
    pool = urllib3.PoolManager(ca_certs=ssl.get_default_verify_paths().cafile)
    with pytest.raises(urllib3.exceptions.HTTPError) as raised:
        pool.request("GET", url, retries=False, timeout=urllib3.Timeout(2.0))
    pool.clear()
    return raised.value


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    fault = fault_of(f"https://127.0.0.1:{port}/")
    assert unreachable(fault).what == "connection refused"
    assert never_arrived(fault)


def test_a_name_that_is_none() -> None:
    lookup = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    fault = urllib3.exceptions.NameResolutionError("api.invalid", HTTPSConnection("api.invalid"), lookup)
    assert unreachable(fault).what == "its name cannot be resolved"
    assert never_arrived(fault)


def test_an_answer_that_does_not_come() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and says nothing
        fault = fault_of(f"http://127.0.0.1:{server.getsockname()[1]}/")
    assert unreachable(fault).what == "no answer within the time limit"
    assert not never_arrived(fault)
