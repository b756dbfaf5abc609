import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from pytest_smi.embedded.client import ApiFailure, Client
from pytest_smi.embedded.wire import parse_head

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: bytes) -> tuple[Answer, list[bytes]]:
    """A server that gives these answers in turn, and the request heads it got; an empty answer closes instead."""
    left, got = list(answers), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                got.append(head + body)
                if not (answer := left.pop(0)):
                    return
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    return serve, got


def ok(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def talk(server: Answer, conversation: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        client = Client(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", "secret")
        try:
            async with asyncio.timeout(5):
                await conversation(client)
        finally:
            client.close()
            listening.close()

    asyncio.run(run())


@contextmanager
def refused(code: int) -> Iterator[None]:
    with pytest.raises(ApiFailure) as caught:
        yield
    assert caught.value.code == code


def test_a_head_tells_how_the_body_ends() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n\r\n")
    assert (head.status, head.length, head.chunked, head.close) == (200, 12, False, False)
    head = parse_head(b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: Chunked\r\nConnection: close\r\n\r\n")
    assert (head.status, head.chunked, head.close) == (404, True, True)
    assert parse_head(b"HTTP/1.1 204 No Content\r\n\r\n").length == 0
    with pytest.raises(ConnectionError, match="not an HTTP"):
        parse_head(b"SSH-2.0-x\r\n\r\n")


def test_requests_share_one_connection_and_carry_the_token_and_query() -> None:
    server, got = answering(ok(b'{"a":1}'), ok(b'{"b":2}'))

    async def conversation(client: Client) -> None:
        assert await client.get("/api/v1/pods", labelSelector="a=b,c", watch=False, limit=None) == {"a": 1}
        assert await client.create("/api/v1/pods", {"kind": "Pod"}) == {"b": 2}

    talk(server, conversation)
    assert got[0].startswith(b"GET /api/v1/pods?labelSelector=a%3Db%2Cc&watch=false HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret\r\n" in got[0]
    assert got[1].endswith(b'\r\n\r\n{"kind":"Pod"}')
    assert len(got) == 2


def test_apply_forces_under_its_manager_and_merge_does_not() -> None:
    server, got = answering(ok(b"{}"), ok(b"{}"))

    async def conversation(client: Client) -> None:
        await client.patch("/x", {"a": 1}, "apply", manager="me")
        await client.patch("/x", {"a": 1})

    talk(server, conversation)
    assert got[0].startswith(b"PATCH /x?fieldManager=me&force=true ")
    assert b"Content-Type: application/apply-patch+yaml" in got[0]
    assert got[1].startswith(b"PATCH /x?fieldManager=pytest-smi ")
    assert b"Content-Type: application/merge-patch+json" in got[1]


def test_a_refusal_is_raised_with_the_servers_status() -> None:
    status = b'{"kind":"Status","reason":"NotFound","message":"no such pod"}'
    server, _ = answering(ok(status, status=b"404 Not Found"), ok(b"gateway says no", status=b"502 Bad Gateway"))

    async def conversation(client: Client) -> None:
        with pytest.raises(ApiFailure, match="404 NotFound: no such pod"):
            await client.get("/x")
        with pytest.raises(ApiFailure, match="gateway says no"):
            await client.get("/x")

    talk(server, conversation)


def test_a_stale_connection_is_replaced_for_reads_but_never_for_creates() -> None:
    server, got = answering(ok(b"{}"), b"", ok(b'{"second":true}'), b"")

    async def conversation(client: Client) -> None:
        await client.get("/x")
        assert await client.get("/x") == {"second": True}
        with pytest.raises(ConnectionError):
            await client.create("/x", {})

    talk(server, conversation)
    assert [head.split()[0] for head in got] == [b"GET", b"GET", b"GET", b"POST"]


def test_an_answer_cut_off_is_an_error_not_a_short_answer() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        writer.close()

    async def conversation(client: Client) -> None:
        with pytest.raises(ConnectionError, match="in the middle"):
            await client.get("/x")

    talk(cut, conversation)


def test_a_watch_joins_events_split_over_chunks_and_ends_with_the_stream() -> None:
    event = b'{"type":"ADDED","object":{"n":1}}\n'
    pieces = [event[:10], event[10:] + event, b'{"type":"BOOKMARK","object":{"n":2}}\n']
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    server, got = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    async def conversation(client: Client) -> None:
        seen = [(event["type"], event["object"]["n"]) async for event in client.watch("/x", resourceVersion="7")]
        assert seen == [("ADDED", 1), ("ADDED", 1), ("BOOKMARK", 2)]

    talk(server, conversation)
    assert got[0].startswith(b"GET /x?watch=true&resourceVersion=7 ")


def test_an_error_event_of_a_watch_is_raised() -> None:
    line = b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}\n'
    server, _ = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(line), line))

    async def conversation(client: Client) -> None:
        with refused(410):
            async for _ in client.watch("/x"):
                pass

    talk(server, conversation)
