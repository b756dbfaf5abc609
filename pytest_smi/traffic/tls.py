"""The certificate that a TLS server shows: a handshake is begun by raw bytes from a pod, and read no further.

Pods of the scene speak no TLS themselves. TLS 1.2 sends the certificate in the clear, right after the server's hello,
so a client's first message and the beginning of the answer are enough. Pure: no I/O.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HANDSHAKE, _CERTIFICATE = 22, 11
_SEQUENCE, _SET, _OCTETS, _OID, _EXTENSIONS, _VERSION = 0x30, 0x31, 0x04, 0x06, 0xA3, 0xA0
_NAMES = frozenset({0x81, 0x82, 0x86})  # e-mail address, DNS name and URI among the alternative names
_ALTERNATIVE_NAMES = bytes((0x55, 0x1D, 0x11))  # 2.5.29.17
_TEXT = frozenset({0x0C, 0x13, 0x16})  # UTF8String, PrintableString, IA5String


@dataclass(frozen=True)
class Certificate:
    """Names in an X.509 certificate: those of its subject, and its alternative names."""

    subject: tuple[str, ...]
    alternative: tuple[str, ...]


def client_hello(server: str, protocols: Sequence[str]) -> bytes:
    """The first bytes of a TLS 1.2 client that asks for `server` and offers these application protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(protocols))
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=server)
    with suppress(ssl.SSLWantReadError):  # it waits for the server's answer, which somebody else will read
        client.do_handshake()
    return sent.read()


def certificate_in(answer: bytes) -> Certificate | None:
    """The server's own certificate in the beginning of its answer; None when there is none, or only a part of it."""
    try:
        return _read(_first_certificate(answer))
    except (IndexError, ValueError):
        return None


def _first_certificate(answer: bytes) -> bytes:
    stream = b"".join(_records(answer))
    while True:
        kind, length = stream[0], int.from_bytes(stream[1:4], "big")
        if kind == _CERTIFICATE:
            size = int.from_bytes(stream[7:10], "big")
            if size == 0 or len(stream) < 10 + size:
                raise ValueError("no whole certificate")
            return stream[10 : 10 + size]
        stream = stream[4 + length :]


def _records(answer: bytes) -> Iterator[bytes]:
    while len(answer) > 5 and answer[0] == _HANDSHAKE:
        length = int.from_bytes(answer[3:5], "big")
        yield answer[5 : 5 + length]
        answer = answer[5 + length :]


def _read(der: bytes) -> Certificate:
    ((_, whole),) = _elements(der)
    body = list(_elements(next(_elements(whole))[1]))
    fields = body[1:] if body[0][0] == _VERSION else body
    subject = tuple(_texts(fields[4][1]))
    extensions = next((content for tag, content in body if tag == _EXTENSIONS), b"")
    return Certificate(subject, tuple(_alternative(extensions)))


def _alternative(extensions: bytes) -> Iterator[str]:
    for _, listed in _elements(extensions):
        for _, extension in _elements(listed):
            parts = dict(_elements(extension))
            if parts.get(_OID) == _ALTERNATIVE_NAMES:
                ((_, names),) = _elements(parts[_OCTETS])
                yield from (text.decode("utf-8", "replace") for tag, text in _elements(names) if tag in _NAMES)


def _texts(der: bytes) -> Iterator[str]:
    for tag, content in _elements(der):
        if tag in (_SEQUENCE, _SET):
            yield from _texts(content)
        elif tag in _TEXT:
            yield content.decode("utf-8", "replace")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of the DER elements that stand one after the other."""
    while der:
        tag, length, start = der[0], der[1], 2
        if length >= 0x80:
            start = 2 + (length & 0x7F)
            length = int.from_bytes(der[2:start], "big")
        if len(der) < start + length:
            raise ValueError("cut short")
        yield tag, der[start : start + length]
        der = der[start + length :]
