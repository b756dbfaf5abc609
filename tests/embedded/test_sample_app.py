"""The sample application as a process: its servers, its agent, and what the two say of each other."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from binascii import crc32
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import PingAckReceived, StreamEnded

from pytest_smi.errors import WorkloadError
from pytest_smi.traffic.agent import Agent
from pytest_smi.traffic.ids import new_id
from pytest_smi.traffic.plan import Observation, Plan, Request
from tests.embedded.sample_app_process import SampleApp, exchange, only, some_address, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORTS = {"http1": 8080, "h2c": 9090, "grpc": 8080, "tcp": 7001, "banner": 7100, "udp": 5531}


@pytest.fixture(scope="module")
def teapot() -> Iterator[SampleApp]:
    app = SampleApp("teapot")
    yield app
    app.agent.close()
    app.stop()


@pytest.fixture(scope="module")
def kettle() -> Iterator[SampleApp]:
    app = SampleApp("kettle")
    yield app
    app.agent.close()
    app.stop()


@pytest.fixture(autouse=True)
def _normal(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "teapot" in request.fixturenames:
        request.getfixturevalue("teapot").agent.reset()


def send(client: SampleApp, request: Request, **how: Any) -> Observation:
    found: Observation = only(client.agent.run(Plan(request, ids=(new_id(),), **how)).observations)
    return found


# Servers and agent together


@pytest.mark.parametrize("connection", ["new", "kept"])
@pytest.mark.parametrize("protocol", PORTS)
def test_a_request_is_served_logged_and_comes_from_the_pods_address(
    kettle: SampleApp, teapot: SampleApp, protocol: str, connection: Any
) -> None:
    request = Request(teapot.address, PORTS[protocol], protocol, path="/tea.Pot/Pour", body="milk")
    seen = kettle.agent.run(Plan(request, ids=("one-" + protocol, "two-" + protocol), connection=connection))
    first, second = seen.observations
    assert [(o.pod, o.error) for o in (first, second)] == [("teapot", None)] * 2
    assert first.remote == f"{teapot.address}:{PORTS[protocol]}"
    log = teapot.agent.seen([first.id, second.id, "never-sent"])
    assert set(log) == {first.id, second.id}
    assert log[first.id]["protocol"] == protocol
    assert log[first.id]["port"] == PORTS[protocol]
    assert log[first.id]["peer"] == first.local
    assert first.local.startswith(kettle.address + ":")
    assert (first.local == second.local) == (connection == "kept")


def test_the_answer_repeats_the_request_as_it_arrived(kettle: SampleApp, teapot: SampleApp) -> None:
    path = "//pour/./../%2e%2E/tea;x?a=%zz&&b#c"
    headers = (("X-Tea", "green"), ("x-tea", "black"))
    seen = send(kettle, Request(teapot.address, 8080, method="bRew", path=path, headers=headers))
    body = json.loads(seen.body)
    assert (body["method"], body["path"], body["id"], body["service_account"]) == ("bRew", path, seen.id, "teapot")
    assert [pair for pair in body["headers"] if pair[0].lower() == "x-tea"] == [["X-Tea", "green"], ["x-tea", "black"]]
    logged = teapot.agent.seen([seen.id])[seen.id]
    assert (logged["method"], logged["path"], logged["headers"]) == ("bRew", path, body["headers"])


@pytest.mark.parametrize("protocol", ["http1", "h2c"])
def test_the_answer_tells_length_and_checksum_of_the_body(kettle: SampleApp, teapot: SampleApp, protocol: str) -> None:
    seen = send(kettle, Request(teapot.address, 8080, protocol, method="POST", body="milk" * 20_000))
    assert json.loads(seen.body)["body"] == {"bytes": 80_000, "crc32": crc32(b"milk" * 20_000)}
    assert "body" not in json.loads(send(kettle, Request(teapot.address, 8080, protocol)).body)


def test_a_client_that_ends_its_side_gets_everything_back(kettle: SampleApp, teapot: SampleApp) -> None:
    seen = send(kettle, Request(teapot.address, 7001, "half-close", body="milk" * 200_000))
    assert (seen.pod, seen.error) == ("teapot", None)


def test_a_peer_that_ends_with_the_client_is_seen_to_cut_it_short(kettle: SampleApp) -> None:
    with peer(says(b"smi-pod: teapot")) as (host, port):
        assert send(kettle, Request(host, port, "half-close", body="milk")).error == "closed"


@pytest.mark.parametrize("protocol", ["http1", "h2c"])
def test_head_is_answered_without_a_body_and_known_by_its_headers(
    kettle: SampleApp, teapot: SampleApp, protocol: str
) -> None:
    seen = send(kettle, Request(teapot.address, 8080, protocol, method="HEAD"))
    assert (seen.status, seen.pod, seen.body) == (200, "teapot", "")


@pytest.mark.parametrize(("connection", "peers"), [("new", 40), ("kept", 4)])
def test_kept_connections_carry_many_requests_and_new_ones_one_each(
    kettle: SampleApp, teapot: SampleApp, connection: Any, peers: int
) -> None:
    plan = Plan(Request(teapot.address, 8080), count=40, concurrency=4, connection=connection, id_prefix=new_id())
    assert all(seen.pod == "teapot" for seen in kettle.agent.run(plan).observations)
    logged = teapot.agent.seen([f"{plan.id_prefix}-{number}" for number in range(40)])
    assert len(logged) == 40
    assert len({entry["peer"] for entry in logged.values()}) == peers


def waiting(address: str) -> set[str]:
    """Connections from this address that are in TIME_WAIT, by their two ends."""
    ours = struct.pack("<I", struct.unpack(">I", socket.inet_aton(address))[0]).hex().upper()
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return {f"{row[1]} {row[2]}" for row in rows if row[1].startswith(ours) and row[3] == "06"}


@pytest.mark.parametrize("protocol", ["http1", "tcp"])
def test_thousands_of_new_connections_leave_no_port_behind(kettle: SampleApp, teapot: SampleApp, protocol: str) -> None:
    before = waiting(kettle.address)  # of earlier tests
    request = Request(teapot.address, PORTS[protocol], protocol)
    counted = kettle.agent.run(Plan(request, count=2000, concurrency=8, detail="histogram")).histogram
    assert counted
    assert (counted.requests, counted.pods, counted.errors) == (2000, {"teapot": 2000}, {})
    assert 0 < counted.seconds["p50"] <= counted.seconds["p99"] <= counted.seconds["max"]
    assert len(counted.samples) == 5
    assert waiting(kettle.address) <= before, "connections in TIME_WAIT hold a port for a minute"


def test_a_rate_is_kept(kettle: SampleApp, teapot: SampleApp) -> None:
    plan = Plan(Request(teapot.address, 8080), count=20, rate=100, concurrency=4, connection="kept", detail="histogram")
    counted = kettle.agent.run(plan).histogram
    assert counted
    assert counted.pods == {"teapot": 20}
    assert counted.elapsed > 0.18


def test_raw_bytes_go_out_untouched_and_everything_comes_back(kettle: SampleApp, teapot: SampleApp) -> None:
    two = b"GET /a HTTP/1.1\r\nhost: x\r\nx-smi-id: {id}\r\n\r\nGET /b HTTP/1.0\r\n\r\n"
    seen = send(kettle, Request(teapot.address, 8080, "raw", raw=two))
    assert (seen.status, seen.pod, seen.error) == (200, "teapot", None)
    assert seen.body.count("HTTP/1.1 200 OK") == 2
    assert teapot.agent.seen([seen.id])[seen.id]["path"] == "/a"


def test_a_large_body_passes_both_ways(kettle: SampleApp, teapot: SampleApp) -> None:
    body = "tea\n" * 500_000
    for protocol in ("http1", "h2c", "grpc", "tcp"):
        seen = send(kettle, Request(teapot.address, PORTS[protocol], protocol, "POST", body=body), timeout=10.0)
        assert (seen.pod, seen.error) == ("teapot", None), protocol
    large = tuple((f"x-{number}", "y" * 500) for number in range(100))
    for protocol in ("http1", "h2c"):
        seen = send(kettle, Request(teapot.address, PORTS[protocol], protocol, headers=large))
        assert (seen.pod, len(seen.body)) == ("teapot", 2048), protocol


def test_without_h2_a_plan_for_it_is_an_error_of_the_harness_and_no_observation(teapot: SampleApp) -> None:
    bare = SampleApp("bare", python=(sys.executable, "-I", "-S"))
    try:
        assert send(bare, Request(teapot.address, 8080)).pod == "teapot"
        with pytest.raises(WorkloadError, match="unsupported: h2 is not installed"):
            send(bare, Request(teapot.address, 8080, "h2c"))
        refused = send(teapot, Request(bare.address, 8080, "h2c"))
        assert (refused.error, refused.pod) == ("malformed", None)
    finally:
        bare.agent.close()
        bare.stop()


# The server by itself


def test_pipelined_requests_are_answered_in_order(teapot: SampleApp) -> None:
    requests = b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\nx-smi-id: %d\r\n\r\n" % (n, n) for n in range(20))
    with teapot.connect(8080) as stream:
        heard = exchange(stream, requests + b"GET /end HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    paths = [json.loads(part.partition(b"\n")[0])["path"] for part in heard.split(b"\r\n\r\n")[1:]]
    assert paths == [*(f"/{n}" for n in range(20)), "/end"]


def test_a_delayed_answer_keeps_its_place(teapot: SampleApp) -> None:
    teapot.agent.behaviour(delay_ms=30, for_path="/slow")
    with teapot.connect(8080) as stream:
        heard = exchange(
            stream,
            b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET /fast HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
    assert heard.index(b"/slow") < heard.index(b"/fast")


def test_a_client_that_closes_its_side_still_gets_its_answers(teapot: SampleApp) -> None:
    teapot.agent.behaviour(delay_ms=30)
    with teapot.connect(8080) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        stream.shutdown(socket.SHUT_WR)
        assert exchange(stream, b"").count(b"HTTP/1.1 200 OK") == 2
    with teapot.connect(7000) as stream:
        stream.sendall(b"smi-id: half\n" + b"x" * 100_000)
        stream.shutdown(socket.SHUT_WR)
        assert exchange(stream, b"") == b"smi-pod: teapot half\n" + b"x" * 100_000


@pytest.mark.parametrize(
    ("request_bytes", "announced"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", False),
    ],
)
def test_a_close_is_announced_and_then_made(teapot: SampleApp, request_bytes: bytes, announced: bool) -> None:
    with teapot.connect(8080) as stream:
        heard = exchange(stream, request_bytes, until=None if announced else b"}\n")
    assert (b"\r\nconnection: close\r\n" in heard) is announced


def test_a_chunked_body_is_read_to_its_end(teapot: SampleApp) -> None:
    with teapot.connect(8080) as stream:
        heard = exchange(
            stream,
            b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n"
            b"GET /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
    assert heard.count(b"HTTP/1.1 200 OK") == 2


def test_a_client_that_waits_for_permission_gets_it(teapot: SampleApp) -> None:
    with teapot.connect(8080) as stream:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n"
        assert exchange(stream, head, until=b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert exchange(stream, b"tea", until=b"}\n").startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 200_000, 431),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 300_000, 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" + b"x" * 300_000, 400),
    ],
)
def test_a_bad_request_gets_its_answer_even_when_it_is_not_read_to_the_end(
    teapot: SampleApp, data: bytes, status: int
) -> None:
    with teapot.connect(8080) as stream:
        heard = exchange(stream, data)
    assert heard.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'"app":"pytest-smi"' in heard
    assert b'"id":null' in heard


def test_other_bytes_are_echoed_as_they_come(teapot: SampleApp) -> None:
    with teapot.connect(7002) as stream:
        assert exchange(stream, b"hello\n", until=b"hello\n") == b"hello\n"
        assert exchange(stream, b"s", until=b"s") == b"s"
        assert exchange(stream, b"smi-id: a\n", until=b"\n") == b"smi-pod: teapot a\n"


# Behaviour


@pytest.mark.parametrize("protocol", ["http1", "h2c"])
def test_behaviour_is_injected_and_taken_back(kettle: SampleApp, teapot: SampleApp, protocol: str) -> None:
    teapot.agent.behaviour(delay_ms=40, status=503, headers={"X-Tea": "cold"}, for_path="/pour")
    poured = send(kettle, Request(teapot.address, 8080, protocol, path="/pour/1"))
    assert (poured.status, poured.pod, poured.header("x-tea")) == (503, "teapot", "cold")
    assert poured.seconds >= 0.04
    other = send(kettle, Request(teapot.address, 8080, protocol, path="/other"))
    assert (other.status, other.header("x-tea")) == (200, None)
    teapot.agent.reset()
    assert teapot.agent.seen([poured.id]) == {}
    assert send(kettle, Request(teapot.address, 8080, protocol, path="/pour/1")).status == 200


def test_a_share_of_failures_is_exact(kettle: SampleApp, teapot: SampleApp) -> None:
    teapot.agent.behaviour(status=500, fail_ratio=0.25)
    counted = kettle.agent.run(Plan(Request(teapot.address, 8080), count=100, detail="histogram")).histogram
    assert counted
    assert counted.status == {"500": 25, "200": 75}
    assert counted.pods == {"teapot": 100}, "a failure of the workload itself is no denial"


# What a client sees


@contextlib.contextmanager
def peer(talk: Callable[[socket.socket], object]) -> Iterator[tuple[str, int]]:
    """A TCP server that hands every connection to `talk`, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    stream, _ = listener.accept()
                    with stream, contextlib.suppress(OSError):
                        talk(stream)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def resets(stream: socket.socket) -> None:
    stream.recv(100)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says(data: bytes) -> Callable[[socket.socket], object]:
    def talk(stream: socket.socket) -> None:
        stream.recv(9000)
        stream.sendall(data)

    return talk


FORGED = b'HTTP/1.1 200 OK\r\nx-smi-pod: teapot\r\ncontent-length: 36\r\n\r\n{"app": "pytest-smi", "id": "other"}'


@pytest.mark.parametrize(
    ("talk", "shape"),
    [
        pytest.param(resets, "reset", id="reset"),
        pytest.param(lambda stream: stream.recv(100), "closed", id="closed without a word"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), "closed", id="closed half-way"),
        pytest.param(says(b"\x15\x03\x03\x00\x02\x02\x28"), "tls", id="TLS alert"),
        pytest.param(says(b"220 smtp ready\r\n"), "malformed", id="another protocol"),
        pytest.param(lambda stream: stream.recv(100) and stream.recv(100), "timeout", id="silence"),
        pytest.param(says(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nRBAC"), "403", id="refusal of a proxy"),
        pytest.param(says(FORGED), "200", id="another's answer"),
    ],
)
def test_every_way_to_be_refused_has_its_shape_and_no_pod(kettle: SampleApp, talk: Any, shape: str) -> None:
    with peer(talk) as (host, port):
        seen = send(kettle, Request(host, port), timeout=0.3)
    assert (seen.shape, seen.pod) == (shape, None)


@pytest.mark.parametrize("protocol", ["http1", "h2c", "tcp", "banner", "udp"])
def test_a_port_without_a_listener_refuses(kettle: SampleApp, protocol: str) -> None:
    seen = send(kettle, Request(some_address(), 9, protocol))
    assert (seen.shape, seen.pod, seen.status) == ("refused", None, None)


def test_a_kept_connection_that_the_peer_ends_is_replaced(kettle: SampleApp) -> None:
    """Announced or not: a close between two requests loses none of them."""

    def answers_and_ends(stream: socket.socket) -> None:
        stream.recv(9000)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # the end goes out together with the answer
        stream.sendall(answer)

    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    with peer(says(answer)) as (host, port):
        seen = kettle.agent.run(Plan(Request(host, port), count=5, connection="kept")).observations
    assert [one.shape for one in seen] == ["200"] * 5
    answer = answer.replace(b"connection: close\r\n", b"")
    with peer(answers_and_ends) as (host, port):
        seen = kettle.agent.run(Plan(Request(host, port), count=50, connection="kept")).observations
    assert [one.shape for one in seen] == ["200"] * 50
    assert len({one.local for one in seen}) == 50


def test_an_http_2_connection_is_kept_although_the_peer_speaks_between_requests(kettle: SampleApp) -> None:
    def answers_and_pings(stream: socket.socket) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := stream.recv(9000):
            for event in connection.receive_data(data):
                if isinstance(event, StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", "204")], end_stream=True)
                    connection.ping(b"--with--")
                elif isinstance(event, PingAckReceived) and event.ping_data == b"--with--":
                    connection.ping(b"-after--")  # the client has its answer and waits for the next request to be due
            stream.sendall(connection.data_to_send())

    with peer(answers_and_pings) as (host, port):
        plan = Plan(Request(host, port, "h2c"), count=5, connection="kept", rate=100)
        seen = kettle.agent.run(plan).observations
    assert [one.shape for one in seen] == ["204"] * 5
    assert len({one.local for one in seen}) == 1


# Names


class Names:
    """A DNS server for one test: knows some names, and remembers who asked for what."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[str] = []
        self.clients: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            labels, position = [], 12
            while query[position]:
                labels.append(query[position + 1 : position + 1 + query[position]].decode())
                position += query[position] + 1
            name = ".".join(labels)
            self.asked.append(name)
            self.clients.add(client[0])
            address = self.known.get(name.replace(".", "_"))
            head = query[:2] + (b"\x81\x80" if address else b"\x81\x83") + struct.pack(">HHHH", 1, bool(address), 0, 0)
            record = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(address) if address else b""
            self._socket.sendto(head + query[12:] + record, client)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


def test_names_are_looked_up_as_a_pod_does_it(teapot: SampleApp) -> None:
    names = Names(teapot_tea_svc_cluster_local=teapot.address)
    client = SampleApp("client", DNS_SERVER=names.endpoint)
    try:
        seen = send(client, Request("teapot", 8080))
        assert seen.pod == "teapot"
        assert dict(json.loads(seen.body)["headers"])["host"] == "teapot:8080"
        assert names.asked == ["teapot.tea.svc.cluster.local"]
        assert names.clients == {client.address}
        assert send(client, Request("teapot.tea", 8080)).pod == "teapot"
        assert names.asked[1:] == ["teapot.tea.tea.svc.cluster.local", "teapot.tea.svc.cluster.local"]
        lost = send(client, Request("intruder", 8080))
        assert (lost.shape, lost.pod) == ("resolve", None)
        assert names.asked[-1] == "intruder"
    finally:
        client.agent.close()
        client.stop()
        names.close()


def test_a_dns_server_that_does_not_answer_is_a_failure_to_resolve() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = SampleApp("client", DNS_SERVER=f"127.0.0.1:{silent.getsockname()[1]}")
        try:
            seen = client.agent.run(Plan(Request("teapot", 8080), count=2, timeout=0.1)).observations
            assert [one.shape for one in seen] == ["resolve", "resolve"]
        finally:
            client.agent.close()
            client.stop()


def test_a_run_looks_a_name_up_once_and_not_for_every_request(teapot: SampleApp) -> None:
    names = Names(teapot_tea_svc_cluster_local=teapot.address)
    client = SampleApp("client", DNS_SERVER=names.endpoint)
    try:
        plan = Plan(Request("teapot", 8080), count=100, concurrency=10, detail="histogram")
        counted = client.agent.run(plan).histogram
        assert counted
        assert counted.pods == {"teapot": 100}
        assert len(names.asked) == 1
    finally:
        client.agent.close()
        client.stop()
        names.close()


def test_without_a_dns_server_the_systems_names_are_used(kettle: SampleApp) -> None:
    with peer(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as (_, port):
        assert send(kettle, Request("localhost", port)).status == 204


# Control


def ask(app: SampleApp, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    with app.control() as stream:
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        heard = exchange(stream, head.encode() + body)
    return int(heard[9:12]), json.loads(heard.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/nothing", b"", 404, "/nothing is not known; known are /healthz, "),
        ("GET", "/run", b"", 405, "/run takes POST, not GET"),
        ("POST", "/run", b"{", 400, "the body is not JSON"),
        ("POST", "/run", b"\xff", 400, "the body is not JSON"),
        ("POST", "/run", b"{}", 400, "a plan needs host and port"),
        ("POST", "/seen", b'{"ids": "a"}', 400, "ids: give a list of strings"),
        ("POST", "/log", b'{"since": -1}', 400, "since: -1"),
        ("POST", "/behaviour", b'{"delay": 1}', 400, "behaviour: 'delay' is not known"),
        ("POST", "/run", b"[" * 100_000, 400, ""),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_in_one_line(
    teapot: SampleApp, method: str, path: str, body: bytes, status: int, error: str
) -> None:
    found, answer = ask(teapot, method, path, body)
    assert found == status
    assert answer["error"].startswith(error)
    assert "\n" not in answer["error"]
    assert teapot.agent.healthy()


def test_the_log_can_be_read_page_by_page(kettle: SampleApp, teapot: SampleApp) -> None:
    begin = teapot.agent.log(limit=1)["end"]
    kettle.agent.run(Plan(Request(teapot.address, 8080), count=5, id_prefix="page"))
    first = teapot.agent.log(since=begin, limit=3)
    rest = teapot.agent.log(since=first["next"])
    assert [entry["id"] for entry in first["entries"] + rest["entries"]] == [f"page-{number}" for number in range(5)]


def test_a_run_ends_when_nobody_waits_for_it_any_more(kettle: SampleApp, teapot: SampleApp) -> None:
    plan = Plan(Request(teapot.address, 8080), count=100_000, rate=200, concurrency=2, id_prefix="orphan")
    body = json.dumps(plan.as_json()).encode()
    begin = teapot.agent.log(limit=1)["end"]
    with kettle.control() as stream:
        stream.sendall(f"POST /run HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        deadline = time.monotonic() + 5
        while teapot.agent.log(since=begin)["end"] < begin + 3:
            assert time.monotonic() < deadline, "the run did not begin"
    # The probe shares the agent with the run: once it is answered, the agent has seen the connection end.
    assert send(kettle, Request(teapot.address, 8080, path="/probe")).pod == "teapot"
    before = teapot.agent.log(limit=1)["end"]
    plan = Plan(Request(teapot.address, 8080), count=10, rate=100)
    assert len(kettle.agent.run(plan).observations) == 10
    assert teapot.agent.log(limit=1)["end"] == before + 10


class Cut:
    """Connections to an agent of which the first so many break while they wait for the answer to a plan."""

    def __init__(self, app: SampleApp, breaks: int) -> None:
        self._app = app
        self.breaks = breaks
        self.opened = 0

    def connect(self) -> Any:
        self.opened += 1
        stream = self._app.control()
        return _Breaking(stream, self) if self.breaks else stream


class _Breaking:
    def __init__(self, stream: socket.socket, cut: Cut) -> None:
        self._stream, self._cut, self._plan = stream, cut, False
        self.close = stream.close
        self.settimeout = stream.settimeout

    def sendall(self, data: bytes, /) -> None:
        self._plan = b"POST /run" in data
        self._stream.sendall(data)

    def recv(self, size: int, /) -> bytes:
        if self._plan:
            self._cut.breaks -= 1
            raise ConnectionResetError("cut")
        return self._stream.recv(size)


@pytest.mark.parametrize("breaks", [1, 2])
def test_a_plan_whose_connection_is_cut_is_carried_out_once_and_its_result_told(
    kettle: SampleApp, teapot: SampleApp, breaks: int
) -> None:
    cut = Cut(kettle, breaks)
    agent = Agent(cut.connect)
    agent.reset()
    begin = teapot.agent.log(limit=1)["end"]
    plan = Plan(Request(teapot.address, 8080), count=20, rate=100, detail="histogram")
    outcome = agent.run(plan)
    assert outcome.histogram
    assert outcome.histogram.pods == {"teapot": 20}
    assert cut.opened == breaks + 1
    assert teapot.agent.log(limit=1)["end"] == begin + 20, "each request arrived once"
    agent.close()


def test_a_plan_that_an_earlier_process_may_have_begun_is_refused(teapot: SampleApp) -> None:
    plan = {"host": teapot.address, "port": 8080, "plan_id": "x", "instance": "of-another-life"}
    status, answer = ask(teapot, "POST", "/run", json.dumps(plan).encode())
    assert status == 409
    assert "started again" in answer["error"]


def test_results_of_a_few_plans_are_kept_and_no_more(teapot: SampleApp) -> None:
    def source(number: int) -> str:
        """The address that the only request of this plan came from: it tells one connection from another."""
        plan = {"host": teapot.address, "port": 8080, "plan_id": f"kept-{number}"}
        _, answer = ask(teapot, "POST", "/run", json.dumps(plan).encode())
        return str(answer["observations"][0]["local"])

    first = {number: source(number) for number in range(6)}
    assert {number: source(number) for number in (5, 4, 3, 2)} == {number: first[number] for number in (5, 4, 3, 2)}
    assert source(0) != first[0]


def test_an_agent_reconnects_after_its_connection_died(teapot: SampleApp) -> None:
    agent = teapot.agent
    assert agent.healthy()
    assert isinstance(agent._stream, socket.socket)
    agent._stream.shutdown(socket.SHUT_RDWR)
    agent.reset()


# The process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(number: signal.Signals) -> None:
    app = SampleApp("short")
    with app.connect(8080):
        app.process.send_signal(number)
        assert app.process.wait(5) == 0
    app.stop()


def run_to_end(**env: str) -> tuple[int, str]:
    process = start(env, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=10)
    return process.returncode, said.decode()


def test_a_bad_setting_ends_it_with_one_line_and_status_2() -> None:
    assert run_to_end(HTTP_PORTS="tea") == (
        2,
        "sample_app: HTTP_PORTS: 'tea' is not a port: give numbers from 1 to 65535, separated by commas\n",
    )


@pytest.mark.parametrize(("variable", "kind"), [("TCP_PORTS", "TCP"), ("UDP_PORTS", "UDP"), ("CONTROL_PORT", "TCP")])
def test_a_port_that_is_taken_ends_it_with_one_line_and_status_1(variable: str, kind: str) -> None:
    address = some_address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "UDP" else socket.SOCK_STREAM) as holder:
        holder.bind((address, 0))
        if kind == "TCP":
            holder.listen()
        port = holder.getsockname()[1]
        status, said = run_to_end(BIND_ADDRESS=address, **{variable: str(port)})
    assert (status, said) == (
        1,
        f"sample_app: cannot open {kind} port {port} on {address}: "
        "Address already in use (ss -lntup shows who has it)\n",
    )
