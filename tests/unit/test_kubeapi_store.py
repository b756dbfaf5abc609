"""The store: revisions, history, subscriptions, pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import pages
from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.kubeapi.store import Change, Record, Store, Subscription

POTS = ("tea", "pots")


def pot(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n"}}


def test_every_write_has_a_revision_of_its_own() -> None:
    store = Store()
    first = store.put(POTS, ("n", "a"), pot("a"))
    second = store.put(("tea", "cups"), ("n", "a"), pot("a"))
    gone = store.remove(POTS, ("n", "a"))
    assert first.revision < second.revision < gone.revision == store.revision
    assert gone.obj["metadata"]["resourceVersion"] == str(store.revision)


def test_a_deletion_leaves_the_last_state_of_the_object_alone() -> None:
    store = Store()
    first = store.put(POTS, ("n", "a"), pot("a"))
    revision = first.obj["metadata"]["resourceVersion"]
    store.remove(POTS, ("n", "a"))
    assert first.obj["metadata"]["resourceVersion"] == revision


def test_history_since_a_revision() -> None:
    store = Store()
    first = store.put(POTS, ("n", "a"), pot("a"))
    store.put(POTS, ("n", "a"), pot("a"))
    store.remove(POTS, ("n", "a"))
    assert [change.type for change in store.collection(POTS).since(first.revision)] == ["MODIFIED", "DELETED"]
    assert store.collection(POTS).since(store.revision) == []


def test_old_history_is_forgotten_and_known_to_be() -> None:
    store = Store(history=3)
    revisions = [store.put(POTS, ("n", str(index)), pot(str(index))).revision for index in range(5)]
    assert store.collection(POTS).forgotten == revisions[1]
    assert len(store.collection(POTS).since(0)) == 3


def test_lists_are_sorted_by_namespace_and_name() -> None:
    store = Store()
    for key in (("b", "a"), ("a", "z"), ("a", "b")):
        store.put(POTS, key, pot(key[1]))
    assert [record.key for record in store.listed(POTS)] == [("a", "b"), ("a", "z"), ("b", "a")]
    assert [record.key for record in store.listed(POTS, "a")] == [("a", "b"), ("a", "z")]


def test_a_subscription_sees_what_comes_after_it() -> None:
    async def scenario() -> list[str]:
        store = Store()
        store.put(POTS, ("n", "a"), pot("a"))
        subscription = store.collection(POTS).subscribe()
        store.put(POTS, ("n", "b"), pot("b"))
        store.remove(POTS, ("n", "a"))
        found = [await subscription.next(1.0) for _ in range(2)]
        return [change.type for change in found if change]

    assert asyncio.run(scenario()) == ["ADDED", "DELETED"]


def test_a_subscription_ends_with_its_collection() -> None:
    async def scenario() -> object:
        store = Store()
        subscription = store.collection(POTS).subscribe()
        store.drop(POTS)
        return await subscription.next(1.0)

    assert asyncio.run(scenario()) is None


def test_a_reader_that_is_too_slow_is_cut_off() -> None:
    async def scenario() -> bool:
        store = Store(history=1024)
        subscription = store.collection(POTS).subscribe()
        for index in range(1100):
            store.put(POTS, ("n", "a"), pot(str(index)))
        assert await subscription.next(1.0) is None
        return subscription.overrun

    assert asyncio.run(scenario())


def test_a_list_as_it_was_at_a_revision() -> None:
    store = Store()
    store.put(POTS, ("n", "one"), pot("one"))
    store.put(POTS, ("n", "two"), pot("two"))
    then = store.revision
    store.put(POTS, ("n", "one"), pot("one"))
    store.put(POTS, ("n", "three"), pot("three"))
    store.remove(POTS, ("n", "two"))
    found = store.at(POTS, "", then)
    assert found is not None
    assert [(record.key[1], record.revision) for record in found] == [("one", then - 1), ("two", then)]
    assert store.at(POTS, "elsewhere", then) == []


def test_a_list_at_a_revision_that_is_forgotten() -> None:
    store = Store(history=2)
    for _ in range(4):
        store.put(POTS, ("n", "one"), pot("one"))
    assert store.at(POTS, "", 2) is None
    assert store.at(POTS, "", store.revision) == store.listed(POTS)


def test_continue_tokens_survive_the_journey() -> None:
    assert pages.read_token(pages.token(7, ("tea", "pot"))) == (7, ("tea", "pot"))
    with pytest.raises(ApiError) as caught:
        pages.read_token("nonsense")
    assert caught.value.code == 400


def test_a_change_that_comes_as_the_time_is_up_is_not_lost() -> None:
    """Else a watch would mark its progress past the change and never tell of it."""
    change = Change(7, "ADDED", Record(("tea", "one"), {}, 7), None)

    async def wait_and_push() -> Change | None:
        subscription = Subscription(8)
        asyncio.get_running_loop().call_soon(subscription.push, change)
        return await subscription.next(0)

    assert asyncio.run(wait_and_push()) is change


def test_waiting_for_a_change_in_vain_ends_with_the_time() -> None:
    async def wait() -> None:
        await Subscription(8).next(0)

    with pytest.raises(TimeoutError):
        asyncio.run(wait())
