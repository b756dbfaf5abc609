"""The agent's client against scripted streams: deadlines, reconnecting, and one clear line for all that goes wrong."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest

from pytest_smi.errors import ClusterError, WorkloadError
from pytest_smi.traffic.agent import Agent
from pytest_smi.traffic.plan import Plan, Request

SEEN = {
    "id": "a",
    "status": 200,
    "pod": "p",
    "error": None,
    "headers": [],
    "body": "",
    "seconds": 0.1,
    "local": "",
    "remote": "",
}


def response(data: Any, status: int = 200, more: str = "") -> bytes:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


class Script:
    """A stream that answers each `recv` with the next item: bytes, an exception to raise, or b"" for the end."""

    def __init__(self, *items: bytes | BaseException) -> None:
        self.items = deque(items)
        self.sent = b""
        self.closed = False
        self.timeouts: list[float] = []

    def sendall(self, data: bytes, /) -> None:
        self.sent += data

    def recv(self, size: int, /) -> bytes:
        item = self.items.popleft()
        if isinstance(item, BaseException):
            raise item
        return item

    def settimeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def close(self) -> None:
        self.closed = True


def agent_with(*streams: Script, timeout: float = 10.0) -> Agent:
    queue = deque(streams)
    return Agent(queue.popleft, name="tea/kettle", timeout=timeout)


ONE = Plan(Request("h", 1), ids=("a",))
OK = response({"ok": True, "instance": "boot-1"})


def test_questions_share_one_connection() -> None:
    stream = Script(response({"observations": [SEEN]}), response({"seen": {"a": {"pod": "p"}}}), OK)
    agent = agent_with(stream)
    assert agent.run(ONE).observations[0].pod == "p"
    assert agent.seen(iter(["a", "b"])) == {"a": {"pod": "p"}}
    agent.reset()
    assert stream.sent.startswith(b"POST /run HTTP/1.1\r\nhost: tea.kettle\r\n")
    assert b'{"ids": ["a", "b"]}POST /reset HTTP/1.1' in stream.sent


def test_an_answer_may_come_in_any_pieces() -> None:
    data = response({"seen": {}})
    agent = agent_with(Script(*(data[i : i + 1] for i in range(len(data)))))
    assert agent.seen([]) == {}


@pytest.mark.parametrize("end", [b"", ConnectionResetError(), BrokenPipeError()])
def test_a_connection_that_died_while_idle_is_opened_again(end: bytes | OSError) -> None:
    second = Script(OK)
    agent = agent_with(Script(OK, end), second)
    agent.reset()
    agent.reset()
    assert second.sent.startswith(b"POST /reset")


def test_a_connection_is_opened_again_until_the_time_for_it_is_up() -> None:
    dead = [Script(ConnectionResetError()) for _ in range(20)]
    agent = agent_with(Script(OK, b""), *dead, timeout=0.3)
    agent.reset()
    with pytest.raises(WorkloadError, match="no answer to /reset from the agent: ConnectionResetError"):
        agent.reset()
    assert 2 <= sum(stream.closed for stream in dead) <= 5


def test_a_connection_that_the_agent_ends_is_opened_again() -> None:
    first, second = Script(response({}, more="connection: close\r\n")), Script(OK)
    agent = agent_with(first, second)
    agent.reset()
    assert first.closed
    agent.reset()
    assert second.sent


def test_a_plan_that_was_cut_off_is_asked_for_again_by_its_name_and_the_agents_instance() -> None:
    first, second = Script(OK, b"HTTP/1.1 200 OK\r\n", b""), Script(response({"observations": [SEEN]}))
    agent = agent_with(first, second)
    agent.reset()
    agent.run(ONE)
    sent = [json.loads(stream.sent.rpartition(b"\r\n\r\n")[2]) for stream in (first, second)]
    assert sent[0]["plan_id"] == sent[1]["plan_id"]
    assert "instance" not in sent[0]
    assert sent[1]["instance"] == "boot-1"


def test_a_plan_has_another_name_each_time() -> None:
    streams = [Script(response({"observations": [SEEN]}, more="connection: close\r\n")) for _ in range(2)]
    agent = agent_with(*streams)
    agent.run(ONE)
    agent.run(ONE)
    names = {json.loads(stream.sent.rpartition(b"\r\n\r\n")[2])["plan_id"] for stream in streams}
    assert len(names) == 2


def test_a_plan_is_not_repeated_when_nobody_knows_whether_it_was_begun() -> None:
    agent = agent_with(Script(b""), Script(OK))
    with pytest.raises(WorkloadError, match="tea/kettle: no answer to /run from the agent: the connection was closed"):
        agent.run(ONE)


def test_a_plan_whose_pod_has_started_again_is_an_error() -> None:
    gone = response({"error": "the pod has started again", "instance": "boot-2"}, 409)
    agent = agent_with(Script(OK, b""), Script(gone))
    agent.reset()
    with pytest.raises(WorkloadError, match="tea/kettle: the agent refused /run: the pod has started again"):
        agent.run(ONE)


def test_a_log_that_was_lost_is_an_error_once() -> None:
    after = response({"seen": {}, "instance": "boot-2"})
    agent = agent_with(Script(response({"seen": {}, "instance": "boot-1"}), after, after))
    agent.seen(["a"])
    with pytest.raises(WorkloadError, match="tea/kettle: the pod has started again, and its log of requests is lost"):
        agent.seen(["a"])
    assert agent.seen(["a"]) == {}


def test_a_question_is_not_repeated_when_its_time_is_up() -> None:
    agent = agent_with(Script(OK, TimeoutError("timed out")), Script(OK))
    agent.reset()
    with pytest.raises(WorkloadError, match="timed out"):
        agent.reset()


def test_a_fresh_connection_that_fails_is_tried_again() -> None:
    agent = agent_with(Script(b""), Script(OK))
    agent.reset()


def test_a_late_trickle_does_not_outlast_the_deadline() -> None:
    stream = Script(*[b"H"] * 5)
    agent = agent_with(stream, timeout=-1.0)
    with pytest.raises(WorkloadError, match="time for it is up"):
        agent.reset()


def test_the_time_for_a_plan_grows_with_the_plan() -> None:
    stream = Script(response({"observations": [SEEN]}))
    agent_with(stream, timeout=3.0).run(Plan(Request("h", 1), count=10, timeout=2.0))
    assert 22 < stream.timeouts[0] <= 23


@pytest.mark.parametrize(
    "noise", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", response(b"{"), response(b"[]"), b"x" * 70_000]
)
def test_what_is_no_answer_of_an_agent_is_said_in_one_line(noise: bytes) -> None:
    stream = Script(noise)
    with pytest.raises(WorkloadError, match="no answer to /reset") as caught:
        agent_with(stream).reset()
    assert "\n" not in str(caught.value)
    assert stream.closed


def test_a_refused_plan_is_said_in_the_agents_words() -> None:
    agent = agent_with(Script(response({"error": "port: 0 is not a port"}, 400)))
    with pytest.raises(WorkloadError, match=r"tea/kettle: the agent refused /run: port: 0 is not a port"):
        agent.run(ONE)


def test_an_answer_from_another_version_is_said_in_one_line() -> None:
    with pytest.raises(WorkloadError, match=r"not understood.*this version's sample_app"):
        agent_with(Script(response({"results": []}))).run(ONE)


def test_a_request_that_could_not_be_sent_is_never_an_observation() -> None:
    unsent = SEEN | {"error": "unsupported: h2 is not installed", "pod": None, "status": None}
    with pytest.raises(
        WorkloadError, match=r"could not be sent: unsupported: h2 is not installed in slim:1 .*--smi-image"
    ):
        Agent(lambda: Script(response({"observations": [unsent]})), image="slim:1").run(ONE)


def test_health_is_a_yes_or_no() -> None:
    def unreachable() -> Script:
        raise ConnectionRefusedError("refused")

    def no_cluster() -> Script:
        raise ClusterError("the API server does not answer")

    assert agent_with(Script(OK)).healthy()
    assert not agent_with(Script(response({"error": "x"}, 404))).healthy()
    assert not Agent(unreachable).healthy(0.2)
    assert not Agent(no_cluster).healthy(0.2)
    with pytest.raises(WorkloadError, match="no answer to /healthz from the agent: refused"):
        Agent(unreachable).greet(0.2)


def test_behaviour_and_log_ask_for_what_they_say() -> None:
    stream = Script(OK, response({"entries": [], "next": 3, "end": 3}))
    agent = agent_with(stream)
    agent.behaviour(delay_ms=5, status=503, fail_ratio=0.5, headers={"a": "b"}, for_path="/x")
    assert agent.log(since=3)["next"] == 3
    assert b'"status": 503' in stream.sent
    assert b'"headers": {"a": "b"}' in stream.sent
    assert b'{"since": 3, "limit": 1000}' in stream.sent


def test_closing_is_safe_at_any_time() -> None:
    agent = agent_with(Script(OK), Script(OK))
    agent.close()
    agent.reset()
    agent.close()
    agent.close()
    agent.reset()


def test_an_interrupted_question_drops_its_connection() -> None:
    first = Script(OK, KeyboardInterrupt())
    agent = agent_with(first, Script(OK))
    agent.reset()
    with pytest.raises(KeyboardInterrupt):
        agent.reset()
    assert first.closed
    agent.reset()
