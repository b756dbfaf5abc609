"""SPDY/3.1 frames, header compression and sessions, without a network."""

from __future__ import annotations

import asyncio
import struct
import zlib

import pytest

from pytest_smi.embedded.kubeapi import spdy


class Client:
    """The other end of a session: makes client frames, and reads what the server sent."""

    def __init__(self) -> None:
        self.codec = spdy.HeaderCodec()
        self.sent: list[bytes] = []
        self.opened: list[spdy.Stream] = []
        self.session = spdy.Session(self._take, self.opened.append)

    async def _take(self, data: bytes) -> None:
        self.sent.append(data)

    def syn_stream(self, number: int, headers: dict[str, str], flags: int = 0) -> bytes:
        payload = struct.pack("!IIH", number, 0, 0) + self.codec.encode(headers)
        return spdy.control_frame(spdy.Control.SYN_STREAM, payload, flags)

    def received(self) -> list[spdy.Frame]:
        return spdy.FrameParser().feed(b"".join(self.sent))


def test_dictionary_is_that_of_the_draft() -> None:
    """Every implementation announces the dictionary by this Adler-32 in its first compressed bytes."""
    assert len(spdy.HEADER_DICTIONARY) == 1423
    assert zlib.adler32(spdy.HEADER_DICTIONARY) == 0xE3C6A7C2


def test_headers_survive_compression_over_several_blocks() -> None:
    encoder, decoder = spdy.HeaderCodec(), spdy.HeaderCodec()
    for index in range(3):
        headers = {"streamtype": "data", "port": "8080", "requestid": str(index)}
        assert decoder.decode(encoder.encode(headers)) == headers


def test_a_broken_header_block_is_a_protocol_error() -> None:
    with pytest.raises(spdy.SpdyError):
        spdy.HeaderCodec().decode(b"nonsense")


def test_frames_survive_any_cutting() -> None:
    data = (
        spdy.data_frame(1, b"abc")
        + spdy.control_frame(spdy.Control.PING, b"\0\0\0\1")
        + spdy.data_frame(3, b"", fin=True)
    )
    parser = spdy.FrameParser()
    frames = [frame for byte in data for frame in parser.feed(bytes([byte]))]
    assert frames == [
        spdy.Frame(None, 1, 0, b"abc"),
        spdy.Frame(spdy.Control.PING, 0, 0, b"\0\0\0\1"),
        spdy.Frame(None, 3, spdy.FLAG_FIN, b""),
    ]


def test_another_spdy_version_is_refused() -> None:
    with pytest.raises(spdy.SpdyError, match="version 2"):
        spdy.FrameParser().feed(struct.pack("!HHI", 0x8002, 1, 0))


def test_a_stream_is_accepted_and_carries_bytes_both_ways() -> None:
    async def run() -> None:
        client = Client()
        await client.session.feed(client.syn_stream(1, {"StreamType": "data"}))
        await client.session.feed(spdy.data_frame(1, b"ping") + spdy.data_frame(1, b"", fin=True))
        (stream,) = client.opened
        assert stream.headers == {"streamtype": "data"}
        assert [await stream.read(), await stream.read(), await stream.read()] == [b"ping", b"", b""]
        await stream.write(b"pong")
        await stream.finish()
        await stream.finish()
        reply, *data = client.received()
        assert (reply.kind, int.from_bytes(reply.payload[:4])) == (spdy.Control.SYN_REPLY, 1)
        assert client.codec.decode(reply.payload[4:]) == {}
        assert data == [spdy.Frame(None, 1, 0, b"pong"), spdy.Frame(None, 1, spdy.FLAG_FIN, b"")]

    asyncio.run(run())


def test_a_reset_ends_reading_and_makes_writing_fail() -> None:
    async def run() -> None:
        client = Client()
        await client.session.feed(client.syn_stream(1, {}) + spdy.data_frame(1, b"void"))
        await client.session.feed(spdy.control_frame(spdy.Control.RST_STREAM, struct.pack("!II", 1, 5)))
        (stream,) = client.opened
        assert await stream.read() == b""
        with pytest.raises(ConnectionError):
            await stream.write(b"x")
        await client.session.feed(spdy.data_frame(1, b"late"))

    asyncio.run(run())


def test_only_the_clients_own_pings_are_echoed() -> None:
    async def run() -> None:
        client = Client()
        for number in (1, 2):
            await client.session.feed(spdy.control_frame(spdy.Control.PING, struct.pack("!I", number)))
        assert client.received() == [spdy.Frame(spdy.Control.PING, 0, 0, b"\0\0\0\1")]

    asyncio.run(run())


@pytest.mark.parametrize("number", [0, 2])
def test_a_client_cannot_open_even_streams(number: int) -> None:
    async def run() -> None:
        client = Client()
        with pytest.raises(spdy.SpdyError):
            await client.session.feed(client.syn_stream(number, {}))

    asyncio.run(run())


def test_frames_that_change_nothing_are_ignored() -> None:
    async def run() -> None:
        client = Client()
        for kind in (spdy.Control.SETTINGS, spdy.Control.GOAWAY, spdy.Control.WINDOW_UPDATE):
            await client.session.feed(spdy.control_frame(kind, bytes(8)))
        assert client.sent == []

    asyncio.run(run())
