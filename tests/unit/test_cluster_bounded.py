"""An answer of somebody whom nobody vouches for costs bounded memory and time, however it is sent."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.cluster.bounded import Bounded, read
from pytest_smi.cluster.transport import Ask, Transport
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 0.4
LIMIT = 1 << 20


class Sender(BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        try:
            getattr(self, self.path.strip("/"))()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def good(self) -> None:
        self.head(("Content-Length", "2"), ("X-Pot", "t\xe9"))
        self.wfile.write(b"{}")

    def huge(self) -> None:
        self.head(("Content-Length", str(3 << 30)))
        while True:
            self.wfile.write(b" " * 65536)

    def huge_in_chunks(self) -> None:
        self.head(("Transfer-Encoding", "chunked"))
        while True:
            self.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def drips(self) -> None:
        self.head(("Content-Length", "1000000"))
        while True:
            self.wfile.write(b" ")
            time.sleep(0.02)  # as a server that never ends

    def stops(self) -> None:
        self.head(("Content-Length", "1000"))
        self.wfile.write(b"{")
        self.server.gate.wait()  # type: ignore[attr-defined]

    def silent(self) -> None:
        self.server.gate.wait()  # type: ignore[attr-defined]

    def breaks_off(self) -> None:
        self.head(("Transfer-Encoding", "chunked"))
        self.wfile.write(b"5\r\nabc")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Sender)
        self.gate = threading.Event()


@pytest.fixture
def transport() -> Iterator[Transport]:
    from kubernetes import client

    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_address[1]}"
    yield Transport(client.ApiClient(configuration))
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


def ask(transport: Transport, path: str) -> Bounded:
    return read(transport, Ask("GET", path, None, {}, False), seconds=SECONDS, limit=LIMIT)


def test_a_whole_answer_comes_whole(transport: Transport) -> None:
    for _ in range(2):  # the second time on the same connection
        found = ask(transport, "/good")
        assert (found.code, found.body, found.cut, found.headers["x-pot"]) == (200, b"{}", "", "té")


@pytest.mark.parametrize("path", ["/huge", "/huge_in_chunks"])
def test_what_is_too_long_is_given_up(transport: Transport, path: str) -> None:
    found = ask(transport, path)
    assert (found.code, found.cut) == (200, "it is longer than 1 MiB")
    assert len(found.body) < 2 * LIMIT


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/drips", "it does not end within 0.4 s"),
        ("/stops", "it does not go on for 0.4 s"),
        ("/silent", "no answer came within 0.4 s"),
        ("/breaks_off", "it breaks off: "),
    ],
)
def test_what_does_not_end_is_given_up(transport: Transport, path: str, why: str) -> None:
    began = time.monotonic()
    found = ask(transport, path)
    assert found.cut.startswith(why)
    assert time.monotonic() - began < 10 * SECONDS
    assert ask(transport, "/good").body == b"{}", "the next one is not disturbed"


def test_a_server_that_is_not_there_is_no_answer(transport: Transport) -> None:
    transport.host = "http://127.0.0.1:9"
    with pytest.raises(ClusterError, match="did not answer GET /good"):
        ask(transport, "/good")
