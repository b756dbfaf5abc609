"""DNS messages (RFC 1035), as far as a cluster's DNS needs them. Pure."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

A = 1
CNAME = 5
AAAA = 28
ANY = 255
IN = 1

NOERROR = 0
FORMERR = 1
NXDOMAIN = 3
NOTIMP = 4
REFUSED = 5

_LARGEST = 512  # bytes, of an answer over UDP without EDNS
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0400, 0x0200, 0x0100


class Malformed(ValueError):
    """Not a DNS query."""


@dataclass(frozen=True)
class Question:
    """The one question of a query: `name` in lower case without the final dot."""

    id: int
    name: str
    type: int
    raw: bytes
    recursion: bool


@dataclass(frozen=True)
class Record:
    """One answer: type A with an address, or CNAME with a name."""

    name: str
    type: int
    value: str


def read_query(packet: bytes) -> Question:
    """Reads a query with exactly one question of class IN. Raises Malformed for anything else."""
    if len(packet) < 12:
        raise Malformed("shorter than a header")
    number, flags, questions = struct.unpack_from("!HHH", packet)
    if flags & 0xF800 or questions != 1:
        raise Malformed("not a standard query with one question")
    labels, offset = [], 12
    try:
        while length := packet[offset]:
            if length > 63:
                raise Malformed("a compressed name in a question")
            labels.append(packet[offset + 1 : offset + 1 + length].decode("ascii").lower())
            offset += 1 + length
        kind, family = struct.unpack_from("!HH", packet, offset + 1)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Malformed("the question is cut off") from None
    if family not in (IN, ANY):
        raise Malformed("not class IN")
    return Question(number, ".".join(labels), kind, packet[12 : offset + 5], bool(flags & _RECURSION_DESIRED))


def answer(question: Question, code: int, records: list[Record], ttl: int) -> bytes:
    """The answer to a question; records that do not fit are left out and the answer marked truncated."""
    body, count = question.raw, 0
    for record in records:
        encoded = _encode(record, ttl)
        if 12 + len(body) + len(encoded) > _LARGEST:
            break
        body, count = body + encoded, count + 1
    flags = _RESPONSE | _AUTHORITATIVE | code
    flags |= _RECURSION_DESIRED if question.recursion else 0
    flags |= _TRUNCATED if count < len(records) else 0
    return struct.pack("!HHHHHH", question.id, flags, 1, count, 0, 0) + body


def refusal(packet: bytes, code: int) -> bytes:
    """An answer to something that cannot be read further than its id."""
    return packet[:2] + struct.pack("!HHHHH", _RESPONSE | code, 0, 0, 0, 0)


def encode_name(name: str) -> bytes:
    """A name as length-prefixed labels."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def _encode(record: Record, ttl: int) -> bytes:
    data = socket.inet_aton(record.value) if record.type == A else encode_name(record.value)
    return encode_name(record.name) + struct.pack("!HHIH", record.type, IN, ttl, len(data)) + data
