"""The reference mesh's data plane, end to end: real pods, real Envoy, calls from the pods' own addresses."""

from __future__ import annotations

import base64
import socket
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.refmesh_scene import ANSWER_SECONDS, BANNER, Answer, Scene, request

if TYPE_CHECKING:
    from collections.abc import Iterator

POUR = {"name": "pour", "pathRegex": "/pour$", "methods": ["GET"]}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    scene = Scene(tmp_path_factory.mktemp("refmesh"))
    yield scene
    scene.close()


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    yield running
    running.clear()


def menu(scene: Scene, *matches: dict[str, Any]) -> list[dict[str, Any]]:
    scene.smi("HTTPRouteGroup", "menu", {"matches": list(matches)})
    return [{"kind": "HTTPRouteGroup", "name": "menu"}]


def split(scene: Scene, *matches: str, root: str = "teapot", **weights: int) -> str:
    spec: dict[str, Any] = {"service": root, "backends": [{"service": s, "weight": w} for s, w in weights.items()]}
    if matches:
        spec["matches"] = [{"kind": "HTTPRouteGroup", "name": name} for name in matches]
    return scene.smi("TrafficSplit", "split", spec)


@pytest.mark.parametrize("target", ["teapot", "pod/teapot"])
def test_everything_is_denied_by_default(scene: Scene, target: str) -> None:
    assert scene.denied(scene.http, "kettle", target).status == 403
    scene.denied(scene.tcp, "kettle", target)
    assert scene.denied(scene.tcp, "kettle", target, BANNER[0], say=b"").body == ""
    scene.denied(partial(scene.udp, seconds=0.05), "kettle", target)


@pytest.mark.parametrize("target", ["teapot", "pod/teapot"])
def test_a_granted_client_gets_through_and_no_other(scene: Scene, target: str) -> None:
    scene.allow("kettle")
    scene.allowed(scene.http, "kettle", target)
    scene.allowed(scene.tcp, "kettle", target)
    scene.allowed(scene.tcp, "kettle", target, BANNER[0], say=b"")
    for other in ("intruder", "kettle2", "outsider"):
        scene.denied(scene.http, other, target)
        scene.denied(scene.tcp, other, target)
        assert scene.denied(scene.tcp, other, target, BANNER[0], say=b"").body == ""


def test_an_outsider_reaches_pods_outside_the_mesh_and_so_do_meshed_clients(scene: Scene) -> None:
    for client in ("outsider", "kettle"):
        assert scene.allowed(scene.http, client, "outsider").pod == "outsider"
        scene.allowed(scene.tcp, client, "outsider")
        scene.allowed(scene.tcp, client, "outsider", BANNER[0], say=b"")
        scene.allowed(scene.udp, client, "outsider")


def test_udp_needs_a_udproute(scene: Scene) -> None:
    scene.allow("kettle")
    scene.smi("UDPRoute", "datagrams", {"matches": {"ports": [5530]}})
    scene.denied(partial(scene.udp, seconds=0.05), "kettle", "teapot")
    scene.allow("kettle", rules=[{"kind": "UDPRoute", "name": "datagrams"}])
    for target in ("teapot", "pod/teapot"):
        scene.allowed(scene.udp, "kettle", target)
        scene.denied(partial(scene.udp, seconds=0.05), "intruder", target)


def test_path_method_and_header_decide_on_each_request_of_one_connection(scene: Scene) -> None:
    milky = {"name": "milky", "pathRegex": "/milk$", "methods": ["GET"], "headers": [{"X-Milk": "^oat$"}]}
    scene.allow("kettle", rules=menu(scene, POUR, milky))
    scene.allowed(scene.http, "kettle", "teapot", "/pour")
    with scene.connect("kettle", "teapot", 8080) as connection:
        calls: list[tuple[int, str, dict[str, Any]]] = [
            (200, "/pour", {}),
            (403, "/admin", {}),
            (403, "/pour", {"method": "POST"}),
            (403, "/pour", {"method": "HEAD"}),
            (200, "/pour?sugar=1", {}),
            (403, "/x/../pour/cup", {}),
            (403, "/milk", {}),
            (403, "/milk", {"headers": [("x-milk", "oatly")]}),
            (200, "/milk", {"headers": [("X-MILK", "oat")]}),
        ]
        assert [request(connection, path, **more).status for _, path, more in calls] == [code for code, *_ in calls]


def test_an_open_connection_obeys_a_revocation(scene: Scene) -> None:
    target = scene.allow("kettle")
    scene.allowed(scene.http, "kettle", "teapot")
    with scene.connect("kettle", "teapot", 8080) as connection:
        assert request(connection).status == 200
        scene.delete(target)
        scene.settles("the open connection to be refused", partial(request, connection), lambda a: a.status == 403)


def test_headers_do_not_change_who_calls(scene: Scene) -> None:
    scene.allow("kettle")
    scene.allowed(scene.http, "kettle", "teapot")
    identity = "spiffe://cluster.local/ns/tea/sa/kettle"
    forged = [
        ("x-forwarded-client-cert", f"URI={identity}"),
        ("x-forwarded-for", scene.address["pod/kettle"]),
        ("x-envoy-external-address", scene.address["pod/kettle"]),
        ("x-smi-destination", "127.0.0.1:1"),
        ("x-smi-client", identity),
    ]
    scene.denied(scene.http, "intruder", "teapot", headers=forged)
    assert scene.http("kettle", "teapot", headers=forged).served


def test_what_a_client_sends_arrives_unchanged(scene: Scene) -> None:
    scene.allow("kettle")
    scene.allowed(scene.http, "kettle", "teapot")
    answer = scene.http(
        "kettle", "teapot", "//a/../b;c/%2e?q=1", method="PUT", headers=[("X-Odd", "1"), ("x-odd", "2")]
    )
    assert '"path": "//a/../b;c/%2e?q=1"' in answer.body.replace('":"', '": "')
    assert "x-smi-destination" not in answer.body
    assert "teapot.tea" in answer.body


def test_bytes_that_are_no_http_do_not_pass_an_http_port(scene: Scene) -> None:
    scene.allow("kettle", rules=menu(scene, {"name": "all", "pathRegex": ".*", "methods": ["*"]}))
    scene.allowed(scene.http, "kettle", "teapot")
    assert not scene.tcp("kettle", "teapot", 8080).served


def test_http2_and_grpc_are_judged_like_http1(scene: Scene) -> None:
    grpc = {"name": "grpc", "pathRegex": "/tea.Pot/Pour$", "methods": ["POST"]}
    scene.allow("kettle", rules=menu(scene, POUR, grpc))
    scene.allowed(scene.http, "kettle", "teapot", "/pour")
    assert h2(scene, "kettle", "GET", "/pour").status == 200
    assert h2(scene, "kettle", "GET", "/admin").status == 403
    assert h2(scene, "intruder", "GET", "/pour").status == 403
    call = h2(scene, "kettle", "POST", "/tea.Pot/Pour", grpc=True)
    assert (call.status, call.headers.get("grpc-status")) == (200, "0")


def h2(scene: Scene, client: str, method: str, path: str, *, grpc: bool = False) -> Answer:
    """One HTTP/2 request with prior knowledge; headers and trailers are in one dictionary."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import ResponseReceived, StreamEnded, StreamReset, TrailersReceived

    state = H2Connection(H2Configuration(header_encoding="utf-8"))
    state.initiate_connection()
    more = [("content-type", "application/grpc"), ("te", "trailers")] if grpc else []
    head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "teapot.tea"), *more]
    state.send_headers(1, head, end_stream=not grpc)
    if grpc:
        state.send_data(1, b"\0\0\0\0\0", end_stream=True)
    answer = Answer()
    with scene.connect(client, "teapot", 8080) as connection:
        while True:
            connection.sendall(state.data_to_send())
            for event in state.receive_data(connection.recv(65536)):
                if isinstance(event, ResponseReceived | TrailersReceived):
                    answer.headers |= {str(name): str(value) for name, value in event.headers or ()}
                    answer.status = int(answer.headers[":status"])
                elif isinstance(event, StreamEnded | StreamReset):
                    return answer


@pytest.mark.parametrize("target", ["teapot", "pod/teapot"])
def test_tcp_is_carried_unaltered_and_closed_by_halves(scene: Scene, target: str) -> None:
    scene.allow("kettle")
    scene.allowed(scene.tcp, "kettle", target)
    sent = base64.b64encode(bytes(range(256)) * 4096)
    with scene.connect("kettle", target, 7000) as connection:
        received = bytearray()
        reader = threading.Thread(target=lambda: received.extend(_rest(connection)))
        reader.start()
        connection.sendall(b"smi-id: bulk\n" + sent)
        connection.shutdown(socket.SHUT_WR)
        reader.join(ANSWER_SECONDS * 2)
    greeting, _, echoed = bytes(received).partition(b"\n")
    assert greeting.startswith(b"smi-pod: teapot")
    assert echoed == sent


def _rest(connection: socket.socket) -> bytes:
    parts = []
    while data := connection.recv(65536):
        parts.append(data)
    return b"".join(parts)


def test_an_invalid_pattern_that_only_envoy_notices_breaks_nothing_else(scene: Scene) -> None:
    tea = scene.allow("kettle")
    scene.allowed(scene.http, "kettle", "teapot")
    bad = {"name": "bad", "pathRegex": "((a{100}){100}){100}", "methods": ["*"]}
    scene.allow("kettle", to="china", rules=menu(scene, bad, POUR), name="china")
    assert scene.allowed(scene.http, "kettle", "china", "/pour").pod == "china"
    scene.denied(scene.http, "kettle", "china", "/" + "a" * 99)
    assert scene.http("kettle", "teapot").served
    scene.delete(tea)
    scene.denied(scene.http, "kettle", "teapot")


def allow_all_pots(scene: Scene) -> None:
    for pot in ("teapot", "china", "glass"):
        scene.allow("kettle", to=pot, name=f"to-{pot}")
        scene.allowed(scene.http, "kettle", pot)
        scene.allowed(scene.tcp, "kettle", pot)


def pods(call: Any, count: int = 200) -> Counter[str | None]:
    return Counter(call().pod for _ in range(count))


def test_a_split_shares_requests_and_connections_by_weight(scene: Scene) -> None:
    allow_all_pots(scene)
    split(scene, china=3, glass=1, outsider=0)
    for call in (partial(scene.http, "kettle", "teapot"), partial(scene.tcp, "kettle", "teapot")):
        scene.settles("the split", call, lambda answer: answer.pod in ("china", "glass"))
        counted = pods(call)
        assert set(counted) == {"china", "glass"}
        assert 115 < counted["china"] < 185  # 150 expected; wrong once in 10^7


def test_requests_on_one_connection_are_split_one_by_one(scene: Scene) -> None:
    allow_all_pots(scene)
    split(scene, china=1, glass=1)
    scene.settles("the split", partial(scene.http, "kettle", "teapot"), lambda answer: answer.pod != "teapot")
    with scene.connect("kettle", "teapot", 8080) as connection:
        counted = pods(partial(request, connection), 100)
    assert min(counted["china"], counted["glass"]) > 20


def test_a_tcp_connection_stays_where_it_is_when_the_split_moves(scene: Scene) -> None:
    allow_all_pots(scene)
    split(scene, china=1)
    scene.settles("the split", partial(scene.tcp, "kettle", "teapot"), lambda answer: answer.pod == "china")
    with scene.connect("kettle", "teapot", 7000) as connection:
        connection.sendall(b"smi-id: kept\n")
        assert connection.recv(4096).startswith(b"smi-pod: china")
        split(scene, glass=1)
        scene.settles("the split to move", partial(scene.tcp, "kettle", "teapot"), lambda a: a.pod == "glass")
        connection.sendall(b"still there")
        assert connection.recv(4096) == b"still there"


def test_a_split_with_matches_leaves_the_rest_to_the_root(scene: Scene) -> None:
    allow_all_pots(scene)
    scene.smi("HTTPRouteGroup", "ff", {"matches": [{"name": "ff", "headers": [{"user-agent": ".*Firefox.*"}]}]})
    split(scene, "ff", china=1)
    firefox = partial(scene.http, "kettle", "teapot", headers=[("user-agent", "A Firefox 1")])
    scene.settles("the split", firefox, lambda answer: answer.pod == "china")
    assert scene.http("kettle", "teapot").pod == "teapot"
    assert scene.tcp("kettle", "teapot").pod == "teapot"


def test_a_backend_is_itself_when_called_directly(scene: Scene) -> None:
    allow_all_pots(scene)
    split(scene, china=1, glass=0)
    scene.settles("the split", partial(scene.http, "kettle", "teapot"), lambda answer: answer.pod == "china")
    assert pods(partial(scene.http, "kettle", "glass"), 5) == {"glass": 5}


def test_a_split_without_anybody_to_take_it_is_refused(scene: Scene) -> None:
    allow_all_pots(scene)
    split(scene, china=0)
    assert scene.denied(scene.http, "kettle", "teapot").status == 503
    scene.denied(scene.tcp, "kettle", "teapot")


def test_a_backend_that_lacks_the_port_is_told_of_by_an_event(scene: Scene) -> None:
    allow_all_pots(scene)
    scene.service("tea", "small", {"app": "glass"}, [{"name": "http", "port": 9090, "appProtocol": "http"}])
    split(scene, china=1, small=5)
    scene.settles("the split", partial(scene.http, "kettle", "teapot"), lambda answer: answer.pod == "china")

    def told() -> list[str]:
        events = scene.cluster.items("/api/v1/namespaces/tea/events")
        ours = [one for one in events if one["involvedObject"]["kind"] == "TrafficSplit"]
        return [
            one["message"] for one in ours if one["reason"] == "BackendWithoutPort" and "port 8080" in one["message"]
        ]

    messages = scene.cluster.until("the event", told)
    assert len(messages) == 1
    assert "backend small gets no traffic" in messages[0]


def test_the_destination_port_of_an_older_target_survives_conversion(scene: Scene) -> None:
    rules = menu(scene, {"name": "all", "pathRegex": ".*", "methods": ["*"]})
    subject = {"kind": "ServiceAccount", "namespace": "tea"}
    spec = {
        "destination": {**subject, "name": "teapot", "port": 8080},
        "sources": [{**subject, "name": "kettle"}],
        "rules": rules,
    }
    path = scene.smi("TrafficTarget", "old", spec, version="v1alpha2")
    scene.allowed(scene.http, "kettle", "teapot", port=8080)
    scene.denied(scene.http, "kettle", "teapot", port=9090)
    assert scene.cluster.get(path)["spec"]["destination"]["port"] == 8080
    assert "port" not in scene.cluster.get(path.replace("v1alpha2", "v1alpha3"))["spec"]["destination"]


def test_a_pod_that_comes_later_is_guarded_and_has_an_identity(scene: Scene) -> None:
    scene.allow("kettle")
    scene.allow("kettle", to="late", name="late")
    with scene.connect("kettle", "teapot", 8080) as open_before:
        scene.settles("the grant", partial(request, open_before), lambda answer: answer.served)
        scene.pod("tea", "late")
        scene.service("tea", "late", {"app": "late"})
        scene.settle_pods()
        scene.allowed(scene.http, "kettle", "late")
        scene.denied(scene.http, "intruder", "late")
        scene.denied(scene.http, "late", "teapot")
        answer = request(open_before)
        assert (answer.served, answer.headers.get("connection")) == (True, None)
