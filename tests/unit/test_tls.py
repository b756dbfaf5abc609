"""Certificates of the embedded cluster verify strictly, for the names and addresses they are made for."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import pytest

from pytest_smi.embedded.kubeapi import tls

if TYPE_CHECKING:
    from pathlib import Path


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Run a TLS handshake in memory and return the server's side. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    done = {near: False, far: False}
    for side in (near, far) * 4:
        try:
            side.do_handshake()
            done[side] = True
        except ssl.SSLWantReadError:
            pass
    assert all(done.values())
    return far


@pytest.fixture(scope="module")
def authority() -> tls.Authority:
    return tls.new_authority("test")


def strict(authority: tls.Authority) -> ssl.SSLContext:
    context = tls.client_context(authority.cert_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
def test_the_server_is_trusted_under_each_of_its_names(authority: tls.Authority, tmp_path: Path, name: str) -> None:
    server = tls.server_context(tls.server_pair(authority), tmp_path)
    assert handshake(strict(authority), server, name).getpeercert() is None


def test_another_name_or_another_authority_is_not_trusted(authority: tls.Authority, tmp_path: Path) -> None:
    server = tls.server_context(tls.server_pair(authority), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(strict(authority), server, "example.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(strict(tls.new_authority("other")), server, "localhost")


def test_a_client_certificate_tells_who_calls(authority: tls.Authority, tmp_path: Path) -> None:
    server = tls.server_context(tls.server_pair(authority), tmp_path, client_ca_pem=authority.cert_pem)
    pair = authority.issue("front-proxy-client", organizations=["proxies"], client=True)
    client = tls.client_context(authority.cert_pem, pair=pair, folder=tmp_path)
    certificate = handshake(client, server, "localhost").getpeercert()
    assert certificate
    assert certificate["subject"] == ((("organizationName", "proxies"),), (("commonName", "front-proxy-client"),))


def test_the_key_is_readable_by_its_owner_only(authority: tls.Authority, tmp_path: Path) -> None:
    _, key = authority.write(tmp_path, "ca")
    assert key.stat().st_mode & 0o077 == 0


def test_making_all_certificates_takes_well_under_a_second(authority: tls.Authority, tmp_path: Path) -> None:
    begin = time.perf_counter()
    tls.server_context(tls.server_pair(tls.new_authority("again")), tmp_path)
    assert time.perf_counter() - begin < 0.5
