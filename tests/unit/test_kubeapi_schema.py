"""Structural schemas: pruning, defaulting, and the sentences of validation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smi.embedded.kubeapi import schema, types

BACKENDS: dict[str, Any] = {
    "type": "object",
    "required": ["service", "backends"],
    "properties": {
        "service": {"type": "string", "minLength": 1},
        "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "backends": {
            "type": "array",
            "maxItems": 2,
            "items": {
                "type": "object",
                "required": ["weight"],
                "properties": {"weight": {"type": "integer", "minimum": 0}, "note": {"type": "string", "default": "-"}},
            },
        },
    },
}


def sentences(value: Any, wanted: dict[str, Any]) -> list[str]:
    return [cause.sentence() for cause in schema.validate(value, wanted, "spec")]


def test_unknown_fields_are_removed_and_named() -> None:
    value = {"service": "a", "old": 1, "backends": [{"weight": 1, "extra": {"x": 1}}, {"weight": 2}]}
    assert schema.prune(value, BACKENDS, "spec") == ["spec.old", "spec.backends[0].extra"]
    assert value == {"service": "a", "backends": [{"weight": 1}, {"weight": 2}]}


def test_preserved_subtrees_keep_what_is_unknown_but_prune_what_is_known() -> None:
    wanted = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }
    value = {"known": {"a": "x", "b": "y"}, "unknown": {"c": 1}}
    assert schema.prune(value, wanted) == ["known.b"]
    assert value == {"known": {"a": "x"}, "unknown": {"c": 1}}


def test_type_and_metadata_of_a_whole_object_are_never_pruned() -> None:
    value = {"apiVersion": "v1", "kind": "Pot", "metadata": {"name": "x"}, "spec": 1}
    assert schema.prune(value, {"type": "object", "properties": {}}, root=True) == ["spec"]
    assert set(value) == {"apiVersion", "kind", "metadata"}


def test_additional_properties_keep_any_key_and_prune_below() -> None:
    wanted = {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}}
    value = {"k": {"a": "x", "b": "y"}}
    assert schema.prune(value, wanted) == ["k.b"]


def test_defaults_fill_in_at_every_depth_that_exists() -> None:
    value: dict[str, Any] = {"service": "a", "backends": [{"weight": 1}, {"weight": 2, "note": "n"}]}
    schema.default(value, BACKENDS)
    assert value["mode"] == "a"
    assert [item["note"] for item in value["backends"]] == ["-", "n"]


def test_defaults_are_copies() -> None:
    wanted = {"type": "object", "properties": {"list": {"type": "array", "items": {}, "default": []}}}
    first: dict[str, Any] = {}
    schema.default(first, wanted)
    first["list"].append(1)
    second: dict[str, Any] = {}
    schema.default(second, wanted)
    assert second == {"list": []}


def test_null_makes_way_for_the_default_unless_the_field_is_nullable() -> None:
    wanted = {
        "type": "object",
        "properties": {
            "foo": {"type": "string", "default": "default"},
            "bar": {"type": "string", "nullable": True},
            "baz": {"type": "string"},
        },
    }
    value: dict[str, Any] = {"foo": None, "bar": None, "baz": None}
    schema.drop_nulls(value, wanted)
    schema.default(value, wanted)
    assert value == {"foo": "default", "bar": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"service": "a"}, ["spec.backends: Required value"]),
        ({"service": "a", "backends": [{}]}, ["spec.backends[0].weight: Required value"]),
        (
            {"service": "a", "backends": [{"weight": "1"}]},
            [
                'spec.backends[0].weight: Invalid value: "string": spec.backends[0].weight in body must be of type '
                'integer: "string"'
            ],
        ),
        (
            {"service": "a", "backends": [{"weight": -1}]},
            [
                "spec.backends[0].weight: Invalid value: -1: spec.backends[0].weight in body should be greater than or "
                "equal to 0"
            ],
        ),
        (
            {"service": "a", "backends": [], "mode": "c"},
            ['spec.mode: Unsupported value: "c": supported values: "a", "b"'],
        ),
        (
            {"service": "", "backends": []},
            ['spec.service: Invalid value: "": spec.service in body should be at least 1 chars long'],
        ),
        (
            {"service": "a", "backends": [{"weight": 1}] * 3},
            ["spec.backends: Too many: 3: must have at most 2 items"],
        ),
        ([], ['spec: Invalid value: "array": spec in body must be of type object: "array"']),
    ],
)
def test_what_is_wrong_is_said_as_the_api_server_says_it(value: Any, expected: list[str]) -> None:
    assert sentences(value, BACKENDS) == expected


def test_every_fault_is_reported_not_only_the_first() -> None:
    assert len(sentences({"mode": "x", "backends": [{}, {"weight": 1.5}]}, BACKENDS)) == 4


@pytest.mark.parametrize("value", [80, 80.0])
def test_a_whole_number_is_an_integer_however_it_is_written(value: float) -> None:
    assert sentences(value, {"type": "integer"}) == []


@pytest.mark.parametrize("value", [80.5, "80", True, None])
def test_anything_else_is_no_integer(value: Any) -> None:
    assert len(sentences(value, {"type": "integer"})) == 1


@pytest.mark.parametrize(("value", "good"), [(1, True), ("50%", True), (True, False), (1.5, False)])
def test_int_or_string(value: Any, good: bool) -> None:
    assert (sentences(value, {"x-kubernetes-int-or-string": True}) == []) is good


def test_bounds_may_exclude_their_value() -> None:
    wanted = {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 3, "exclusiveMaximum": True}
    assert [bool(sentences(value, wanted)) for value in (1, 2, 3)] == [True, False, True]


def test_one_of_needs_exactly_one() -> None:
    wanted = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert sentences({"a": 1}, wanted) == []
    assert "one and only one schema (oneOf). Found none valid" in " ".join(sentences({}, wanted))
    assert "Found 2 valid alternatives" in " ".join(sentences({"a": 1, "b": 1}, wanted))


def test_any_of_all_of_and_not() -> None:
    wanted = {
        "type": "object",
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "allOf": [{"required": ["c"]}],
        "not": {"required": ["d"]},
    }
    assert sentences({"a": 1, "c": 1}, wanted) == []
    assert any("anyOf" in text for text in sentences({"c": 1}, wanted))
    assert any("allOf" in text for text in sentences({"a": 1}, wanted))
    assert any("(not)" in text for text in sentences({"a": 1, "c": 1, "d": 1}, wanted))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2024-01-01T00:00:00Z", "yesterday"),
        ("byte", "YWJj", "a-b"),
        ("ipv4", "127.0.0.1", "127.0.0.256"),
        ("uuid", "8d3a1d1c-5c2f-4c3f-9d5c-0a7f4a2c9a11", "x"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/99"),
        ("date", "2024-01-01", "2024-13-01"),
    ],
)
def test_formats_that_are_checked(name: str, good: str, bad: str) -> None:
    assert sentences(good, {"type": "string", "format": name}) == []
    assert sentences(bad, {"type": "string", "format": name})


def test_unknown_formats_are_remarks() -> None:
    assert sentences("anything", {"type": "string", "format": "tea"}) == []


def test_a_format_is_no_bound() -> None:
    assert sentences(2**31, {"type": "integer", "format": "int32"}) == []


def test_keys_of_map_lists_are_unique() -> None:
    wanted = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    assert sentences([{"name": "a"}, {"name": "b"}], wanted) == []
    assert sentences([{"name": "a"}, {"name": "a"}], wanted) == ['spec[1]: Duplicate value: {"name":"a"}']


def test_embedded_resources_keep_their_metadata_and_need_a_kind() -> None:
    wanted = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
    value = {"apiVersion": "v1", "metadata": {"name": "x"}, "spec": {}, "other": 1}
    assert schema.prune(value, wanted, "spec") == ["spec.other"]
    assert sentences(value, wanted) == ["spec.kind: Required value"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_pruning_twice_removes_nothing_more(value: Any) -> None:
    wanted = {
        "type": "object",
        "properties": {
            "a": {"type": "object", "properties": {"b": {"type": "array", "items": {"type": "object"}}}},
            "c": {"type": "object", "additionalProperties": {"type": "object", "properties": {"d": {}}}},
        },
    }
    schema.prune(value, wanted)
    before = schema.clone(value)
    assert schema.prune(value, wanted) == []
    assert value == before


def test_every_builtin_kind_has_a_readable_schema() -> None:
    definitions = types.definitions()
    assert definitions["EndpointSlice"]["required"] == ["addressType"]
    ports = definitions["Container"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["items"]["properties"]["protocol"]["default"] == "TCP"
    assert definitions["DeploymentSpec"]["properties"]["selector"]["x-kubernetes-map-type"] == "atomic"
