"""The sample application's pure parts: settings, HTTP framing, log, behaviour, names, plans."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sample_app_module import sample_app as app

IDENTITY = {"POD_NAME": "teapot-1", "POD_NAMESPACE": "tea", "SERVICE_ACCOUNT": "teapot"}


def settings(**env: str) -> Any:
    return app.Settings.from_env({**IDENTITY, **env})


# Settings


def test_settings_have_defaults_for_everything() -> None:
    found = app.Settings.from_env({})
    assert found.http_ports == (8080, 9090)
    assert found.tcp_ports == (7000, 7001, 7002)
    assert (found.banner_ports, found.udp_ports, found.control_port) == ((7100,), (5530, 5531), 15900)
    assert (found.bind, found.source, found.dns) == ("0.0.0.0", "", None)
    assert found.pod


def test_settings_come_from_the_environment() -> None:
    found = settings(HTTP_PORTS="81, 82", UDP_PORTS="", BIND_ADDRESS="127.0.0.9", DNS_SERVER="127.0.0.1:53")
    assert (found.pod, found.namespace, found.service_account) == ("teapot-1", "tea", "teapot")
    assert (found.http_ports, found.udp_ports) == ((81, 82), ())
    assert (found.bind, found.dns) == ("127.0.0.9", ("127.0.0.1", 53))


def test_a_udp_port_may_have_the_number_of_a_tcp_port() -> None:
    assert settings(TCP_PORTS="5530").udp_ports == (5530, 5531)


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"HTTP_PORTS": "80x"}, "HTTP_PORTS: '80x' is not a port: give numbers from 1 to 65535, separated by commas"),
        ({"TCP_PORTS": "0"}, "TCP_PORTS: '0' is not a port"),
        ({"UDP_PORTS": "65536"}, "UDP_PORTS: '65536' is not a port"),
        ({"CONTROL_PORT": "1,2"}, "CONTROL_PORT: '1,2' is not one port"),
        ({"BIND_ADDRESS": "localhost"}, "BIND_ADDRESS: 'localhost' is not an IP address"),
        ({"SOURCE_ADDRESS": "127.0.0.256"}, "SOURCE_ADDRESS: '127.0.0.256' is not an IP address"),
        ({"DNS_SERVER": "127.0.0.1"}, "DNS_SERVER: '127.0.0.1' is not IP:PORT"),
        ({"DNS_SERVER": "dns:53"}, "DNS_SERVER: 'dns:53' is not IP:PORT"),
        ({"HTTP_PORTS": "7000"}, "port 7000 is given 2 times"),
        ({"UDP_PORTS": "99,99"}, "port 99 is given 2 times"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_one_line(env: dict[str, str], line: str) -> None:
    with pytest.raises(app.BadSetting) as caught:
        settings(**env)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


# HTTP framing


def test_fields_keep_order_case_and_repetition() -> None:
    assert app.parse_fields(b"B: 1\r\na:2 \r\nb: \t3") == [("B", "1"), ("a", "2"), ("b", "3")]
    assert app.parse_fields(b"") == []


@pytest.mark.parametrize(
    "block", [b"no colon", b"a : 1", b" a: 1", b"a: 1\r\n folded", b"a: 1\nb: 2", b"a: \0", b": 1"]
)
def test_header_lines_that_two_parsers_could_read_differently_are_refused(block: bytes) -> None:
    with pytest.raises(app.Malformed):
        app.parse_fields(block)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /\r\nhost: a", 400),
        (b"GET  / HTTP/1.1\r\nhost: a", 400),
        (b"G(T / HTTP/1.1\r\nhost: a", 400),
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip", 501),
        (b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999", 413),
        (b"GET / HTTP/2.0\r\nhost: a", 505),
    ],
)
def test_a_request_that_is_not_http_1_1_is_refused_with_a_status(head: bytes, status: int) -> None:
    with pytest.raises(app.Malformed) as caught:
        app.Request(head, app.BODY_LIMIT, 0)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"GET / HTTP/1.1\r\nhost: a", True),
        (b"GET / HTTP/1.1\r\nhost: a\r\nconnection: te, Close", False),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive", True),
    ],
)
def test_a_connection_is_kept_as_version_and_header_say(head: bytes, keep: bool) -> None:
    assert app.Request(head, app.BODY_LIMIT, 0).keep is keep


def test_method_and_target_are_taken_as_they_are() -> None:
    request = app.Request(b"BREW http://teapot:80/a/../%2e?b#c HTTP/1.1\r\nhost: x\r\nX-SMI-ID: 7", app.BODY_LIMIT, 0)
    assert (request.method, request.path, request.id) == ("BREW", "http://teapot:80/a/../%2e?b#c", "7")


CHUNKED = b"5;name=x\r\nhello\r\nA\r\n 0123\r\nabc\r\n0\r\ntrailer: 1\r\n\r\nNEXT"


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=8))
def test_a_chunked_body_may_arrive_in_any_pieces(cuts: list[int]) -> None:
    body, rest = app.Body(None, 100), b""
    edges = [0, *sorted(cuts), len(CHUNKED)]
    for start, end in pairwise(edges):
        rest += body.feed(CHUNKED[start:end])
    assert (body.done, bytes(body.kept), rest) == (True, b"hello 0123\r\nabc", b"NEXT")


@pytest.mark.parametrize("data", [b"x\r\n", b"-1\r\n", b"0x5\r\n", b"\r\n", b"2\r\nabc\r\n", b"9" * 5000])
def test_chunks_that_make_no_sense_are_refused(data: bytes) -> None:
    with pytest.raises(app.Malformed):
        app.Body(None, 100).feed(data)


def test_a_body_is_counted_beyond_what_is_kept_and_refused_beyond_its_limit() -> None:
    body = app.Body(None, keep=2, limit=5)
    body.feed(b"4\r\nabcd\r\n")
    assert (bytes(body.kept), body.total) == (b"ab", 4)
    with pytest.raises(app.Malformed) as caught:
        body.feed(b"2\r\nef\r\n")
    assert caught.value.status == 413


def test_a_body_of_known_length_ends_there() -> None:
    body = app.Body(3, 100)
    assert body.feed(b"ab") == b""
    assert body.feed(b"cGET") == b"GET"
    assert body.done


# Log


def test_the_log_finds_requests_by_id_and_in_order() -> None:
    log = app.RequestLog()
    log.add(8080, "http1", "127.0.0.1:9", "a", b"GET /x HTTP/1.1\r\nhost: y")
    log.add(7000, "tcp", "127.0.0.1:9", None)
    log.add(8080, "h2c", "127.0.0.1:9", "c", ("PUT", "/z", [("k", "v")]))
    seen = log.seen(["c", "a", "b"], "teapot-1")
    assert set(seen) == {"a", "c"}
    assert (seen["a"]["method"], seen["a"]["path"], seen["a"]["headers"]) == ("GET", "/x", [("host", "y")])
    assert (seen["c"]["method"], seen["c"]["pod"], seen["c"]["protocol"]) == ("PUT", "teapot-1", "h2c")
    first = log.since(0, 2, "p")
    assert ([entry["id"] for entry in first["entries"]], first["next"], first["end"]) == (["a", None], 2, 3)
    assert [entry["id"] for entry in log.since(2, 9, "p")["entries"]] == ["c"]
    assert log.since(3, 9, "p") == {"entries": [], "next": 3, "end": 3}


def test_the_log_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LOG_LIMIT", 3)
    log = app.RequestLog()
    for request_id in ("a", "b", "a", "c", "d"):
        log.add(1, "tcp", "", request_id)
    assert set(log.seen(["a", "b", "c", "d"], "p")) == {"a", "c", "d"}, "b is forgotten, the newer a is not"
    log.add(1, "tcp", "", "e")
    assert set(log.seen(["a", "c", "d", "e"], "p")) == {"c", "d", "e"}
    assert [entry["number"] for entry in log.since(0, 9, "p")["entries"]] == [4, 5, 6]


def test_a_reset_empties_the_log_and_keeps_its_numbers_going() -> None:
    log = app.RequestLog()
    log.add(1, "tcp", "", "a")
    log.clear()
    log.add(1, "tcp", "", "b")
    assert set(log.seen(["a", "b"], "p")) == {"b"}
    assert [entry["number"] for entry in log.since(0, 9, "p")["entries"]] == [2]


# Behaviour


def test_an_app_without_orders_answers_200_at_once() -> None:
    assert app.App(settings()).deviate("/") == (200, 0.0, {})


@pytest.mark.parametrize(("ratio", "failures"), [(0.0, 0), (0.1, 10), (1 / 3, 33), (0.5, 50), (1.0, 100)])
def test_failures_come_in_exactly_the_ratio_asked_for(ratio: float, failures: int) -> None:
    one = app.App(settings())
    one.behave(app.Behaviour.from_json({"fail_ratio": ratio, "status": 503}))
    statuses = [one.deviate("/")[0] for _ in range(100)]
    assert statuses.count(503) == failures
    assert statuses.count(200) == 100 - failures


def test_behaviour_may_be_for_a_path_only() -> None:
    one = app.App(settings())
    one.behave(
        app.Behaviour.from_json({"status": 418, "delay_ms": 5, "for_path": "/slow", "headers": {"x-tea": "green"}})
    )
    assert one.deviate("/slow/1") == (418, 0.005, {"x-tea": "green"})
    assert one.deviate("/fast") == (200, 0.0, {})


def test_a_ratio_without_a_status_means_500() -> None:
    one = app.App(settings())
    one.behave(app.Behaviour.from_json({"fail_ratio": 1}))
    assert one.deviate("/")[0] == 500


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"delay": 1},
        {"delay_ms": -1},
        {"delay_ms": "1"},
        {"status": 99},
        {"status": 200.5},
        {"fail_ratio": 2},
        {"fail_ratio": True},
        {"headers": []},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b\r\nc: d"}},
        {"for_path": 1},
    ],
)
def test_behaviour_that_makes_no_sense_is_refused_in_one_line(data: Any) -> None:
    with pytest.raises(app.BadPlan) as caught:
        app.Behaviour.from_json(data)
    assert "\n" not in str(caught.value)


# Names


def test_a_pods_search_list_comes_first_for_short_names() -> None:
    resolver = app.Resolver(settings())
    assert resolver.candidates("teapot.tea") == [
        "teapot.tea.tea.svc.cluster.local",
        "teapot.tea.svc.cluster.local",
        "teapot.tea.cluster.local",
        "teapot.tea",
    ]


def test_a_name_of_five_dots_is_asked_for_as_it_is_first() -> None:
    assert app.Resolver(settings()).candidates("a.b.c.d.e.f")[0] == "a.b.c.d.e.f"
    assert app.Resolver(settings()).candidates("a.b.c.d.e")[-1] == "a.b.c.d.e"


def test_a_final_dot_means_that_name_alone() -> None:
    assert app.Resolver(settings()).candidates("teapot.") == ["teapot"]


def answer_to(query: bytes, *records: tuple[int, bytes], code: int = 0) -> bytes:
    head = query[:2] + bytes([0x81, 0x80 | code]) + struct.pack(">HHHH", 1, len(records), 0, 0)
    rest = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(data)) + data for kind, data in records)
    return head + query[12:] + rest


def test_the_address_is_the_first_a_record_even_behind_a_cname() -> None:
    query = app.dns_query(7, "teapot.tea")
    answer = answer_to(query, (5, b"\3pot\0"), (1, bytes([127, 64, 0, 1])), (1, bytes([127, 64, 0, 2])))
    assert app.dns_address(answer, len(query)) == "127.64.0.1"


@pytest.mark.parametrize("code", [2, 3])
def test_a_name_that_does_not_exist_has_no_address(code: int) -> None:
    query = app.dns_query(7, "teapot.tea")
    assert app.dns_address(answer_to(query, code=code), len(query)) is None


@given(st.integers(0, 60))
def test_an_answer_cut_short_is_no_address(length: int) -> None:
    query = app.dns_query(7, "teapot.tea")
    whole = answer_to(query, (1, bytes([127, 64, 0, 1])))
    found = app.dns_address(whole[:length], len(query))
    assert found == ("127.64.0.1" if length >= len(whole) else None)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, ".a"])
def test_what_cannot_be_a_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=r"not a host name"):
        app.dns_query(1, name)


# Plans

PLAN = {"host": "teapot", "port": 8080}


def test_a_plan_needs_little() -> None:
    plan = app.Plan.from_json(PLAN)
    assert (plan.protocol, plan.method, plan.path, plan.total, plan.concurrency) == ("http1", "GET", "/", 1, 1)
    assert (plan.kept, plan.rate, plan.timeout, plan.each) == (False, None, 2.0, True)


@pytest.mark.parametrize(
    ("port", "host", "authority"),
    [(8080, "teapot.tea", "teapot.tea:8080"), (80, "teapot", "teapot"), (8080, "::1", "[::1]:8080")],
)
def test_the_host_header_is_the_host_as_given(port: int, host: str, authority: str) -> None:
    assert app.Plan.from_json({"host": host, "port": port}).authority == authority


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"prot": "http1"}, "plan: 'prot' is not known"),
        ({"port": 0}, "port: 0 is not a whole number from 1 to 65535"),
        ({"port": True}, "port: True"),
        ({"host": ""}, "a plan needs host and port"),
        ({"protocol": "quic"}, "protocol: 'quic' is not one of http1"),
        ({"connection": "pooled"}, "connection: 'pooled' is not one of new, kept"),
        ({"detail": "all"}, "detail: 'all'"),
        ({"ids": []}, "ids: give a list"),
        ({"ids": ["a"], "count": 2}, "ids: give a list"),
        ({"ids": ["a\nb"]}, "ids: 'a\\nb' does not fit in one header line"),
        ({"count": 0}, "count: 0"),
        ({"concurrency": 5000}, "concurrency: 5000 is not a whole number from 1 to 1000"),
        ({"rate": 0}, "rate: 0"),
        ({"timeout_s": 0}, "timeout_s: 0"),
        ({"path": "/a\r\nx: y"}, "path: '/a\\r\\nx: y' does not fit in one header line"),
        ({"method": "GET\n"}, "method:"),
        ({"headers": {"a": "b"}}, "headers: give a list of [name, value] pairs"),
        ({"headers": [["a b", "c"]]}, "headers: 'a b' is not a header name"),
        ({"headers": [["a", "☕"]]}, "headers: a: '☕' does not fit"),
        ({"raw": "%%%"}, "raw: give the bytes in base64"),
        ({"body": 1}, "body: 1 is not a string"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_in_one_line(change: dict[str, Any], line: str) -> None:
    with pytest.raises(app.BadPlan) as caught:
        app.Plan.from_json(PLAN | change)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_plan_is_a_table() -> None:
    with pytest.raises(app.BadPlan):
        app.Plan.from_json([])
