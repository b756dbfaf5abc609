"""Several versions of one custom resource: strategy None, and a webhook that answers, errs or is not there."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.embedded.kubeapi.http import HttpServer, Request, Response, json_response
from pytest_smi.embedded.kubeapi.tls import new_authority, server_context, server_pair
from tests.embedded.bare_api import APPLY, CRDS, POTS, Api, pot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD = POTS.replace("/v1/", "/v1alpha1/")
NEW = POTS.replace("/v1/", "/v1alpha2/")


def definition(conversion: dict[str, Any] | None = None) -> dict[str, Any]:
    """v1alpha1 has `litres`, the stored v1alpha2 has `millilitres`."""

    def version(name: str, field: str, *, storage: bool) -> dict[str, Any]:
        spec = {"type": "object", "properties": {field: {"type": "integer"}, "leaves": {"type": "string"}}}
        schema = {"type": "object", "properties": {"spec": spec}}
        return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}

    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "pots.tea.example"},
        "spec": {
            "group": "tea.example",
            "scope": "Namespaced",
            "names": {"plural": "pots", "kind": "Pot"},
            "versions": [
                version("v1alpha1", "litres", storage=False),
                version("v1alpha2", "millilitres", storage=True),
            ],
            "conversion": conversion or {"strategy": "None"},
        },
    }


def old_pot(name: str, **spec: Any) -> dict[str, Any]:
    return pot(name, "tea.example/v1alpha1", **spec)


def new_pot(name: str, **spec: Any) -> dict[str, Any]:
    return pot(name, "tea.example/v1alpha2", **spec)


class Webhook:
    """A conversion webhook on the server's loop; `answer` makes the response of a review."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.reviews: list[dict[str, Any]] = []
        self.connections: set[tuple[str, int]] = set()
        self.answer: Callable[[dict[str, Any]], Any] = converted
        authority = new_authority("webhook")
        self.ca = base64.b64encode(authority.cert_pem.encode()).decode()
        self.http = HttpServer(self.handle)
        context = server_context(server_pair(authority), folder)
        self.port = api.run(self.http.listen("127.0.0.1", 0, context))

    async def handle(self, request: Request) -> Response:
        self.connections.add(request.peer)
        review = json.loads(request.body)
        self.reviews.append(review["request"])
        return json_response(200, {**review, "response": self.answer(review["request"])})

    def conversion(self) -> dict[str, Any]:
        client = {"url": f"https://127.0.0.1:{self.port}/convert", "caBundle": self.ca}
        return {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}


def converted(review: dict[str, Any]) -> dict[str, Any]:
    objects = []
    for obj in review["objects"]:
        spec = dict(obj["spec"])
        if review["desiredAPIVersion"].endswith("v1alpha2"):
            spec["millilitres"] = spec.pop("litres", 0) * 1000
        else:
            spec["litres"] = spec.pop("millilitres", 0) // 1000
        objects.append({**obj, "apiVersion": review["desiredAPIVersion"], "spec": spec})
    return {"uid": review["uid"], "result": {"status": "Success"}, "convertedObjects": objects}


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.stop()


@pytest.fixture
def webhook(api: Api, tmp_path: Path) -> Iterator[Webhook]:
    hook = Webhook(api, tmp_path)
    api.made(CRDS, definition(hook.conversion()))
    yield hook
    api.run(hook.http.close())


def test_strategy_none_rewrites_the_version_and_prunes_the_rest(api: Api) -> None:
    api.made(CRDS, definition())
    made = api.made(OLD, old_pot("x", litres=2, leaves="green"))
    assert made["apiVersion"] == "tea.example/v1alpha1"
    assert made["spec"] == {"leaves": "green"}
    assert api.get(f"{NEW}/x").body["spec"] == {"leaves": "green"}


def test_an_object_written_in_one_version_is_read_in_the_other(api: Api, webhook: Webhook) -> None:
    made = api.made(OLD, old_pot("x", litres=2, leaves="green"))
    assert made["spec"] == {"litres": 2, "leaves": "green"}
    read = api.get(f"{NEW}/x").body
    assert read["apiVersion"] == "tea.example/v1alpha2"
    assert read["spec"] == {"millilitres": 2000, "leaves": "green"}
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    assert api.get(f"{OLD}/x").body["spec"] == {"litres": 2, "leaves": "green"}


def test_a_list_is_converted_with_one_question(api: Api, webhook: Webhook) -> None:
    for index in range(5):
        api.made(NEW, new_pot(f"p{index}", millilitres=index * 1000))
    webhook.reviews.clear()
    items = api.get(OLD).body["items"]
    assert [item["spec"]["litres"] for item in items] == [0, 1, 2, 3, 4]
    assert [len(review["objects"]) for review in webhook.reviews] == [5]


def test_patches_work_in_the_version_of_the_request(api: Api, webhook: Webhook) -> None:
    api.made(NEW, new_pot("x", millilitres=1000))
    assert api.patch(f"{OLD}/x", {"spec": {"litres": 3}}).body["spec"] == {"litres": 3}
    assert api.get(f"{NEW}/x").body["spec"] == {"millilitres": 3000}
    applied = api.patch(f"{OLD}/x?fieldManager=one&force=true", old_pot("x", litres=4), APPLY)
    assert applied.body["spec"] == {"litres": 4}


def test_watches_see_their_version(api: Api, webhook: Webhook) -> None:
    since = api.get(NEW).body["metadata"]["resourceVersion"]
    api.made(NEW, new_pot("x", millilitres=1000))
    api.delete(f"{NEW}/x")
    events = api.events(f"{OLD}?watch=1&resourceVersion={since}", 2)
    assert [(event["type"], event["object"]["spec"]) for event in events] == [
        ("ADDED", {"litres": 1}),
        ("DELETED", {"litres": 1}),
    ]


def test_labels_may_change_in_conversion_and_nothing_else_of_metadata(api: Api, webhook: Webhook) -> None:
    def meddling(review: dict[str, Any]) -> dict[str, Any]:
        response = converted(review)
        for obj in response["convertedObjects"]:
            obj["metadata"] = {**obj["metadata"], "annotations": {"was": "old"}, "generation": 99}
        return response

    api.made(NEW, new_pot("x", millilitres=1000))
    webhook.answer = meddling
    metadata = api.get(f"{OLD}/x").body["metadata"]
    assert metadata["annotations"] == {"was": "old"}
    assert metadata["generation"] == 1


def _renamed(review: dict[str, Any]) -> Any:
    response = converted(review)
    for obj in response["convertedObjects"]:
        obj["metadata"] = {**obj["metadata"], "name": "other"}
    return response


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda review: {"uid": review["uid"], "result": {"status": "Failure", "message": "no tea"}}, "no tea"),
        (lambda review: {**converted(review), "uid": "other"}, "expected response.uid="),
        (lambda review: {**converted(review), "convertedObjects": []}, "expected 1 converted objects, got 0"),
        (_renamed, "metadata.name must not change"),
        (
            lambda review: {**converted(review), "convertedObjects": review["objects"]},
            "the converted object is not a Pot of tea.example/v1alpha1",
        ),
    ],
)
def test_a_webhook_that_errs_is_named(api: Api, webhook: Webhook, answer: Any, message: str) -> None:
    api.made(NEW, new_pot("x", millilitres=1000))
    webhook.answer = answer
    refused = api.get(f"{OLD}/x")
    assert refused.code == 500
    assert "conversion webhook for tea.example/v1alpha2, Kind=Pot failed" in refused.message
    assert message in refused.message
    assert api.get(f"{NEW}/x").code == 200


def test_a_webhook_that_is_not_there_is_named(api: Api, webhook: Webhook) -> None:
    api.made(NEW, new_pot("x", millilitres=1000))
    api.run(webhook.http.close())
    refused = api.get(f"{OLD}/x")
    assert refused.code == 500
    assert f'Post "https://127.0.0.1:{webhook.port}/convert' in refused.message
    assert "connection refused" in refused.message


def test_a_webhook_whose_certificate_is_not_trusted_is_refused(api: Api, webhook: Webhook) -> None:
    crd = api.get(f"{CRDS}/pots.tea.example").body
    other = base64.b64encode(new_authority("stranger").cert_pem.encode()).decode()
    crd["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = other
    assert api.put(f"{CRDS}/pots.tea.example", crd).code == 200
    refused = api.post(OLD, old_pot("x", litres=1))
    assert refused.code == 500
    assert "certificate verify failed" in refused.message
    assert api.get(f"{NEW}/x").code == 404


def test_connections_to_the_webhook_are_kept(api: Api, webhook: Webhook) -> None:
    for index in range(6):
        api.made(OLD, old_pot(f"p{index}", litres=1))
    assert len(webhook.reviews) >= 6
    assert len(webhook.connections) == 1


def test_concurrent_patches_all_count(api: Api, webhook: Webhook) -> None:
    """Conversions give other requests a chance to run: none of their writes may be lost."""
    api.made(NEW, new_pot("x", millilitres=1000))

    async def patch(index: int) -> int:
        body = json.dumps({"metadata": {"labels": {f"l{index}": "x"}}}).encode()
        headers = {"content-type": "application/merge-patch+json"}
        answer = await api.server.handle(Request("PATCH", f"{OLD}/x", f"{OLD}/x", {}, headers, body))
        return answer.status

    async def all_patches() -> list[int]:
        return list(await asyncio.gather(*(patch(index) for index in range(4))))

    codes = api.run(all_patches())
    labels = api.get(f"{NEW}/x").body["metadata"].get("labels") or {}
    assert len(labels) == codes.count(200)
    assert set(codes) <= {200, 409}
    assert codes.count(200) >= 1
