"""A whole run on a cluster whose API server misbehaves: what passes is got over, else one line and exit 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_smi.cluster.embedded import EmbeddedCluster
from tests.embedded.cluster_process import until
from tests.embedded.misbehaving import Misbehaving
from tests.embedded.run_process import PytestRun
from tests.embedded.standing_mesh import flags, snapshot, standing_mesh

# The second test goes on until it is told to stop; it tells when it is in its middle.
TESTS = """
import os
from pathlib import Path

from pytest_smi import ANY, TrafficTarget, assert_allowed, requirement


def pour(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(teapot))


@requirement("TA-004")
def test_before(smi):
    pour(smi)


@requirement("TA-005")
def test_struck(smi):
    while not Path("stop").exists():
        pour(smi)
        Path(f"middle-{os.getpid()}").touch()


@requirement("TA-028")
def test_after(smi):
    pour(smi)
"""
WEBHOOK = (
    'Internal error occurred: failed calling webhook "inject.example.com": failed to call webhook: Post '
    '"https://injector.mesh-system.svc:443/x?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused'
)

Start = Callable[..., PytestRun]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with standing_mesh(tmp_path_factory.mktemp("mesh")) as found:
        yield found


@pytest.fixture
def proxy(cluster: EmbeddedCluster, tmp_path: Path) -> Iterator[Misbehaving]:
    assert cluster.kubeconfig
    found = Misbehaving(cluster.kubeconfig, tmp_path)
    yield found
    found.close()


@pytest.fixture
def start(tmp_path: Path, proxy: Misbehaving) -> Iterator[Start]:
    (tmp_path / "test_three.py").write_text(TESTS)
    runs: list[PytestRun] = []

    def begin(*arguments: str) -> PytestRun:
        runs.append(PytestRun(tmp_path, *flags(tmp_path, proxy.kubeconfig), "test_three.py", "-n0", *arguments))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


def verdicts(run: PytestRun) -> dict[str, str]:
    return {one["nodeid"].rpartition("::")[2].partition("[")[0]: one["verdict"] for one in run.results()["instances"]}


def ending(run: PytestRun) -> str:
    (line,) = (line for line in run.said.splitlines() if line.startswith("exit "))
    return line


def test_what_passes_is_got_over(cluster: EmbeddedCluster, start: Start, proxy: Misbehaving) -> None:
    """Refusals under load, a server that breaks down, lost answers, a cut: no verdict depends on them."""
    before = snapshot(cluster.api)
    run = start()
    run.reached()
    for fault in (
        {"pattern": ".", "times": 3, "status": 503},
        {"pattern": "PATCH", "times": 2, "status": 429, "headers": {"Retry-After": "1"}},
        {"pattern": "PATCH|DELETE", "times": 2, "status": 500},
        {"pattern": "PATCH|DELETE|GET", "times": 2, "how": "lose"},
    ):
        with proxy.fault(**fault) as struck:  # type: ignore[arg-type]
            until("the fault to strike", lambda struck=struck: struck.met == struck.times, 60)  # type: ignore[misc]
    assert proxy.cut() > 0
    proxy.down()
    proxy.up()
    seen = len(proxy.requests)
    until("the run to go on", lambda: len(proxy.requests) > seen + 5, 60)
    (run.folder / "stop").touch()
    assert run.status == 0, run.said
    assert set(verdicts(run).values()) == {"pass"}
    assert snapshot(cluster.api) == before


def test_an_api_server_that_stays_away_stops_the_run_with_one_line(
    cluster: EmbeddedCluster, start: Start, proxy: Misbehaving
) -> None:
    before = snapshot(cluster.api)
    run = start()
    run.reached()
    proxy.down()
    assert run.status == 3, run.said
    proxy.up()
    assert verdicts(run) == {"test_before": "pass", "test_struck": "error"}
    told = ending(run)
    assert told.startswith("exit 3: 2 of 3 instances judged, then the API server has been away for 30 s: ")
    assert "connection refused" in told
    assert "`pytest-smi clean` removes what the run has left" in told
    assert "Traceback" not in run.said
    for path in set(snapshot(cluster.api)) - set(before):
        if path.startswith("/api/v1/namespaces "):
            cluster.api.delete(f"/api/v1/namespaces/{path.rpartition('/')[2]}")
    until("what the run left to be gone", lambda: snapshot(cluster.api) == before, 60.0)


def test_a_webhook_that_is_down_stops_the_run_with_one_line_that_names_it(
    cluster: EmbeddedCluster, start: Start, proxy: Misbehaving
) -> None:
    before = snapshot(cluster.api)
    with proxy.fault("PATCH .*/deployments/", status=500, message=WEBHOOK):
        run = start()
        assert run.status == 3, run.said
    assert "admission webhook inject.example.com does not answer: PATCH /apis/apps/v1/" in ending(run)
    assert "kubectl get pods,endpoints -n mesh-system" in ending(run)
    assert "Traceback" not in run.said
    assert snapshot(cluster.api) == before
