"""Reading the protobuf form of built-in kinds, against messages made here by hand."""

from __future__ import annotations

import pytest

from pytest_smi.embedded.kubeapi import assembly, protobuf
from pytest_smi.embedded.kubeapi.http import Request
from pytest_smi.embedded.kubeapi.status import ApiError


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])


def put(number: int, value: int | str | bytes) -> bytes:
    """One field: a number as a varint, text and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def envelope(version: str, kind: str, content: bytes) -> bytes:
    return protobuf.MAGIC + put(1, put(1, version) + put(2, kind)) + put(2, content) + put(3, "") + put(4, "")


def metadata(name: str) -> bytes:
    """As Go writes it: every field that is no pointer is there, empty or not."""
    return put(1, put(1, name) + put(2, "") + put(3, "") + put(7, 0) + put(8, b""))


def test_what_is_empty_is_left_out_and_maps_keep_empty_values() -> None:
    data = put(2, put(1, "a") + put(2, "1")) + put(2, put(1, "b") + put(2, ""))
    assert protobuf.decode(envelope("v1", "ConfigMap", metadata("leaf") + data)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "leaf"},
        "data": {"a": "1", "b": ""},
    }


def test_a_pointer_counts_even_when_it_points_to_zero() -> None:
    zero = protobuf.message("DeploymentSpec", put(1, 0) + put(5, 0) + put(7, 0), "spec")
    assert zero == {"replicas": 0}


def test_negative_numbers_bytes_booleans_and_times_are_read() -> None:
    assert protobuf.message("Toleration", put(5, -3), "t") == {"tolerationSeconds": -3}
    assert protobuf.message("Secret", put(2, put(1, "k") + put(2, b"\x00\xff")), "s") == {"data": {"k": "AP8="}}
    assert protobuf.message("ConfigMap", put(4, 1), "c") == {"immutable": True}
    moment = put(8, put(1, 1704067200) + put(2, 0))
    assert protobuf.message("ObjectMeta", moment, "m") == {"creationTimestamp": "2024-01-01T00:00:00Z"}
    micro = put(4, put(1, 1704067200) + put(2, 5000))
    assert protobuf.message("LeaseSpec", micro, "l") == {"renewTime": "2024-01-01T00:00:00.000005Z"}


def test_quantities_and_int_or_string_are_plain_values() -> None:
    limits = put(1, put(1, "cpu") + put(2, put(1, "250m")))
    assert protobuf.message("ResourceRequirements", limits, "r") == {"limits": {"cpu": "250m"}}
    assert protobuf.message("ServicePort", put(3, 80) + put(4, put(1, 0) + put(2, 8080) + put(3, "")), "p") == {
        "port": 80,
        "targetPort": 8080,
    }
    assert protobuf.message("ServicePort", put(4, put(1, 1) + put(2, 0) + put(3, "http")), "p") == {
        "targetPort": "http"
    }


def test_inlined_types_stand_among_the_fields_of_their_owner() -> None:
    config = put(1, put(1, "sample-app")) + put(3, 420)
    volume = put(1, "app") + put(2, put(19, config))
    assert protobuf.message("Volume", volume, "v") == {
        "name": "app",
        "configMap": {"name": "sample-app", "defaultMode": 420},
    }
    assert protobuf.message("Volume", put(1, "tmp") + put(2, put(2, b"")), "v") == {"name": "tmp", "emptyDir": {}}


def test_lists_keep_their_order_and_empty_items() -> None:
    rule = put(1, "get") + put(1, "list") + put(2, "") + put(3, "pods")
    assert protobuf.message("PolicyRule", rule, "r") == {
        "verbs": ["get", "list"],
        "apiGroups": [""],
        "resources": ["pods"],
    }


def test_an_unknown_field_is_refused_unless_it_says_nothing() -> None:
    assert protobuf.message("HTTPHeader", put(1, "a") + put(99, 0) + put(98, b"") + put(97, put(1, "")), "h") == {
        "name": "a"
    }
    with pytest.raises(protobuf.Unreadable, match=r"^h: field number 99 of HTTPHeader is not known here: send JSON$"):
        protobuf.message("HTTPHeader", put(99, 1), "h")
    with pytest.raises(protobuf.Unreadable, match="field number 97"):
        protobuf.message("HTTPHeader", put(97, put(1, "x")), "h")


def test_a_kind_outside_the_table_is_left_alone() -> None:
    assert protobuf.decode(envelope("batch/v1", "Job", b"")) is None
    assert protobuf.decode(envelope("events.k8s.io/v1", "Event", b"")) is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        envelope("v1", "ConfigMap", metadata("leaf"))[:-9],
        envelope("v1", "ConfigMap", put(1, 5)),
        envelope("v1", "ConfigMap", put(1, put(1, b"\xff"))),
        envelope("v1", "ConfigMap", b"\x0b"),
        envelope("v1", "ConfigMap", b"\x08\xff"),
    ],
)
def test_a_broken_body_is_unreadable(body: bytes) -> None:
    with pytest.raises(protobuf.Unreadable):
        protobuf.decode(body)


def test_every_type_that_the_table_refers_to_is_in_it() -> None:
    table = protobuf.table()
    scalars = {"", "string", "int", "bool", "bytes", "time", "quantity", "intOrString", "ExtraValue"}
    used = {field.type.strip("[]{}") for fields in table.types.values() for field in fields.values()}
    assert used - scalars <= table.types.keys()
    assert {kind for kinds in table.kinds.values() for kind in kinds} <= table.types.keys()


def request(path: str, body: bytes) -> Request:
    return Request("POST", path, path, {}, {"content-type": protobuf.MEDIA_TYPE}, body)


def test_requests_are_turned_into_json_but_for_status() -> None:
    body = envelope("v1", "Namespace", metadata("tea"))
    turned = assembly.as_json(request("/api/v1/namespaces", body))
    assert turned.body == b'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"tea"}}'
    assert turned.headers["content-type"] == "application/json"
    assert assembly.as_json(request("/api/v1/namespaces/tea/status", body)).body == body
    with pytest.raises(ApiError) as refusal:
        assembly.as_json(request("/api/v1/namespaces", b"nonsense"))
    assert refusal.value.code == 400
