"""Built-in objects as Go's types read and write them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import typed, types
from pytest_smi.embedded.kubeapi.numbers import Fraction
from pytest_smi.embedded.kubeapi.scalars import Mismatch


def read(kind: str, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    return typed.read(fields, types.kind_schema(kind), kind)


def tidied(kind: str, /, **fields: Any) -> dict[str, Any]:
    return typed.tidy(fields, types.kind_schema(kind))


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        ("ConfigMap", {"data": 7}, "number into Go struct field ConfigMap.data of type map[string]string"),
        ("ConfigMap", {"data": {"a": 7}}, "cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ("ConfigMap", {"metadata": []}, "array into Go struct field ConfigMap.metadata of type v1.ObjectMeta"),
        (
            "Deployment",
            {"spec": {"replicas": "3"}},
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "Deployment",
            {"spec": {"replicas": 1 << 40}},
            "cannot unmarshal number 1099511627776 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "Deployment",
            {"spec": {"replicas": Fraction.of("3.0")}},
            "cannot unmarshal number 3.0 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ("Secret", {"data": {"a": "x"}}, "illegal base64 data at input byte"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_the_words_of_go(kind: str, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(Mismatch) as refusal:
        read(kind, **fields)
    assert why in str(refusal.value)


def test_unknown_fields_are_dropped_and_named_with_their_place() -> None:
    container = {"name": "a", "ports": [{"containerPort": 80, "flavour": 1}]}
    found, unknown = read("Pod", spec={"containers": [container]}, tea=1)
    assert unknown == ["spec.containers[0].ports[0].flavour", "tea"]
    assert found == {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}}


def test_null_is_absent_in_a_struct_and_the_zero_value_in_a_list_or_map() -> None:
    assert read("ConfigMap", data={"a": None}, binaryData=None)[0] == {"data": {"a": ""}}


def test_structs_are_written_even_when_empty_and_pointers_are_not() -> None:
    made = tidied("Pod", kind="Pod", apiVersion="v1")
    assert made == {"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": {"containers": None}, "status": {}}


def test_zero_counts_where_go_has_a_pointer() -> None:
    assert tidied("Deployment", spec={"replicas": 0})["spec"]["replicas"] == 0
    assert "minReadySeconds" not in tidied("Deployment", spec={"minReadySeconds": 0})["spec"]


def test_what_is_always_written_is_null_or_zero_when_it_is_missing() -> None:
    assert tidied("Role")["rules"] is None
    event = tidied("Event")
    assert (event["firstTimestamp"], event["reportingComponent"]) == (None, "")
