import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from pytest_smi.embedded.client import ApiFailure, Client, Informer

Object = dict[str, Any]


def pod(name: str, version: int, uid: str = "", **labels: str) -> Object:
    metadata = {"namespace": "tea", "name": name, "uid": uid or name, "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


class Scripted(Client):
    """Lists and watches by script: each list answer is followed by its watch's events, or by a failure."""

    def __init__(self, *rounds: tuple[Object | ApiFailure | None, list[Object | Exception]]) -> None:
        super().__init__("http://127.0.0.1:1", "")
        self.rounds = list(rounds)
        self.resumed: list[object] = []
        self.idle = asyncio.Event()

    async def get(self, path: str, **query: object) -> Object:
        answer = self.rounds[0][0]
        if answer is None:
            pytest.fail("listed where a resumed watch was expected")
        if isinstance(answer, ApiFailure):
            self.rounds.pop(0)
            raise answer
        return answer

    async def watch(self, path: str, **query: object) -> AsyncGenerator[Object, None]:
        self.resumed.append(query["resourceVersion"])
        _, events = self.rounds.pop(0)
        for event in events:
            await asyncio.sleep(0)
            if isinstance(event, Exception):
                raise event
            yield event
        if not self.rounds:
            self.idle.set()
            await asyncio.Event().wait()


def listing(version: int, *items: Object) -> Object:
    bare = [{"metadata": item["metadata"]} for item in items]
    return {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": bare}


def event(kind: str, obj: Object) -> Object:
    return {"type": kind, "object": obj}


def follow(client_of: Callable[[], Scripted], during: Callable[[Informer], None] = lambda _: None) -> tuple[Any, ...]:
    seen: list[tuple[str, str, str]] = []

    async def run() -> tuple[Informer, Scripted]:
        client = client_of()

        def note(kind: str, obj: Object) -> None:
            seen.append((kind, obj["metadata"]["name"], obj["metadata"]["resourceVersion"]))

        informer = Informer(client, "/api/v1/pods", note)
        async with asyncio.timeout(5):
            task = asyncio.create_task(informer.run())
            await client.idle.wait()
            during(informer)
            task.cancel()
            await asyncio.wait([task])
        return informer, client

    return *asyncio.run(run()), seen


def test_a_list_and_its_events_become_objects_with_a_kind() -> None:
    informer, _, seen = follow(
        lambda: Scripted(
            (listing(5, pod("a", 3), pod("b", 4)), [event("MODIFIED", pod("a", 6)), event("DELETED", pod("b", 7))])
        )
    )
    assert seen == [("ADDED", "a", "3"), ("ADDED", "b", "4"), ("MODIFIED", "a", "6"), ("DELETED", "b", "7")]
    assert list(informer.objects) == [("tea", "a")]
    assert informer.get("tea", "a")["metadata"]["resourceVersion"] == "6"
    assert informer.synced.is_set()


def test_objects_of_a_list_get_the_kind_that_the_list_has() -> None:
    informer, _, _ = follow(lambda: Scripted((listing(5, pod("a", 3)), [])))
    assert (informer.get("tea", "a")["kind"], informer.get("tea", "a")["apiVersion"]) == ("Pod", "v1")


def test_a_watch_that_ends_is_resumed_from_the_last_bookmark() -> None:
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    _, client, _ = follow(lambda: Scripted((listing(5), [bookmark]), (None, [])))
    assert client.resumed == ["5", "9"]


def test_expiry_lists_again_and_tells_what_the_gap_hid() -> None:
    expired = ApiFailure(410, "Expired", "too old", {})
    _, _, seen = follow(
        lambda: Scripted(
            (listing(5, pod("gone", 1), pod("kept", 2), pod("remade", 3, uid="one")), [expired]),
            (listing(20, pod("kept", 2), pod("remade", 15, uid="two"), pod("new", 16)), []),
        )
    )
    assert seen[3:] == [
        ("DELETED", "gone", "1"),
        ("DELETED", "remade", "3"),
        ("ADDED", "remade", "15"),
        ("ADDED", "new", "16"),
    ]


def test_a_collection_not_served_yet_is_asked_for_again() -> None:
    missing = ApiFailure(404, "NotFound", "no such resource", {})
    informer, _, _ = follow(lambda: Scripted((missing, []), (listing(3, pod("a", 2)), [])))
    assert informer.synced.is_set()


def test_what_we_wrote_is_there_at_once_and_the_watch_behind_it_does_not_take_it_back() -> None:
    def during(informer: Informer) -> None:
        informer.absorb(pod("a", 9))
        informer._keep(("tea", "a"), pod("a", 8))  # the event of an older write arrives late
        informer._keep(("tea", "a"), pod("a", 9))  # and then the event of ours

    informer, _, seen = follow(lambda: Scripted((listing(5, pod("a", 3)), [])), during)
    assert seen == [("ADDED", "a", "3"), ("MODIFIED", "a", "9")]
    assert informer.get("tea", "a")["metadata"]["resourceVersion"] == "9"


def test_an_answer_older_than_the_watch_does_not_bring_back_the_dead() -> None:
    informer, _, _ = follow(
        lambda: Scripted((listing(5), [event("ADDED", pod("a", 6)), event("DELETED", pod("a", 7))])),
        lambda informer: informer.absorb(pod("a", 6)),
    )
    assert informer.objects == {}


def test_a_listener_that_comes_late_is_told_of_everything_and_one_that_fails_harms_nobody() -> None:
    told: list[str] = []

    def broken(kind: str, obj: Object) -> None:
        raise RuntimeError("broken listener")

    def during(informer: Informer) -> None:
        informer.listen(broken)
        informer.listen(lambda kind, obj: told.append(kind))

    follow(lambda: Scripted((listing(5, pod("a", 3)), [])), during)
    assert told == ["ADDED"]
