"""OpenAPI documents: what kubectl reads from them, and that they hang together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_smi.embedded.kubeapi.http import Request, Response
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.openapi import OpenApi, document_v2, document_v3
from pytest_smi.embedded.kubeapi.openapi_schemas import GVK
from pytest_smi.embedded.kubeapi.registry import Registry
from pytest_smi.embedded.kubeapi.status import ApiError

SPLIT = Resource(
    group="split.smi-spec.io",
    version="v1alpha4",
    kind="TrafficSplit",
    plural="trafficsplits",
    singular="trafficsplit",
    namespaced=True,
    builtin=False,
    schema={
        "type": "object",
        "required": ["spec"],
        "properties": {
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "service": {"type": "string", "description": "The root service.", "nullable": True},
                    "weight": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                },
            },
        },
    },
)
NAME = "io.smi-spec.split.v1alpha4.TrafficSplit"


@pytest.fixture(scope="module")
def registry() -> Registry:
    found = Registry()
    found.add(SPLIT)
    return found


@pytest.fixture(scope="module")
def v2(registry: Registry) -> dict[str, Any]:
    return document_v2(registry.resources(), "v1")


def request(path: str, **headers: str) -> Request:
    return Request("GET", path, path, {}, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def fetch(openapi: OpenApi, path: str, **headers: str) -> Response:
    answer = openapi(request(path, **headers))
    assert answer is not None
    return answer


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def keywords(node: Any) -> Iterator[str]:
    """Schema keywords in use, without property names."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            children = value.values() if key == "properties" else [value]
            for child in children:
                yield from keywords(child)
    elif isinstance(node, list):
        for value in node:
            yield from keywords(value)


def test_every_reference_of_the_v2_document_is_defined(v2: dict[str, Any]) -> None:
    used = set(references(v2))
    assert used
    assert used <= {f"#/definitions/{name}" for name in v2["definitions"]}


def test_every_reference_of_each_v3_document_is_defined(registry: Registry) -> None:
    groups = {(resource.group, resource.version) for resource in registry.resources()}
    for group, version in groups:
        resources = [item for item in registry.resources() if (item.group, item.version) == (group, version)]
        document = document_v3(resources, "v1")
        defined = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(references(document)) <= defined
        assert all(document["components"]["schemas"].values())


def test_v2_schemas_keep_to_what_swagger_can_say(v2: dict[str, Any]) -> None:
    found = {word for schema in v2["definitions"].values() for word in keywords(schema)}
    assert not found & {"nullable", "anyOf", "oneOf", "allOf", "not"}
    assert v2["definitions"][NAME]["properties"]["spec"]["properties"]["weight"]["format"] == "int-or-string"


def test_a_kind_is_found_by_group_version_kind_and_has_its_metadata() -> None:
    schema = document_v3([SPLIT], "v1")["components"]["schemas"][NAME]
    assert schema[GVK] == [{"group": "split.smi-spec.io", "kind": "TrafficSplit", "version": "v1alpha4"}]
    assert schema["required"] == ["spec"]
    assert schema["properties"]["metadata"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    ]
    assert schema["properties"]["spec"]["properties"]["service"]["description"] == "The root service."


def test_patch_and_create_take_field_validation() -> None:
    """This is how kubectl learns that the server validates fields."""
    paths = document_v3([SPLIT], "v1")["paths"]
    base = "/apis/split.smi-spec.io/v1alpha4/namespaces/{namespace}/trafficsplits"
    for operation in (paths[base]["post"], paths[f"{base}/{{name}}"]["patch"], paths[f"{base}/{{name}}"]["put"]):
        assert "fieldValidation" in [parameter["name"] for parameter in operation["parameters"]]
        assert operation[GVK]["kind"] == "TrafficSplit"


def test_operation_ids_are_unique(v2: dict[str, Any]) -> None:
    ids = [operation["operationId"] for path in v2["paths"].values() for name, operation in path.items()
           if name != "parameters"]  # fmt: skip
    assert len(ids) == len(set(ids))


def test_the_index_leads_to_every_group_version(registry: Registry) -> None:
    openapi = OpenApi(registry)
    paths = json.loads(fetch(openapi, "/openapi/v3").body)["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/split.smi-spec.io/v1alpha4"} <= paths.keys()
    for path, entry in paths.items():
        url, _, tag = entry["serverRelativeURL"].partition("?hash=")
        answer = fetch(openapi, url)
        assert (url, answer.headers["etag"]) == (f"/openapi/v3/{path}", f'"{tag}"')


def test_a_known_tag_saves_the_body_and_changes_with_the_kinds_of_its_group_only() -> None:
    registry = Registry()
    registry.add(SPLIT)
    openapi = OpenApi(registry)
    apps, splits = "/openapi/v3/apis/apps/v1", "/openapi/v3/apis/split.smi-spec.io/v1alpha4"
    before = {path: fetch(openapi, path).headers["etag"] for path in (apps, splits)}
    assert fetch(openapi, splits, if_none_match=before[splits]).status == 304
    changed = Resource(**{name: getattr(SPLIT, name) for name in Resource.__slots__})
    registry.replace_custom(SPLIT.group, SPLIT.plural, [changed])
    after = {path: fetch(openapi, path, if_none_match=before[path]) for path in (apps, splits)}
    assert (after[apps].status, after[splits].status) == (304, 200)


def test_what_is_not_there_is_none_and_protobuf_is_refused(registry: Registry) -> None:
    openapi = OpenApi(registry)
    missing = openapi(request("/openapi/v3/apis/nope/v1"))
    assert missing is not None
    assert (missing.status, missing.body) == (404, b"")
    assert openapi(request("/openapi/v1")) is None
    with pytest.raises(ApiError) as refusal:
        openapi(request("/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf"))
    assert refusal.value.code == 406
