"""Logs, exec and port-forward with kubectl and with the official Python client."""

from __future__ import annotations

import contextlib
import gc
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client as official
from kubernetes import config as official_config
from kubernetes.stream import portforward, stream

from pytest_smi.embedded.rest import ApiFailure
from tests.embedded.kubeapi_harness import DEADLINE_SECONDS, Cluster, kubectl_path

if TYPE_CHECKING:
    from collections.abc import Iterator


# The official client leaves the socket of a stream to the garbage collector; the fixture `core` collects it at once.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"),
]


class Echo(socketserver.StreamRequestHandler):
    """Answers each line in capitals; closes when told `quit` or when the client has finished."""

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"quit\n":
                return
            self.wfile.write(line.upper())


class Pod(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("streams"))
    cluster.start()
    cluster.running_pod("teapot")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def pod_port() -> Iterator[int]:
    server = Pod(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, name="echo")
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def core(cluster: Cluster) -> Iterator[Any]:
    """The official client, with an ApiClient of its own: streams swap a method on it."""
    api_client = official_config.new_client_from_config(str(cluster.kubeconfig))
    yield official.CoreV1Api(api_client)
    api_client.close()
    gc.collect()


@pytest.fixture(params=["websockets", "SPDY"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What kubectl speaks: WebSockets, or SPDY, as older ones do."""
    for feature in ("REMOTE_COMMAND", "PORT_FORWARD"):
        monkeypatch.setenv(f"KUBECTL_{feature}_WEBSOCKETS", str(request.param == "websockets").lower())
    chosen: str = request.param
    return chosen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_in_pod(core: Any, *command: str, **options: Any) -> Any:
    wanted = {"stderr": True, "stdin": False, "stdout": True, "tty": False} | options
    return stream(core.connect_get_namespaced_pod_exec, "teapot", "default", command=list(command), **wanted)


def test_logs_are_read_tailed_and_cut(cluster: Cluster, core: Any) -> None:
    assert cluster.kubectl("logs", "teapot").stdout == "first\nsecond\nthird\n"
    assert cluster.kubectl("logs", "teapot", "--tail=1").stdout == "third\n"
    assert cluster.kubectl("logs", "teapot", "--limit-bytes=3").stdout == "fir"
    assert core.read_namespaced_pod_log("teapot", "default", tail_lines=2) == "second\nthird\n"


def test_following_ends_with_the_container(cluster: Cluster) -> None:
    cluster.running_pod("brief")
    command = [kubectl_path(), "--kubeconfig", str(cluster.kubeconfig), "logs", "-f", "--tail=1", "brief"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "third\n"
        with cluster.log_file("brief").open("a") as file:
            file.write("fourth\n")
        assert follower.stdout.readline() == "fourth\n"
        path = "/api/v1/namespaces/default/pods/brief"
        pod = cluster.request("GET", path)
        pod["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 0}}
        cluster.request("PUT", f"{path}/status", pod)
        assert follower.wait(DEADLINE_SECONDS) == 0


def test_following_begins_before_the_container_is_reported_running(cluster: Cluster) -> None:
    cluster.running_pod("early")
    path = "/api/v1/namespaces/default/pods/early"
    pod = cluster.request("GET", path)
    running = pod["status"]["containerStatuses"][0]["state"]
    states = [{"waiting": {"reason": "ContainerCreating"}}, running, {"waiting": {"reason": "CrashLoopBackOff"}}]

    def report(state: dict[str, Any]) -> None:
        current = cluster.request("GET", path)
        current["status"]["containerStatuses"][0]["state"] = state
        cluster.request("PUT", f"{path}/status", current)

    report(states[0])
    command = [kubectl_path(), "--kubeconfig", str(cluster.kubeconfig), "logs", "-f", "early"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert [follower.stdout.readline() for _ in range(3)][2] == "third\n"
        report(states[1])
        with cluster.log_file("early").open("a") as file:
            file.write("fourth\n")
        assert follower.stdout.readline() == "fourth\n"
        report(states[2])
        assert follower.wait(DEADLINE_SECONDS) == 0


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ({"container": "lid"}, 400, "container lid is not valid for pod teapot"),
        ({"previous": "true"}, 400, 'previous terminated container "app" in pod "teapot" not found'),
        ({"timestamps": "true"}, 501, "no time for each log line"),
        ({"tailLines": "-5"}, 422, "greater than or equal to 0"),
    ],
)
def test_logs_that_are_not_there_are_refused(cluster: Cluster, query: dict[str, str], code: int, text: str) -> None:
    with pytest.raises(ApiFailure) as failure:
        cluster.request("GET", "/api/v1/namespaces/default/pods/teapot/log", **query)
    assert failure.value.code == code
    assert text in failure.value.message


@pytest.mark.usefixtures("transport")
def test_exec_gives_output_and_exit_code_with_kubectl(cluster: Cluster) -> None:
    done = cluster.kubectl("exec", "teapot", "--", "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert (done.stdout, done.returncode) == ("out\n", 3)
    assert "err\n" in done.stderr
    assert "exit code 3" in done.stderr


@pytest.mark.usefixtures("transport")
def test_exec_carries_stdin_to_its_end(cluster: Cluster) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert cluster.kubectl("exec", "-i", "teapot", "--", "cat", stdin=text).stdout == text


def test_exec_works_with_the_official_client(core: Any) -> None:
    assert run_in_pod(core, "echo", "hello") == "hello\n"
    session = run_in_pod(core, "sh", "-c", "read word; echo got $word; exit 4", stdin=True, _preload_content=False)
    session.write_stdin("tea\n")
    session.run_forever(timeout=DEADLINE_SECONDS)
    assert session.read_stdout() == "got tea\n"
    assert session.returncode == 4
    session.close()


@pytest.mark.usefixtures("transport")
def test_bulk_output_arrives_whole(cluster: Cluster) -> None:
    size = 8_000_000
    done = cluster.kubectl("exec", "teapot", "--", sys.executable, "-c", f"import sys; sys.stdout.write('x' * {size})")
    assert len(done.stdout) == size


def test_a_child_left_behind_neither_holds_the_client_nor_lives_on(cluster: Cluster) -> None:
    done = cluster.kubectl("exec", "teapot", "--", "sh", "-c", "sleep 600 & echo $!")
    child = int(done.stdout)
    end = time.monotonic() + DEADLINE_SECONDS
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < end, f"process {child} was not ended"


def test_an_unknown_program_is_exit_code_127(cluster: Cluster) -> None:
    done = cluster.kubectl("exec", "teapot", "--", "no-such-program", check=False)
    assert done.returncode == 127
    assert 'exec: "no-such-program": executable file not found' in done.stderr


def test_a_terminal_is_refused_with_advice(cluster: Cluster) -> None:
    with pytest.raises(ApiFailure, match="leave tty out") as failure:
        cluster.request(
            "GET", "/api/v1/namespaces/default/pods/teapot/exec", command="sh", tty=True, stdin=True, stdout=True
        )
    assert failure.value.code == 400


def test_a_client_that_leaves_takes_its_command_with_it(cluster: Cluster, core: Any) -> None:
    session = run_in_pod(core, "sh", "-c", "echo on; sleep 600", _preload_content=False)
    assert session.readline_stdout(timeout=DEADLINE_SECONDS) == "on"
    process = cluster.node.started[-1]
    session.close()

    async def ended() -> int:
        return await process.wait()

    assert cluster.run(ended()) == -9


def test_attach_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiFailure, match="attach is not supported") as failure:
        cluster.request("GET", "/api/v1/namespaces/default/pods/teapot/attach")
    assert failure.value.code == 501


@contextlib.contextmanager
def kubectl_forward(cluster: Cluster, pod: str, port: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """`kubectl port-forward` on a local port of its own choice."""
    command = [kubectl_path(), "--kubeconfig", str(cluster.kubeconfig), "port-forward", f"pod/{pod}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+) ->", process.stdout.readline())
            assert found
            yield int(found[1]), process
        finally:
            process.terminate()


@pytest.mark.usefixtures("transport")
def test_kubectl_forwards_many_connections(cluster: Cluster, pod_port: int) -> None:
    with kubectl_forward(cluster, "teapot", pod_port) as (port, _):
        for number in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection:
                connection.sendall(b"tea %d\n" % number)
                assert connection.recv(100) == b"TEA %d\n" % number


@pytest.mark.usefixtures("transport")
def test_kubectl_forwards_bulk_and_half_close(cluster: Cluster, pod_port: int) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100_000))
    with (
        kubectl_forward(cluster, "teapot", pod_port) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection,
    ):
        received = bytearray()

        def receive() -> None:
            while data := connection.recv(1 << 16):
                received.extend(data)

        receiver = threading.Thread(target=receive)
        receiver.start()
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        receiver.join(DEADLINE_SECONDS)
    assert bytes(received) == text.upper()


@pytest.mark.usefixtures("transport")
def test_kubectl_is_told_why_a_dead_port_does_not_answer(cluster: Cluster) -> None:
    with kubectl_forward(cluster, "teapot", free_port()) as (port, process):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection:
            assert connection.recv(1) == b""
        assert process.stderr is not None
        assert "error forwarding port" in process.stderr.readline()


def test_the_official_client_forwards(core: Any, pod_port: int) -> None:
    forward = portforward(core.connect_get_namespaced_pod_portforward, "teapot", "default", ports=str(pod_port))
    connection = forward.socket(pod_port)
    connection.setblocking(True)
    connection.sendall(b"oolong\n")
    assert connection.recv(100) == b"OOLONG\n"
    connection.sendall(b"quit\n")
    assert connection.recv(1) == b""
    assert forward.error(pod_port) is None
    connection.close()


def test_the_official_client_is_told_why_a_dead_port_does_not_answer(core: Any) -> None:
    port = free_port()
    forward = portforward(core.connect_get_namespaced_pod_portforward, "teapot", "default", ports=str(port))
    connection = forward.socket(port)
    connection.setblocking(True)
    assert connection.recv(1) == b""
    assert f"error forwarding port {port} to pod teapot" in forward.error(port)
    connection.close()


def test_a_pod_that_does_not_run_cannot_be_forwarded_to(cluster: Cluster) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "waiting"},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    }
    cluster.request("POST", "/api/v1/namespaces/default/pods", manifest)
    with pytest.raises(ApiFailure, match="pod is not running") as failure:
        cluster.request("GET", "/api/v1/namespaces/default/pods/waiting/portforward", ports=80)
    assert failure.value.code == 400


def test_stopping_the_server_ends_open_streams_and_their_commands(tmp_path: Path, pod_port: int) -> None:
    cluster = Cluster(tmp_path)
    cluster.start()
    cluster.running_pod("teapot")
    base = [kubectl_path(), "--kubeconfig", str(cluster.kubeconfig)]
    command = [*base, "exec", "teapot", "--", "sh", "-c", "echo on; exec sleep 600"]
    with (
        kubectl_forward(cluster, "teapot", pod_port) as (port, _),
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as runner,
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection,
    ):
        connection.sendall(b"a\n")
        assert connection.recv(10) == b"A\n"
        assert runner.stdout is not None
        assert runner.stdout.readline() == "on\n"
        cluster.stop()
        assert cluster.node.started[-1].returncode == -9
        assert runner.wait(DEADLINE_SECONDS) != 0
