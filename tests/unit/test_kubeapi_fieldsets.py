"""Field sets: what an object owns, and how managedFields write it down."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_smi.embedded.kubeapi import fieldsets, types

POD = types.kind_schema("Pod")


def owned(value: Any, *, markers: bool = False) -> dict[str, Any]:
    found: fieldsets.FieldSet = set()
    fieldsets.collect(value, POD, (), found, markers=markers)
    return fieldsets.to_fields_v1(found)


def test_keyed_items_are_named_by_their_keys_and_default_keys_count() -> None:
    pod = {"spec": {"containers": [{"name": "web", "image": "x", "ports": [{"containerPort": 80}], "args": ["a"]}]}}
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    assert owned(pod) == {
        "f:spec": {
            "f:containers": {
                'k:{"name":"web"}': {
                    ".": {},
                    "f:name": {},
                    "f:image": {},
                    "f:args": {},
                    "f:ports": {port: {".": {}, "f:containerPort": {}}},
                }
            }
        }
    }


def test_sets_are_named_by_their_values() -> None:
    assert owned({"metadata": {"finalizers": ["x/y"]}}) == {"f:metadata": {"f:finalizers": {'v:"x/y"': {}}}}


def test_updates_own_the_maps_that_they_make() -> None:
    assert owned({"metadata": {"labels": {"a": "b"}}}, markers=True) == {
        "f:metadata": {".": {}, "f:labels": {".": {}, "f:a": {}}}
    }


def test_differences_are_changed_and_removed_paths() -> None:
    changed: fieldsets.FieldSet = set()
    removed: fieldsets.FieldSet = set()
    old = {"spec": {"nodeName": "a", "hostname": "h", "containers": [{"name": "x", "image": "1"}]}}
    new = {"spec": {"nodeName": "b", "containers": [{"name": "x", "image": "1"}, {"name": "y"}]}}
    fieldsets.compare(old, new, POD, (), changed, removed)
    item = ("f:spec", "f:containers", 'k:{"name":"y"}')
    assert changed == {("f:spec", "f:nodeName"), item, (*item, "f:name")}
    assert removed == {("f:spec", "f:hostname")}


def test_the_order_of_keyed_items_is_no_difference() -> None:
    changed: fieldsets.FieldSet = set()
    removed: fieldsets.FieldSet = set()
    names = [{"name": "x"}, {"name": "y"}]
    fieldsets.compare({"spec": {"containers": names}}, {"spec": {"containers": names[::-1]}}, POD, (), changed, removed)
    assert not changed
    assert not removed


def test_paths_are_shown_as_conflicts_print_them() -> None:
    path = ("f:spec", "f:containers", 'k:{"name":"web"}', "f:image")
    assert fieldsets.shown(path) == '.spec.containers[name="web"].image'
    assert fieldsets.shown(("f:metadata", "f:finalizers", 'v:"x"')) == '.metadata.finalizers[="x"]'


ELEMENT = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "f:."])


@given(st.sets(st.lists(ELEMENT, min_size=1, max_size=4).map(tuple), max_size=12))
def test_the_nested_form_keeps_every_path(paths: set[tuple[str, ...]]) -> None:
    assert fieldsets.from_fields_v1(fieldsets.to_fields_v1(paths)) == paths


PATHS = st.sets(st.lists(ELEMENT, min_size=1, max_size=4).map(tuple), max_size=8)


@given(PATHS, PATHS)
def test_paths_are_put_into_a_nested_form_and_taken_out_again(first: set[Any], second: set[Any]) -> None:
    tree = fieldsets.to_fields_v1(first)
    for path in second:
        fieldsets.insert(tree, path)
    assert tree == fieldsets.to_fields_v1(first | second)
    for path in second:
        assert fieldsets.contains(tree, path)
        fieldsets.delete(tree, path)
        assert not fieldsets.contains(tree, path)
    assert tree == fieldsets.to_fields_v1(first - second)
