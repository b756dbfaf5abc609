"""What a TLS handshake shows without being finished: a real server's certificate, and nothing where there is none."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pytest_smi.embedded.mesh.ca import Authority
from pytest_smi.embedded.mesh.model import Pod
from pytest_smi.traffic.tls import Certificate, certificate_in, client_hello

POD = Pod("tea", "teapot-0", "teapot", "127.0.0.1", "127.0.0.1", {})


@pytest.fixture
def answer(tmp_path: Path) -> bytes:
    """What a server with the certificate of the pod answers to our hello."""
    file = tmp_path / "pod.pem"
    file.write_bytes(b"".join(Authority().for_pod(POD)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(received, sent, server_side=True)
    received.write(client_hello("teapot.tea.svc.cluster.local", ["h2", "http/1.1"]))
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    return sent.read()


def test_the_servers_certificate_is_read_without_finishing_the_handshake(answer: bytes) -> None:
    found = certificate_in(answer)
    assert found == Certificate(
        ("teapot.tea",), ("spiffe://cluster.local/ns/tea/sa/teapot", "teapot-0.tea.pod.cluster.local")
    )


@pytest.mark.parametrize("wrong", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_other_answers_hold_no_certificate(wrong: bytes) -> None:
    assert certificate_in(wrong) is None


def test_an_answer_that_was_cut_short_holds_no_certificate(answer: bytes) -> None:
    whole = next(length for length in range(len(answer)) if certificate_in(answer[:length]))
    assert all(certificate_in(answer[:length]) is None for length in range(0, whole, 7))
