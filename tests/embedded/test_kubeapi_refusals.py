"""What the server does not know or cannot read, it refuses with the right Status; selectors, pages, forms of output."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.embedded.bare_api import CONFIG_MAPS, Api, config_map

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    server = Api()
    for index in range(7):
        manifest = config_map(f"cm{index}", a=str(index))
        manifest["metadata"]["labels"] = {"parity": "even" if index % 2 == 0 else "odd"}
        server.made(CONFIG_MAPS, manifest)
    yield server
    server.stop()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/teas",
        "/api/v1/namespaces/default/teas/x",
        "/apis/apps/v1/namespaces/default/statefulsets",
        f"{CONFIG_MAPS}/cm0/status",
        f"{CONFIG_MAPS}/cm0/status/more",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/namespaces/default/pods/x/log",
        "/api/v1/configmaps/cm0",
    ],
)
def test_unknown_resources(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.code, answer.reason) == (404, "NotFound")
    assert answer.message == "the server could not find the requested resource"


@pytest.mark.parametrize(
    "path", ["/tea", "/api/v2", "/apis/tea.example", "/apis/apps/v1beta1/deployments", "/openapi/v2"]
)
def test_unknown_paths(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.code, answer.text) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", CONFIG_MAPS),
        ("POST", f"{CONFIG_MAPS}/cm0"),
        ("OPTIONS", f"{CONFIG_MAPS}/cm0"),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/namespaces"),
        ("POST", "/version"),
        ("DELETE", "/api/v1/namespaces/default/finalize"),
    ],
)
def test_unknown_verbs(api: Api, method: str, path: str) -> None:
    answer = api.raw(method, path, b"{}", content_type="application/json")
    assert (answer.code, answer.reason) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("kind", ["application/vnd.kubernetes.protobuf", "text/plain", "application/xml"])
def test_bodies_in_unknown_formats(api: Api, kind: str) -> None:
    answer = api.raw("POST", CONFIG_MAPS, b"k8s\0", content_type=kind)
    assert (answer.code, answer.reason) == (415, "UnsupportedMediaType")


def test_patches_in_unknown_formats(api: Api) -> None:
    answer = api.patch(f"{CONFIG_MAPS}/cm0", {}, "application/json")
    assert (answer.code, answer.message) == (415, "415: Unsupported Media Type")


@pytest.mark.parametrize("body", [b"", b"tea", b'{"a":', b"[]", b'"x"', b'{"a":NaN}'])
def test_bodies_that_cannot_be_read(api: Api, body: bytes) -> None:
    answer = api.raw("POST", CONFIG_MAPS, body, content_type="application/json")
    assert (answer.code, answer.reason) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"apiVersion": "apps/v1"}, 'no kind "ConfigMap" is registered for version "apps/v1"'),
        ({"kind": "Secret"}, "cannot be handled as a ConfigMap"),
        ({"metadata": 7}, "cannot be handled as a ConfigMap"),
        ({"data": {"a": 1}}, "cannot unmarshal number into Go struct field ConfigMap.data of type string"),
    ],
)
def test_bodies_of_another_kind(api: Api, change: dict[str, object], message: str) -> None:
    answer = api.post(CONFIG_MAPS, config_map("other") | change)
    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert message in answer.message


def test_kind_and_version_of_a_body_may_be_left_out(api: Api) -> None:
    made = api.post(f"{CONFIG_MAPS}?dryRun=All", {"metadata": {"name": "other"}})
    assert (made.code, made.body["kind"], made.body["apiVersion"]) == (201, "ConfigMap", "v1")


def test_answers_nobody_can_read(api: Api) -> None:
    assert api.get(CONFIG_MAPS, accept="text/html").reason == "NotAcceptable"


@pytest.mark.parametrize("accept", ["application/vnd.kubernetes.protobuf", "*/*", "application/json, */*", ""])
def test_json_is_the_answer_to_everything_else(api: Api, accept: str) -> None:
    assert api.get(f"{CONFIG_MAPS}/cm0", accept=accept).body["kind"] == "ConfigMap"


def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    manifest = config_map("large", a="x" * (3 * 1024 * 1024))
    answer = api.post(CONFIG_MAPS, manifest)
    assert (answer.code, answer.reason) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize(
    "head",
    [
        b"BREW\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request(api: Api, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    line, _, rest = answer.partition(b"\r\n")
    assert line.split()[1] in (b"400", b"431")
    assert b"connection: close" in rest
    assert b'"kind":"Status"' in rest


def test_label_selectors(api: Api) -> None:
    names = [item["metadata"]["name"] for item in api.get(f"{CONFIG_MAPS}?labelSelector=parity%3Dodd").body["items"]]
    assert names == ["cm1", "cm3", "cm5"]
    assert api.get(f"{CONFIG_MAPS}?labelSelector=parity%20in%20(").code == 400


def test_field_selectors(api: Api) -> None:
    found = api.get("/api/v1/configmaps?fieldSelector=metadata.name%3Dcm3").body["items"]
    assert [item["metadata"]["name"] for item in found] == ["cm3"]
    answer = api.get(f"{CONFIG_MAPS}?fieldSelector=data.a%3D1")
    assert answer.code == 400
    assert '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"' in answer.message
    pods = api.get("/api/v1/pods?fieldSelector=spec.tea%3D1")
    assert "field label not supported: spec.tea" in pods.message


def test_pages_show_one_consistent_list(api: Api) -> None:
    first = api.get(f"{CONFIG_MAPS}?limit=3").body
    assert first["metadata"]["remainingItemCount"] == 4
    api.made(CONFIG_MAPS, config_map("cm2b"))
    api.delete(f"{CONFIG_MAPS}/cm2b")
    names = [item["metadata"]["name"] for item in first["items"]]
    token = first["metadata"]["continue"]
    while token:
        page = api.get(f"{CONFIG_MAPS}?limit=3&continue={token}").body
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert names == [f"cm{index}" for index in range(7)]


def test_continue_tokens_of_forgotten_lists() -> None:
    server = Api(history=4)
    try:
        for index in range(3):
            server.made(CONFIG_MAPS, config_map(f"cm{index}"))
        token = server.get(f"{CONFIG_MAPS}?limit=1").body["metadata"]["continue"]
        assert server.get(f"{CONFIG_MAPS}?limit=1&continue={token}").code == 200
        for index in range(3, 9):
            server.made(CONFIG_MAPS, config_map(f"cm{index}"))
        answer = server.get(f"{CONFIG_MAPS}?limit=1&continue={token}")
        assert (answer.code, answer.reason) == (410, "Expired")
        assert server.get(f"{CONFIG_MAPS}?limit=1&continue=nonsense").code == 400
    finally:
        server.stop()


def test_revisions_from_the_future_are_refused(api: Api) -> None:
    answer = api.get(f"{CONFIG_MAPS}?resourceVersion=999999")
    assert (answer.code, answer.reason) == (504, "Timeout")
    assert "Too large resource version: 999999" in answer.message


def test_tables(api: Api) -> None:
    table = api.get(CONFIG_MAPS, accept=f"{TABLE},application/json").body
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["cm0", 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    bare = api.get(f"{CONFIG_MAPS}?includeObject=None", accept=TABLE).body
    assert bare["rows"][0]["object"] is None
    one = api.get(f"{CONFIG_MAPS}/cm1?includeObject=Object", accept=TABLE).body
    assert one["rows"][0]["object"]["data"] == {"a": "1"}


def test_metadata_alone(api: Api) -> None:
    one = api.get(f"{CONFIG_MAPS}/cm0", accept=PARTIAL).body
    assert (one["kind"], one["metadata"]["name"]) == ("PartialObjectMetadata", "cm0")
    assert "data" not in one
    several = api.get(CONFIG_MAPS, accept=PARTIAL_LIST).body
    assert several["kind"] == "PartialObjectMetadataList"
    assert all("data" not in item for item in several["items"])


def test_health_and_version(api: Api) -> None:
    for path in ("/healthz", "/readyz", "/livez", "/readyz/ping"):
        assert (api.get(path).code, api.get(path).text) == (200, "ok")
    assert api.get("/version").body["gitVersion"].startswith("v1.")


def test_discovery_lists_what_is_served(api: Api) -> None:
    groups = {group["name"] for group in api.get("/apis").body["groups"]}
    assert {"apps", "apiextensions.k8s.io", "rbac.authorization.k8s.io"} <= groups
    assert api.get("/api").body["versions"] == ["v1"]
    entries = {entry["name"]: entry for entry in api.get("/apis/apps/v1").body["resources"]}
    assert entries["deployments"]["shortNames"] == ["deploy"]
    assert entries["deployments/scale"]["kind"] == "Scale"


def test_aggregated_discovery_has_everything_at_once(api: Api) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    found = api.get("/apis", accept=accept).body
    assert found["kind"] == "APIGroupDiscoveryList"
    apps = next(item for item in found["items"] if item["metadata"]["name"] == "apps")
    deployments = next(item for item in apps["versions"][0]["resources"] if item["resource"] == "deployments")
    assert [item["subresource"] for item in deployments["subresources"]] == ["scale", "status"]


def test_a_bug_in_a_hook_is_a_500_and_not_the_end(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_attributes: object) -> tuple[bool, str]:
        raise RuntimeError("spilled")

    before = api.server.authorize
    api.server.authorize = broken
    try:
        answer = api.get(CONFIG_MAPS)
    finally:
        api.server.authorize = before
    assert (answer.code, answer.reason) == (500, "InternalError")
    assert "spilled" in answer.message
    assert "spilled" in caplog.text
    assert api.get(CONFIG_MAPS).code == 200


def test_refused_requests_say_who_may_not_do_what(api: Api) -> None:
    before = api.server.authorize
    api.server.authorize = lambda attributes: (attributes.verb == "get", "")
    try:
        answer = api.get(CONFIG_MAPS)
        allowed = api.get(f"{CONFIG_MAPS}/cm0")
    finally:
        api.server.authorize = before
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert answer.message == (
        'configmaps is forbidden: User "system:admin" cannot list resource "configmaps" in API group "" in the '
        'namespace "default"'
    )
    assert allowed.code == 200


def test_strangers_are_unauthorized(api: Api) -> None:
    before = api.server.authenticate
    api.server.authenticate = lambda _request: None
    try:
        answer = api.get(CONFIG_MAPS)
    finally:
        api.server.authenticate = before
    assert (answer.code, answer.message) == (401, "Unauthorized")
