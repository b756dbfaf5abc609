"""watch: from now, from a revision, through selectors, and when history is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.bare_api import CONFIG_MAPS, CRDS, POTS, Api, config_map, custom_definition, pot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api(bookmark_seconds=0.05, history=8)
    yield server
    server.stop()


def revision(api: Api) -> str:
    found: str = api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]
    return found


def seen(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def test_a_watch_begins_with_what_is_there(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("a"))
    api.made(CONFIG_MAPS, config_map("b"))
    assert seen(api.events(f"{CONFIG_MAPS}?watch=1", 2)) == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_resumes_from_a_revision(api: Api) -> None:
    since = revision(api)
    api.made(CONFIG_MAPS, config_map("a"))
    api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}})
    api.delete(f"{CONFIG_MAPS}/a")
    events = api.events(f"{CONFIG_MAPS}?watch=1&resourceVersion={since}", 3)
    assert seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert revisions == sorted(set(revisions))
    resumed = api.events(f"{CONFIG_MAPS}?watch=1&resourceVersion={revisions[1]}", 1)
    assert seen(resumed) == [("DELETED", "a")]


def test_every_change_arrives_exactly_once(api: Api) -> None:
    since = revision(api)
    big = Api(history=4096)
    try:
        since = revision(big)
        for index in range(50):
            big.made(CONFIG_MAPS, config_map(f"n{index:02}"))
        events = big.events(f"{CONFIG_MAPS}?watch=1&resourceVersion={since}", 50)
        assert [name for _, name in seen(events)] == [f"n{index:02}" for index in range(50)]
    finally:
        big.stop()


def test_forgotten_history_is_410(api: Api) -> None:
    since = revision(api)
    for index in range(12):
        api.made(CONFIG_MAPS, config_map(f"a{index}"))
    event = api.events(f"{CONFIG_MAPS}?watch=1&resourceVersion={since}", 1)[0]
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_objects_enter_and_leave_the_view_of_a_selector(api: Api) -> None:
    since = revision(api)
    api.made(CONFIG_MAPS, config_map("a"))
    api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"tea": "green"}}})
    api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}})
    api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"tea": "black"}}})
    api.delete(f"{CONFIG_MAPS}/a")
    api.made(CONFIG_MAPS, {**config_map("b"), "metadata": {"name": "b", "labels": {"tea": "green"}}})
    events = api.events(f"{CONFIG_MAPS}?watch=1&labelSelector=tea%3Dgreen&resourceVersion={since}", 4)
    assert seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]


def test_one_object_is_watched_by_its_name(api: Api) -> None:
    since = revision(api)
    api.made(CONFIG_MAPS, config_map("a"))
    api.made(CONFIG_MAPS, config_map("b"))
    path = f"{CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Db&resourceVersion={since}"
    assert seen(api.events(path, 1)) == [("ADDED", "b")]


def test_a_namespace_sees_only_its_own(api: Api) -> None:
    since = revision(api)
    other = "/api/v1/namespaces/kube-system/configmaps"
    api.made(other, config_map("far", "kube-system"))
    api.made(CONFIG_MAPS, config_map("near"))
    assert seen(api.events(f"{CONFIG_MAPS}?watch=1&resourceVersion={since}", 1)) == [("ADDED", "near")]
    both = api.events(f"/api/v1/configmaps?watch=1&resourceVersion={since}", 2)
    assert seen(both) == [("ADDED", "far"), ("ADDED", "near")]


def test_bookmarks_tell_how_far_the_world_has_come(api: Api) -> None:
    api.made("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    since = revision(api)
    event = api.events(f"{CONFIG_MAPS}?watch=1&allowWatchBookmarks=true&resourceVersion={since}", 1)[0]
    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"]["resourceVersion"] == since
    assert event["object"]["kind"] == "ConfigMap"


def test_the_end_of_initial_events_is_marked(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("a"))
    options = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = api.events(f"{CONFIG_MAPS}?{options}", 2)
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_initial_events_need_a_match_rule(api: Api) -> None:
    answer = api.get(f"{CONFIG_MAPS}?watch=1&sendInitialEvents=true")
    assert answer.causes() == {("resourceVersionMatch", "FieldValueForbidden")}


def test_a_watch_ends_after_its_time(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("a"))
    assert seen(api.events(f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1", 99)) == [("ADDED", "a")]


def test_a_watch_ends_with_its_resource(api: Api) -> None:
    api.made(CRDS, custom_definition())
    api.made(POTS, pot("a"))
    since = api.get(POTS).body["metadata"]["resourceVersion"]
    api.loop.call_soon_threadsafe(lambda: None)
    path = f"{POTS}?watch=1&resourceVersion={since}"
    response = api.raw("DELETE", f"{CRDS}/pots.tea.example")
    assert response.code == 200
    assert api.get(path).code == 404


@pytest.mark.parametrize(
    ("query", "code"), [("resourceVersion=tea", 500), ("timeoutSeconds=soon", 400), ("labelSelector=a%20in", 400)]
)
def test_options_that_make_no_sense(api: Api, query: str, code: int) -> None:
    assert api.get(f"{CONFIG_MAPS}?watch=1&{query}").code == code


def test_tables_are_watched_with_one_header(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("a"))
    api.made(CONFIG_MAPS, config_map("b"))
    answer = api.get(f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    tables = [line for line in answer.text.splitlines() if line]
    assert len(tables) == 2
    assert '"columnDefinitions":[{' in tables[0]
    assert '"columnDefinitions":null' in tables[1]


def test_a_watcher_that_leaves_is_forgotten(api: Api) -> None:
    api.made(CONFIG_MAPS, config_map("a"))
    for _ in range(3):
        api.events(f"{CONFIG_MAPS}?watch=1", 1)
    collection = api.server.state.store.collection(("", "configmaps"))

    async def forgotten() -> bool:
        import asyncio

        async with asyncio.timeout(5):
            while collection.watchers:
                await asyncio.sleep(0.005)
        return True

    assert api.run(forgotten())
