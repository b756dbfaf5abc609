import struct
from typing import Any

import pytest

from pytest_smi.embedded import dns_message as message
from pytest_smi.embedded.dns import Zone
from pytest_smi.embedded.dns_message import Record, encode_name

Object = dict[str, Any]


def query(name: str, kind: int = message.A, flags: int = 0x0100) -> bytes:
    return struct.pack("!HHHHHH", 0x1234, flags, 1, 0, 0, 0) + encode_name(name) + struct.pack("!HH", kind, 1)


def service(name: str, **spec: Any) -> tuple[tuple[str, str], Object]:
    return ("tea", name), {"metadata": {"namespace": "tea", "name": name}, "spec": spec}


def piece(name: str, *endpoints: Object) -> tuple[tuple[str, str], Object]:
    labels = {"kubernetes.io/service-name": name}
    metadata = {"namespace": "tea", "name": f"{name}-x", "labels": labels}
    return ("tea", f"{name}-x"), {"metadata": metadata, "endpoints": list(endpoints)}


ZONE = Zone(
    dict(
        [
            service("pot", clusterIP="127.64.1.9"),
            service("cups", clusterIP="None"),
            service("alias", type="ExternalName", externalName="pot.tea.svc.cluster.local"),
            service("outside", type="ExternalName", externalName="example.org"),
            service("mirror", type="ExternalName", externalName="mirror.tea.svc.cluster.local"),
        ]
    ),
    dict(
        [
            piece(
                "cups",
                {"addresses": ["127.64.0.1"], "conditions": {"ready": True}, "hostname": "first"},
                {"addresses": ["127.64.0.2"], "conditions": {"ready": False}},
                {"addresses": ["127.64.0.3"]},
            )
        ]
    ),
)


def found(name: str, kind: int = message.A) -> tuple[int, list[tuple[int, str]]]:
    code, records = ZONE.lookup(name, kind)
    return code, sorted((record.type, record.value) for record in records)


def test_a_service_has_its_cluster_ip() -> None:
    assert found("pot.tea.svc.cluster.local") == (message.NOERROR, [(message.A, "127.64.1.9")])


def test_another_record_type_of_a_name_that_exists_is_empty_not_missing() -> None:
    assert found("pot.tea.svc.cluster.local", message.AAAA) == (message.NOERROR, [])


def test_a_headless_service_has_its_ready_endpoints_and_their_host_names() -> None:
    both = [(message.A, "127.64.0.1"), (message.A, "127.64.0.3")]
    assert found("cups.tea.svc.cluster.local") == (message.NOERROR, both)
    assert found("first.cups.tea.svc.cluster.local") == (message.NOERROR, both[:1])


def test_an_external_name_is_an_alias_resolved_where_it_is_ours() -> None:
    target = "pot.tea.svc.cluster.local"
    code, records = found("alias.tea.svc.cluster.local")
    assert (code, records) == (message.NOERROR, [(message.A, "127.64.1.9"), (message.CNAME, target)])
    assert found("outside.tea.svc.cluster.local") == (message.NOERROR, [(message.CNAME, "example.org")])


def test_an_alias_of_itself_comes_to_an_end() -> None:
    code, records = found("mirror.tea.svc.cluster.local")
    assert code == message.NOERROR
    assert 1 <= len(records) < 20


@pytest.mark.parametrize(
    "name",
    [
        "",
        "pot",
        "pot.tea",
        "pot.tea.svc",
        "tea.svc.cluster.local",
        "pot.coffee.svc.cluster.local",
        "x.pot.tea.svc.cluster.local",
        "second.cups.tea.svc.cluster.local",
        "a.b.pot.tea.svc.cluster.local",
        "example.org",
        "pot.tea.svc.cluster.local.tea.svc.cluster.local",
    ],
)
def test_everything_else_does_not_exist(name: str) -> None:
    assert found(name) == (message.NXDOMAIN, [])


def test_a_question_is_read_in_lower_case_and_answered_with_its_own_bytes() -> None:
    question = message.read_query(query("PoT.tea"))
    assert (question.name, question.type, question.recursion) == ("pot.tea", message.A, True)
    answer = message.answer(question, message.NOERROR, [Record("pot.tea", message.A, "127.0.0.9")], 0)
    number, flags, questions, answers = struct.unpack_from("!HHHH", answer)
    assert (number, questions, answers) == (0x1234, 1, 1)
    assert flags & 0x8000
    assert not flags & 0x0200
    assert b"\x03PoT\x03tea\x00" in answer
    assert answer.endswith(bytes([0, 4, 127, 0, 0, 9]))


def test_more_than_fits_is_cut_and_marked() -> None:
    question = message.read_query(query("cups.tea"))
    records = [Record("cups.tea", message.A, f"127.0.0.{number}") for number in range(60)]
    answer = message.answer(question, message.NOERROR, records, 0)
    assert len(answer) <= 512
    assert struct.unpack_from("!H", answer, 2)[0] & 0x0200


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x12\x34",
        query("x")[:-3],
        query("x", flags=0x2800),
        struct.pack("!HHHHHH", 1, 0, 2, 0, 0, 0),
        struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01",
        query("x")[:-1] + b"\x03",
    ],
)
def test_what_is_not_a_query_is_malformed(packet: bytes) -> None:
    with pytest.raises(message.Malformed):
        message.read_query(packet)
