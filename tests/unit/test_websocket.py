"""WebSocket frames, handshake and the connection, checked against RFC 6455 without a network."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smi.embedded.kubeapi.websocket import (
    CloseCode,
    Frame,
    FrameParser,
    HandshakeRefused,
    Opcode,
    ProtocolError,
    WebSocket,
    accept_key,
    encode_frame,
    handshake,
    mask_payload,
)

MASK = b"\x37\xfa\x21\x3d"


class Wire:
    """A reader that yields given pieces, and a writer that keeps what was written."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.written = b""
        self.closed = False

    async def read(self, n: int = -1) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def client_frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return encode_frame(opcode, payload, fin=fin, mask=MASK)


def receive_all(*pieces: bytes) -> tuple[list[bytes], Wire]:
    async def run() -> tuple[list[bytes], Wire]:
        wire = Wire(*pieces)
        socket = WebSocket(wire, wire, limit=1000)
        messages = []
        while (message := await socket.receive()) is not None:
            messages.append(message)
        return messages, wire

    return asyncio.run(run())


def test_accept_key_is_that_of_the_rfc_example() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_masked_hello_of_the_rfc_is_parsed() -> None:
    data = bytes([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    assert FrameParser().feed(data) == [Frame(True, Opcode.TEXT, b"Hello")]
    assert encode_frame(Opcode.TEXT, b"Hello", mask=MASK) == data


@given(st.binary(max_size=70), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_payload_back(payload: bytes, mask: bytes) -> None:
    assert mask_payload(mask_payload(payload, mask), mask) == payload


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_frames_of_every_length_class_survive_any_cutting(length: int, step: int) -> None:
    payload = bytes(index % 251 for index in range(length))
    data = client_frame(Opcode.BINARY, payload)
    parser = FrameParser()
    frames = [frame for at in range(0, len(data), max(step, len(data) // 200)) for frame in
              parser.feed(data[at : at + max(step, len(data) // 200)])]  # fmt: skip
    assert frames == [Frame(True, Opcode.BINARY, payload)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encode_frame(Opcode.BINARY, b"x"), "must mask"),
        (bytes([0xC2, 0x80]) + MASK, "reserved bits"),
        (bytes([0x83, 0x80]) + MASK, "unknown opcode 3"),
        (bytes([0x09, 0x80]) + MASK, "control frame"),
        (bytes([0x89, 0xFE, 0, 126]) + MASK, "control frame"),
        (bytes([0x82, 0xFF]) + (1 << 40).to_bytes(8) + MASK, "exceeds the limit"),
    ],
)
def test_what_the_rfc_forbids_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        FrameParser().feed(data)


def test_fragments_with_a_ping_between_them_become_one_message() -> None:
    messages, wire = receive_all(
        client_frame(Opcode.BINARY, b"ab", fin=False)
        + client_frame(Opcode.PING, b"hi")
        + client_frame(Opcode.CONTINUATION, b"cd", fin=False)
        + client_frame(Opcode.CONTINUATION, b"ef")
    )
    assert messages == [b"abcdef"]
    assert wire.written.startswith(encode_frame(Opcode.PONG, b"hi"))


def test_close_is_answered_with_the_same_code_and_ends_the_connection() -> None:
    messages, wire = receive_all(client_frame(Opcode.CLOSE, (1001).to_bytes(2) + b"bye"))
    assert messages == []
    assert FrameParser(masked=False).feed(wire.written) == [Frame(True, Opcode.CLOSE, (1001).to_bytes(2))]
    assert wire.closed


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ([client_frame(Opcode.CONTINUATION, b"x")], CloseCode.PROTOCOL_ERROR),
        ([client_frame(Opcode.TEXT, b"x", fin=False), client_frame(Opcode.TEXT, b"y")], CloseCode.PROTOCOL_ERROR),
        (
            [client_frame(Opcode.BINARY, b"x" * 600, fin=False), client_frame(Opcode.CONTINUATION, b"y" * 600)],
            CloseCode.TOO_BIG,
        ),
    ],
)
def test_a_broken_rule_closes_with_its_code(pieces: list[bytes], code: CloseCode) -> None:
    messages, wire = receive_all(*pieces)
    (frame,) = FrameParser(masked=False).feed(wire.written)
    assert messages == []
    assert (frame.opcode, int.from_bytes(frame.payload[:2])) == (Opcode.CLOSE, code)
    assert wire.closed


def test_a_vanished_peer_ends_the_messages_and_sending_fails() -> None:
    async def run() -> None:
        wire = Wire()
        socket = WebSocket(wire, wire)
        assert await socket.receive() is None
        with pytest.raises(ConnectionError):
            await socket.send(b"x")

    asyncio.run(run())


def upgrade_headers(**changes: str) -> dict[str, str]:
    headers = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": "v5.channel.k8s.io, v4.channel.k8s.io",
    }
    return headers | {name.replace("_", "-"): value for name, value in changes.items()}


def test_handshake_takes_the_clients_first_supported_protocol() -> None:
    chosen, answer = handshake(upgrade_headers(), ["v4.channel.k8s.io"])
    assert chosen == answer["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io"
    assert answer["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert handshake(upgrade_headers(), ["v4.channel.k8s.io", "v5.channel.k8s.io"])[0] == "v5.channel.k8s.io"


@pytest.mark.parametrize(
    "changes",
    [
        {"upgrade": "SPDY/3.1"},
        {"sec_websocket_version": "8"},
        {"sec_websocket_key": ""},
        {"sec_websocket_protocol": "x"},
    ],
)
def test_handshake_refuses_what_it_cannot_serve(changes: dict[str, str]) -> None:
    with pytest.raises(HandshakeRefused):
        handshake(upgrade_headers(**changes), ["v5.channel.k8s.io"])
