"""Merge patch, JSON patch and strategic merge patch."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import patches, types


def test_merge_patch_sets_removes_and_replaces_lists() -> None:
    value = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert patches.merge_patch(value, {"a": {"b": None, "d": {"e": None, "f": 1}}, "l": [3]}) == {
        "a": {"c": 2, "d": {"f": 1}},
        "l": [3],
    }


def test_merge_patch_leaves_the_original_alone() -> None:
    value = {"a": {"b": 1}}
    patches.merge_patch(value, {"a": {"b": 2}})
    assert value == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/l/1", "value": 9}], {"l": [1, 9, 2], "m": {"a/b": 1, "t~": 2}}),
        ([{"op": "add", "path": "/l/-", "value": 9}], {"l": [1, 2, 9], "m": {"a/b": 1, "t~": 2}}),
        ([{"op": "remove", "path": "/l/0"}], {"l": [2], "m": {"a/b": 1, "t~": 2}}),
        ([{"op": "replace", "path": "/m/a~1b", "value": 5}], {"l": [1, 2], "m": {"a/b": 5, "t~": 2}}),
        ([{"op": "remove", "path": "/m/t~0"}], {"l": [1, 2], "m": {"a/b": 1}}),
        ([{"op": "move", "from": "/l/0", "path": "/x"}], {"l": [2], "m": {"a/b": 1, "t~": 2}, "x": 1}),
        ([{"op": "copy", "from": "/l", "path": "/x"}], {"l": [1, 2], "m": {"a/b": 1, "t~": 2}, "x": [1, 2]}),
        ([{"op": "test", "path": "/l", "value": [1, 2]}], {"l": [1, 2], "m": {"a/b": 1, "t~": 2}}),
    ],
)
def test_json_patch_operations(operations: list[Any], expected: Any) -> None:
    assert patches.json_patch({"l": [1, 2], "m": {"a/b": 1, "t~": 2}}, operations) == expected


@pytest.mark.parametrize(
    "operations",
    [
        {},
        [{"op": "add"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "remove", "path": "/none"}],
        [{"op": "replace", "path": "/none/x", "value": 1}],
        [{"op": "replace", "path": "/l/7", "value": 1}],
        [{"op": "add", "path": "/l/7", "value": 1}],
        [{"op": "add", "path": "/l/01", "value": 1}],
        [{"op": "brew", "path": "/l", "value": 1}],
        [{"op": "test", "path": "/l", "value": 5}],
    ],
)
def test_json_patches_that_make_no_sense_are_refused(operations: Any) -> None:
    with pytest.raises(patches.PatchError):
        patches.json_patch({"l": [1, 2]}, operations)


def test_a_failed_test_is_told_from_nonsense() -> None:
    with pytest.raises(patches.PatchError) as caught:
        patches.json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 2}])
    assert caught.value.conflict


POD = types.kind_schema("Pod")


def spec(*containers: Any, **rest: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **rest}}


def test_containers_merge_by_name() -> None:
    old = spec({"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"})
    new = patches.strategic_merge(old, spec({"name": "a", "env": [{"name": "Y", "value": "2"}]}), POD)
    assert new["spec"]["containers"][0] == {
        "name": "a",
        "image": "1",
        "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}],
    }
    assert new["spec"]["containers"][1] == {"name": "b", "image": "1"}


def test_an_item_is_deleted_by_directive() -> None:
    old = spec({"name": "a"}, {"name": "b"})
    assert patches.strategic_merge(old, spec({"name": "a", "$patch": "delete"}), POD) == spec({"name": "b"})


def test_a_list_is_replaced_by_directive() -> None:
    old = spec({"name": "a"}, {"name": "b"})
    patch = spec({"name": "c"}, {"$patch": "replace"})
    assert patches.strategic_merge(old, patch, POD) == spec({"name": "c"})


def test_atomic_lists_are_replaced() -> None:
    old = spec({"name": "a", "args": ["1", "2"]})
    assert patches.strategic_merge(old, spec({"name": "a", "args": ["3"]}), POD) == spec({"name": "a", "args": ["3"]})


def test_a_map_is_replaced_by_directive() -> None:
    old = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    patch = {"metadata": {"labels": {"$patch": "replace", "c": "3"}}}
    assert patches.strategic_merge(old, patch, POD) == {"metadata": {"labels": {"c": "3"}}}


def test_order_and_deletions_from_plain_lists_are_obeyed() -> None:
    old = {"metadata": {"finalizers": ["x/a", "x/b"]}, **spec({"name": "a"}, {"name": "b"})}
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"], "finalizers": ["x/c"]},
        "spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                 "containers": [{"name": "c"}]},
    }  # fmt: skip
    new = patches.strategic_merge(old, patch, POD)
    assert new["metadata"]["finalizers"] == ["x/c", "x/b"]
    assert [item["name"] for item in new["spec"]["containers"]] == ["c", "b", "a"]


def test_retained_keys_drop_the_others() -> None:
    old = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    new = patches.strategic_merge(old, patch, types.kind_schema("Deployment"))
    assert new == {"spec": {"strategy": {"type": "Recreate"}}}


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(patches.PatchError, match="merge key: name"):
        patches.strategic_merge(spec({"name": "a"}), spec({"image": "x"}), POD)
