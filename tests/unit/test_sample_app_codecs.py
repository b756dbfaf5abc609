"""What the sample application's client side makes of bytes: requests verbatim, answers judged strictly."""

from __future__ import annotations

import errno
import json
from itertools import pairwise
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sample_app_module import sample_app as app


def http(**changes: Any) -> Any:
    return app.Http1Codec(app.Plan.from_json({"host": "teapot.tea", "port": 8080, **changes}))


def marker(request_id: str = "i", pod: str = "teapot-1") -> bytes:
    return json.dumps({"app": "pytest-smi", "id": request_id, "pod": pod}).encode()


def response(body: bytes = b"", *lines: str, status: str = "200 OK", sized: bool = True) -> bytes:
    length = [f"Content-Length: {len(body)}"] if sized else []
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, *length, "", ""]).encode() + body


def hear(codec: Any, *pieces: bytes, request_id: str = "i") -> Any:
    codec.start(request_id)
    for piece in pieces:
        codec.feed(piece)
    return codec


# Requests


def test_a_request_says_host_id_and_close() -> None:
    assert http().start("i7") == b"GET / HTTP/1.1\r\nhost: teapot.tea:8080\r\nconnection: close\r\nx-smi-id: i7\r\n\r\n"


def test_on_a_kept_connection_no_close_is_announced() -> None:
    assert b"connection" not in http(connection="kept").start("i")


def test_method_path_and_headers_are_sent_verbatim() -> None:
    sent = http(
        method="bRew",
        path="//a/./../%2e%2E;x?y#z é",
        headers=[["X-Tea", "green"], ["x-tea", " black"], ["Empty", ""]],
    ).start("i")
    assert sent.startswith("bRew //a/./../%2e%2E;x?y#z é HTTP/1.1\r\n".encode("latin-1"))
    assert b"\r\nX-Tea: green\r\nx-tea:  black\r\nEmpty: \r\n" in sent


def test_a_given_host_connection_or_id_is_not_doubled() -> None:
    sent = http(headers=[["Host", "other"], ["Connection", "keep-alive"], ["X-Smi-Id", "mine"]]).start("i").lower()
    assert sent == b"get / http/1.1\r\nhost: other\r\nconnection: keep-alive\r\nx-smi-id: mine\r\n\r\n"


def test_a_body_is_sent_with_its_length() -> None:
    sent = http(method="POST", body="tée").start("i")
    assert b"\r\ncontent-length: 4\r\n" in sent
    assert sent.endswith("\r\n\r\ntée".encode())
    assert b"content-length: 0" in http(method="POST").start("i")
    assert b"content-length" not in http(method="DELETE").start("i")


# Answers


def test_an_answer_of_the_workload_names_its_pod() -> None:
    codec = hear(http(), response(marker()))
    assert (codec.done, codec.status, codec.pod, codec.error, codec.reusable) == (True, 200, "teapot-1", None, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"[]",
        b'"pytest-smi"',
        marker(request_id="other"),
        json.dumps({"app": "other", "id": "i", "pod": "teapot-1"}).encode(),
        json.dumps({"app": "pytest-smi", "id": None, "pod": "teapot-1"}).encode(),
        marker()[:-1],
    ],
)
def test_a_200_without_the_workloads_own_mark_has_no_pod(body: bytes) -> None:
    codec = hear(http(), response(body, "x-smi-pod: teapot-1", "x-smi-id: i"))
    assert (codec.done, codec.status, codec.pod) == (True, 200, None)


def test_a_failure_of_the_workload_itself_still_names_its_pod() -> None:
    codec = hear(http(), response(marker(), status="503 Service Unavailable"))
    assert (codec.status, codec.pod) == (503, "teapot-1")


@pytest.mark.parametrize(("request_id", "pod"), [("i", "teapot-1"), ("other", None)])
def test_an_answer_to_head_names_its_pod_by_headers_of_the_same_id(request_id: str, pod: str | None) -> None:
    head = response(marker(), "x-smi-pod: teapot-1", f"x-smi-id: {request_id}").partition(b"{")[0]
    codec = hear(http(method="HEAD"), head)
    assert (codec.done, codec.pod) == (True, pod)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_that_never_have_a_body_end_with_their_head(status: str) -> None:
    codec = hear(http(), response(b"", "content-length: 10", status=status, sized=False))
    assert (codec.done, codec.body) == (True, b"")


def test_interim_answers_are_skipped() -> None:
    codec = hear(http(), b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\n" + response(marker()))
    assert (codec.done, codec.status) == (True, 200)


WAYS = {
    "sized": response(marker(), "x: y"),
    "chunked": response(b"", "Transfer-Encoding: chunked", sized=False)
    + b"5\r\n"
    + marker()[:5]
    + b"\r\n"
    + f"{len(marker()) - 5:x}".encode()
    + b"\r\n"
    + marker()[5:]
    + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
def test_an_answer_may_arrive_in_any_pieces(way: str, data: st.DataObject) -> None:
    whole = WAYS[way]
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8))), len(whole)]
    codec = http()
    codec.start("i")
    for start, end in pairwise(edges):
        if start < end:
            codec.feed(whole[start:end])
    assert (codec.done, codec.status, codec.pod, codec.error) == (True, 200, "teapot-1", None)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    codec = hear(http(), response(marker(), sized=False))
    assert not codec.done
    codec.end()
    assert (codec.done, codec.error, codec.pod, codec.reusable) == (True, None, "teapot-1", False)


@pytest.mark.parametrize("heard", [b"", b"HTT", b"HTTP/1.1 200 OK\r\nconte", response(marker())[:-1]])
def test_an_answer_cut_short_is_closed(heard: bytes) -> None:
    codec = hear(http(), *([heard] if heard else []))
    codec.end()
    assert (codec.done, codec.error, codec.pod) == (False, "closed", None)


@pytest.mark.parametrize(
    "heard",
    [b"SSH-2.0", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 2OO\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad\r\n\r\n", b"\0" * 9,
     b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000],
)  # fmt: skip
def test_what_is_not_http_is_malformed(heard: bytes) -> None:
    assert hear(http(), heard).error == "malformed"


@pytest.mark.parametrize("protocol", ["http1", "h2c", "tcp", "banner"])
def test_a_tls_alert_is_recognised(protocol: str) -> None:
    plan = app.Plan.from_json({"host": "h", "port": 1, "protocol": protocol})
    assert hear(app._CODECS[protocol](plan), b"\x15\x03\x01\x00\x02\x02\x28").error == "tls"


def test_a_late_answer_keeps_what_came() -> None:
    codec = hear(http(), response(marker())[:-1])
    codec.expire()
    assert (codec.error, codec.status) == ("timeout", 200)


@pytest.mark.parametrize(
    "answer",
    [response(marker(), "Connection: close"), response(marker()) + b"x", response(marker()).replace(b"1.1", b"1.0")],
)
def test_a_connection_is_not_used_again_after_a_close_or_a_surplus(answer: bytes) -> None:
    codec = hear(http(connection="kept"), answer)
    assert (codec.done, codec.reusable) == (True, False)


def test_nothing_of_one_answer_leaks_into_the_next() -> None:
    codec = hear(http(connection="kept"), response(marker(), "x: y", status="403 Forbidden"))
    codec.start("j")
    assert (codec.done, codec.status, codec.pod, codec.body, codec.fields) == (False, None, None, b"", [])
    codec.feed(response(marker("j", "teapot-2")))
    assert (codec.pod, codec.status) == ("teapot-2", 200)


# HTTP/2


class H2Peer:
    """The server side of an HTTP/2 connection in memory."""

    def __init__(self, codec: Any, request_id: str = "i") -> None:
        self.codec = codec
        self.connection = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self.connection.initiate_connection()
        self.fields: dict[str, str] = {}
        self.begin(request_id)

    def begin(self, request_id: str) -> None:
        for event in self.connection.receive_data(self.codec.start(request_id)):
            if isinstance(event, RequestReceived):
                self.stream, self.fields = event.stream_id, dict(event.headers)

    def answer(self, *fields: tuple[str, str], body: bytes = b"") -> None:
        self.connection.send_headers(self.stream, [(":status", "200"), *fields], end_stream=not body)
        if body:
            self.connection.send_data(self.stream, body, end_stream=True)
        self.codec.feed(self.connection.data_to_send())


def h2c(**changes: Any) -> Any:
    return app.H2Codec(app.Plan.from_json({"host": "teapot.tea", "port": 80, "protocol": "h2c", **changes}))


def test_an_http_2_request_says_what_the_plan_says() -> None:
    peer = H2Peer(h2c(method="BREW", path="/a/../b", headers=[["X-Tea", "green"], ["Host", "other"]]))
    assert peer.fields == {
        ":method": "BREW",
        ":scheme": "http",
        ":authority": "other",
        ":path": "/a/../b",
        "x-tea": "green",
        "x-smi-id": "i",
    }


@pytest.mark.parametrize(("written_for", "pod"), [("i", "teapot-1"), ("other", None)])
def test_an_http_2_answer_names_its_pod_only_for_the_same_id(written_for: str, pod: str | None) -> None:
    peer = H2Peer(h2c())
    peer.answer(body=marker(written_for))
    assert (peer.codec.done, peer.codec.status, peer.codec.pod) == (True, 200, pod)
    peer = H2Peer(h2c(method="HEAD"))
    peer.answer(("x-smi-pod", "teapot-1"), ("x-smi-id", written_for))
    assert (peer.codec.done, peer.codec.pod) == (True, pod)


def test_a_grpc_refusal_without_a_message_has_its_status_and_no_pod() -> None:
    peer = H2Peer(h2c(protocol="grpc", path="/tea.Pot/Pour"))
    assert (peer.fields[":method"], peer.fields["te"]) == ("POST", "trailers")
    peer.answer(("content-type", "application/grpc"), ("grpc-status", "7"))
    assert (peer.codec.done, peer.codec.pod, ("grpc-status", "7") in peer.codec.fields) == (True, None, True)


def test_an_http_2_stream_that_is_reset_is_reset_and_the_connection_goes_on() -> None:
    peer = H2Peer(h2c())
    peer.connection.reset_stream(peer.stream)
    peer.codec.feed(peer.connection.data_to_send())
    assert (peer.codec.error, peer.codec.done) == ("reset", False)


def test_pings_between_http_2_requests_are_answered_and_a_farewell_is_heeded() -> None:
    peer = H2Peer(h2c(connection="kept"))
    peer.answer(body=marker())
    peer.connection.ping(b"12345678")
    assert peer.codec.idle(peer.connection.data_to_send())
    assert peer.codec.out
    peer.connection.close_connection()
    assert not peer.codec.idle(peer.connection.data_to_send())


@pytest.mark.parametrize("heard", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 smtp\r\n", b"\0\0\4\4\0\0\0\0\0tea?"])
def test_a_peer_that_does_not_speak_http_2_is_malformed(heard: bytes) -> None:
    codec = h2c()
    codec.start("i")
    for number in range(len(heard)):
        if codec.error is None:
            codec.feed(heard[number : number + 1])
    assert codec.error == "malformed"


# Lines


def line(protocol: str = "tcp", body: str = "") -> Any:
    return app._CODECS[protocol](app.Plan.from_json({"host": "h", "port": 1, "protocol": protocol, "body": body}))


def test_an_echo_is_complete_with_its_body() -> None:
    codec = line(body="tea")
    assert codec.start("i") == b"smi-id: i\ntea"
    codec.feed(b"smi-pod: teapot-1 i\nt")
    assert (codec.done, codec.pod) == (False, "teapot-1")
    codec.feed(b"ea")
    assert (codec.done, codec.error) == (True, None)


@pytest.mark.parametrize("heard", [b"smi-pod: p other\n", b"HTTP/1.1 400", b"smi-pod: p i\nTEA"])
def test_an_echo_of_something_else_is_malformed(heard: bytes) -> None:
    assert hear(line(body="tea"), heard).error == "malformed"


def test_a_server_that_speaks_first_is_waited_for_and_proves_that_it_was_reached() -> None:
    codec = line("banner")
    assert codec.start("i") == b""
    codec.feed(b"smi-pod: tea")
    assert (codec.pod, codec.out) == (None, b"")
    codec.feed(b"pot-1\n")
    assert (codec.pod, codec.out, codec.done) == ("teapot-1", b"smi-id: i\n", False)
    codec.feed(b"smi-pod: teapot-1 i\n")
    assert codec.done
    assert codec.start("j") == b"smi-id: j\n", "the greeting comes once for each connection"


def test_a_server_that_closes_after_its_greeting_was_reached_all_the_same() -> None:
    codec = hear(line("banner"), b"smi-pod: teapot-1\n")
    codec.end()
    assert (codec.error, codec.pod) == ("closed", "teapot-1")


# Raw


def raw(data: bytes = b"x") -> Any:
    import base64

    return app.RawCodec(
        app.Plan.from_json({"host": "h", "port": 1, "protocol": "raw", "raw": base64.b64encode(data).decode()})
    )


def test_raw_bytes_are_sent_with_only_the_id_filled_in() -> None:
    assert raw(b"\0GET {id} {x}\n").start("i") == b"\0GET i {x}\n"


def test_everything_until_the_close_is_the_answer_to_raw_bytes() -> None:
    codec = hear(raw(), response(marker() + b"\n"), response(b"second"))
    assert not codec.done
    codec.end()
    assert (codec.done, codec.error, codec.status, codec.pod) == (True, None, 200, "teapot-1")
    assert codec.body.endswith(b"second")


def test_an_answer_to_raw_bytes_need_not_be_http() -> None:
    codec = hear(raw(), b"220 smtp\r\n")
    codec.expire()
    assert (codec.done, codec.error, codec.status, codec.body) == (True, None, None, b"220 smtp\r\n")


@pytest.mark.parametrize(("way", "error"), [("end", "closed"), ("expire", "timeout")])
def test_no_answer_to_raw_bytes_is_an_error(way: str, error: str) -> None:
    codec = hear(raw())
    getattr(codec, way)()
    assert codec.error == error


# Errors


@pytest.mark.parametrize(
    ("number", "shape"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "reset"),
        (errno.EPIPE, "reset"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.EADDRNOTAVAIL, "local: Cannot assign requested address"),
        (errno.EMFILE, "local: Too many open files"),
    ],
)
def test_socket_errors_have_shapes_and_our_own_trouble_is_marked_as_such(number: int, shape: str) -> None:
    assert app.shape_of(OSError(number, "x")) == shape
