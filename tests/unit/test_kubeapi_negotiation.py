"""Bodies: JSON and YAML as Kubernetes reads them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import negotiation
from pytest_smi.embedded.kubeapi.http import Request
from pytest_smi.embedded.kubeapi.status import ApiError


def request(body: str, kind: str = "application/json", accept: str = "") -> Request:
    return Request("POST", "/", "/", {}, {"content-type": kind, "accept": accept}, body.encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("when: 2024-01-01", {"when": "2024-01-01"}),
        ("time: 12:30:45", {"time": "12:30:45"}),
        ("1: a\ntrue: b", {"1": "a", "true": "b"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("on: 7", {"true": 7}),
        ("[1, 2.5, null, yes]", [1, 2.5, None, True]),
    ],
)
def test_yaml(text: str, expected: Any) -> None:
    assert negotiation.load(request(text, "application/yaml")).value == expected


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "{", "a: !!python/object:os.system {}", "a: 1\n---\nb: 2"])
def test_yaml_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        negotiation.load(request(text, "application/yaml"))
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("application/json", ['duplicate field "a[0].b"', 'duplicate field "c.d"']),
        ("application/yaml", ['line 1: key "b" already set in map', 'line 1: key "d" already set in map']),
    ],
)
def test_repeated_keys_are_told(kind: str, told: list[str]) -> None:
    body = negotiation.load(request('{"a": [{"b": 1, "b": 2}], "c": {"d": 1, "d": 2}}', kind))
    assert body.duplicates == told
    assert body.value == {"a": [{"b": 2}], "c": {"d": 2}}
    assert type(body.value["c"]) is dict


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", r"unexpected end of JSON input \(<empty>\)"),
        ("{x", r"invalid character 'x' looking for beginning of object key string \({x\)"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 "b"}', "invalid character '\"' after object key:value pair"),
        ('{"a": [1 2]}', "invalid character '2' after array element"),
        ('{"a": x}', "invalid character 'x' looking for beginning of value"),
        ('{"a": 1} x', "invalid character 'x' after top-level value"),
        ('{"a": "b', "unexpected end of JSON input"),
        ("[1]", r"cannot unmarshal array into Go value .* \(5b315d\)"),
    ],
)
def test_what_is_no_json_is_refused_in_the_words_of_go(text: str, why: str) -> None:
    with pytest.raises(ApiError, match=why) as refusal:
        negotiation.load(request(text), "Pot")
    assert refusal.value.code == 400


def test_an_apply_body_may_be_either() -> None:
    assert negotiation.load_apply(request('{"a": 1}', "application/apply-patch+yaml")).value == {"a": 1}
    assert negotiation.load_apply(request("a: 1", "application/apply-patch+yaml")).value == {"a": 1}


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(ApiError):
        negotiation.load(request("[" * 100_000))


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", ""),
        ("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,"
         "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json", "PartialObjectMetadata"),
        ("text/html, application/json;q=0.9", ""),
    ],
)  # fmt: skip
def test_the_form_asked_for(accept: str, form: str) -> None:
    assert negotiation.accepted(request("", accept=accept)).form == form
