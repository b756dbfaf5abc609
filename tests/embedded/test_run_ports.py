"""A port that the run needs and somebody else has: one line that says which, verdict `error`, exit 3.

The cluster's own servers (API, DNS, the mesh's webhook) take whatever port is free. Fixed are the ports of the sample
application, on addresses of the cluster's block; a program that listens on 0.0.0.0 has them on every address.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.run_process import FEW, PytestRun

# A plugin that takes a port on every address of one part of the cluster's block, before anything is deployed.
TAKER = """
import os
import socket

import pytest

@pytest.fixture(scope="session", autouse=True)
def taken(smi_cluster):
    (node,) = smi_cluster.api.list("/api/v1/nodes")
    (host,) = [one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP"]
    _, a, b, _ = map(int, host.split("."))
    parts = {"pods": (a, b), "processes": (a - 63, b), "services": (a, b + 1)}
    where, kind, port = os.environ["TAKE"].split()
    second, third = parts[where]
    held = []
    for number in range(1, 251):
        held.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM))
        held[-1].bind((f"127.{second}.{third}.{number}", int(port)))
        if kind == "tcp":
            held[-1].listen()
    yield
    for one in held:
        one.close()
"""
LATE = """
from pytest_smi import ANY, TrafficTarget, assert_allowed, port, requirement


@requirement("TA-004")
def test_a_service_on_the_port(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    late = smi.service("late", {"pytest-smi.dev/workload": "teapot"}, teapot, ports=[port(8765, target=8080)])
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(late, port=8765))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "taker.py").write_text(TAKER)
    (tmp_path / "test_late.py").write_text(LATE)
    return tmp_path


@pytest.fixture
def runs() -> Iterator[list[PytestRun]]:
    started: list[PytestRun] = []
    yield started
    for run in started:
        run.kill_rest()


@pytest.mark.parametrize(
    ("take", "told"),
    [
        ("processes tcp 8080", "sample_app: cannot open TCP port 8080 on 127."),
        ("processes udp 5530", "sample_app: cannot open UDP port 5530 on 127."),
        ("processes tcp 15900", "sample_app: cannot open TCP port 15900 on 127."),
        ("pods tcp 8080", "Envoy cannot listen on 127."),
        ("services tcp 8080", "Envoy cannot listen on 127."),
        ("services udp 5530", "cannot serve UDP on 127."),
    ],
    ids=["HTTP-of-a-process", "UDP-of-a-process", "agent", "HTTP-of-a-pod", "HTTP-of-a-Service", "UDP-of-a-Service"],
)
def test_a_port_that_is_taken_stops_the_run_with_one_line(
    folder: Path, runs: list[PytestRun], take: str, told: str
) -> None:
    runs.append(run := PytestRun(folder, FEW, "-n0", "-p", "taker", env={"PYTHONPATH": str(folder), "TAKE": take}))
    assert run.status == 3, run.said
    (message,) = {one["message"] for one in run.results()["instances"]}
    assert len(message.splitlines()) == 1
    assert told in message
    assert "Address already in use" in message
    assert "ss -lntup shows who has it" in message
    assert set(run.verdicts().values()) == {"error"}
    assert len(run.verdicts()) == 1, "the run stops"
    assert "Traceback" not in run.said
    assert run.processes() == {}


def test_a_port_that_is_taken_later_is_an_error_and_no_verdict(folder: Path, runs: list[PytestRun]) -> None:
    environment = {"PYTHONPATH": str(folder), "TAKE": "services tcp 8765"}
    runs.append(run := PytestRun(folder, "test_late.py", "-n0", "-p", "taker", env=environment))
    assert run.status == 3, run.said
    (one,) = run.results()["instances"]
    assert one["verdict"] == "error"
    assert "Envoy cannot listen on 127." in one["message"]
    assert ":8765: Address already in use; free that port: ss -lntup shows who has it" in one["message"]
    assert "Traceback" not in run.said
