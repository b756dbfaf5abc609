import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_smi.embedded import dns_message
from tests.embedded.cluster_process import (
    DEADLINE_SECONDS,
    Cluster,
    Place,
    alive,
    ask,
    descendants,
    pod,
    until,
)


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that the test may end in any way."""
    running = Cluster(tmp_path / "state")
    yield running
    with suppress(ProcessLookupError):
        running.process.kill()
    running.close()


def with_processes(cluster: Cluster) -> list[int]:
    """Runs a pod that has a child, and returns every process of the cluster below its own."""
    place = Place(cluster, "tea")
    place.create(pod("pot"))
    address = place.ready("pot")["status"]["podIP"]
    until("the pod to answer", lambda: answers(address))
    child = ask(address, "/child")["child"]
    below = descendants(cluster.process.pid)
    assert child in below
    return below


def answers(address: str) -> bool:
    try:
        return bool(ask(address))
    except OSError:
        return False


def all_gone(pids: list[int]) -> None:
    until("every process of the cluster to be gone", lambda: not any(map(alive, pids)))


def test_it_says_where_it_is_and_its_kubeconfig_is_for_its_owner_only(own_cluster: Cluster) -> None:
    said = own_cluster.said
    assert sorted(said) == ["dns", "kubeconfig", "server"]
    assert said["server"].startswith("https://127.0.0.1:")
    assert stat.S_IMODE(Path(said["kubeconfig"]).stat().st_mode) == 0o600
    (node,) = own_cluster.items("/api/v1/nodes")
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"] == "True"
    names = {one["metadata"]["name"] for one in own_cluster.items("/api/v1/namespaces")}
    assert {"default", "kube-system"} <= names


def test_without_a_token_nothing_is_served(own_cluster: Cluster) -> None:
    from pytest_smi.embedded.client import ApiFailure, Client
    from pytest_smi.embedded.kubeconfig import read

    access = read(own_cluster.said["kubeconfig"])
    stranger = Client(access.server, "", access.ca_pem)
    with pytest.raises(ApiFailure) as caught:
        own_cluster.run(stranger.get("/api/v1/namespaces/default/secrets"))
    assert caught.value.code in (401, 403)
    stranger.close()


def test_the_end_of_the_lifeline_ends_every_process(own_cluster: Cluster) -> None:
    below = with_processes(own_cluster)
    assert own_cluster.close() == 0
    all_gone(below)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process(own_cluster: Cluster, number: int) -> None:
    below = with_processes(own_cluster)
    own_cluster.process.send_signal(number)
    assert own_cluster.process.wait(DEADLINE_SECONDS) == 0
    all_gone(below)


def test_a_killed_cluster_leaves_no_process_behind(own_cluster: Cluster) -> None:
    below = with_processes(own_cluster)
    own_cluster.process.kill()
    own_cluster.process.wait(DEADLINE_SECONDS)
    all_gone(below)


def test_clusters_side_by_side_have_addresses_of_their_own(own_cluster: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path / "other")
    try:
        addresses = []
        for one in (own_cluster, other):
            (node,) = one.items("/api/v1/nodes")
            addresses.append(node["spec"]["podCIDR"])
        assert len(set(addresses)) == 2
    finally:
        assert other.close() == 0


def test_a_name_of_a_service_is_resolved_over_udp(own_cluster: Cluster) -> None:
    place = Place(own_cluster, "tea")
    service = {"selector": {"app": "pot"}, "ports": [{"port": 80}]}
    made = place.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pot"}, "spec": service})
    expected = socket.inet_aton(made["spec"]["clusterIP"])
    until("DNS to know the service", lambda: resolve(own_cluster, "pot.tea.svc.cluster.local").endswith(expected))
    missing = resolve(own_cluster, "nobody.tea.svc.cluster.local")
    assert missing[3] & 0x0F == dns_message.NXDOMAIN


def resolve(cluster: Cluster, name: str) -> bytes:
    host, _, port = cluster.said["dns"].partition(":")
    question = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + dns_message.encode_name(name) + b"\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(question, (host, int(port)))
        return client.recv(512)


def refusal(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_smi.embedded", *arguments],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_a_state_folder_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, said = refusal("--state", str(tmp_path / "file" / "state"))
    assert status == 3
    assert str(tmp_path) in json.loads(said)["error"]
    assert json.loads(said)["advice"]


def test_with_nobody_at_the_lifeline_it_ends_at_once(tmp_path: Path) -> None:
    with Path(os.devnull).open() as nobody:
        process = subprocess.run(
            [sys.executable, "-m", "pytest_smi.embedded", "--state", str(tmp_path)],
            stdin=nobody,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    assert process.returncode == 0
