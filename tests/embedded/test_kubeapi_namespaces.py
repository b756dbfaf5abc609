"""Namespaces: where objects may be made, and how a namespace goes away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.bare_api import CONFIG_MAPS, Api, config_map

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES = "/api/v1/namespaces"


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.stop()


def namespace(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def test_the_first_namespaces_are_there_and_stay(api: Api) -> None:
    names = {item["metadata"]["name"] for item in api.get(NAMESPACES).body["items"]}
    assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
    answer = api.delete(f"{NAMESPACES}/default")
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert answer.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


def test_a_new_namespace_is_active_and_labelled(api: Api) -> None:
    made = api.made(NAMESPACES, namespace("tea"))
    assert made["status"] == {"phase": "Active"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "tea"}


def test_nothing_is_made_where_there_is_no_namespace(api: Api) -> None:
    answer = api.post(CONFIG_MAPS.replace("default", "nowhere"), config_map("x", "nowhere"))
    assert (answer.code, answer.message) == (404, 'namespaces "nowhere" not found')


def test_a_namespace_goes_when_it_is_finalized(api: Api) -> None:
    api.made(NAMESPACES, namespace("tea"))
    api.made(CONFIG_MAPS.replace("default", "tea"), config_map("x", "tea"))
    going = api.delete(f"{NAMESPACES}/tea").body
    assert going["status"]["phase"] == "Terminating"
    assert going["metadata"]["deletionTimestamp"]
    answer = api.post(CONFIG_MAPS.replace("default", "tea"), config_map("late", "tea"))
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert answer.causes() == {("metadata.namespace", "NamespaceTerminating")}
    assert answer.message.endswith(
        "is forbidden: unable to create new content in namespace tea because it is being terminated"
    )
    going["spec"]["finalizers"] = []
    assert api.put(f"{NAMESPACES}/tea/finalize", going).code == 200
    assert api.get(f"{NAMESPACES}/tea").code == 404


def test_other_updates_leave_the_finalizers_of_the_spec(api: Api) -> None:
    api.made(NAMESPACES, namespace("tea"))
    answer = api.patch(f"{NAMESPACES}/tea", {"spec": {"finalizers": []}, "metadata": {"labels": {"a": "b"}}})
    assert answer.body["spec"]["finalizers"] == ["kubernetes"]
    assert answer.body["metadata"]["labels"]["a"] == "b"


def test_an_active_namespace_survives_its_finalization(api: Api) -> None:
    made = api.made(NAMESPACES, namespace("tea"))
    made["spec"]["finalizers"] = []
    assert api.put(f"{NAMESPACES}/tea/finalize", made).code == 200
    assert api.get(f"{NAMESPACES}/tea").body["spec"] == {}
    assert api.delete(f"{NAMESPACES}/tea").code == 200
    assert api.get(f"{NAMESPACES}/tea").code == 404


def test_its_own_finalizers_hold_a_namespace_too(api: Api) -> None:
    api.made(NAMESPACES, namespace("tea", finalizers=["tea.example/hold"]))
    going = api.delete(f"{NAMESPACES}/tea").body
    going["spec"]["finalizers"] = []
    api.put(f"{NAMESPACES}/tea/finalize", going)
    assert api.get(f"{NAMESPACES}/tea").body["metadata"]["finalizers"] == ["tea.example/hold"]
    api.patch(f"{NAMESPACES}/tea", {"metadata": {"finalizers": None}})
    assert api.get(f"{NAMESPACES}/tea").code == 404
