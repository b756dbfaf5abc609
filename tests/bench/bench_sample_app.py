"""Speed of the sample application: requests per second from one agent to one server on loopback, and start-up.

Run it by itself: `python tests/bench/bench_sample_app.py`. Each figure is the best of three runs, since whatever else
the machine does can only make it slower; targets are for two idle cores. Exits with status 1 when a target is missed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Literal, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytest_smi.traffic.plan import Plan, Request
from tests.embedded.sample_app_process import SampleApp

ROUNDS = 3
START_MS = 120.0


class Figure(NamedTuple):
    """One line of the table: what is measured, with how many requests, and the least rate to reach (0: none set)."""

    title: str
    protocol: str
    port: int
    connection: Literal["new", "kept"]
    requests: int
    least: float


FIGURES = (
    Figure("HTTP/1.1, new connections", "http1", 8080, "new", 20_000, 5_000),
    Figure("HTTP/1.1, kept connections", "http1", 8080, "kept", 60_000, 20_000),
    Figure("TCP echo, new connections", "tcp", 7000, "new", 20_000, 0),
    Figure("TCP echo, kept connections", "tcp", 7000, "kept", 60_000, 0),
    Figure("UDP", "udp", 5530, "kept", 60_000, 0),
    Figure("h2c, kept connections", "h2c", 8080, "kept", 5_000, 0),
    Figure("gRPC, kept connections", "grpc", 8080, "kept", 5_000, 0),
)


def rate(client: SampleApp, server: SampleApp, figure: Figure, concurrency: int) -> float:
    """Requests per second of one run, in which every request must be served."""
    plan = Plan(
        Request(server.address, figure.port, figure.protocol),
        count=figure.requests,
        concurrency=concurrency,
        connection=figure.connection,
        detail="histogram",
    )
    counted = client.agent.run(plan).histogram
    server.agent.reset()
    if counted is None or counted.unserved:
        sys.exit(f"{figure.title}: not every request was served: {counted}")
    return counted.rate


def started() -> float:
    """Milliseconds from the start of a process to its agent's first answer."""
    began = time.perf_counter()
    app = SampleApp("start")
    if not app.agent.healthy():
        sys.exit("the sample application does not answer")
    taken = (time.perf_counter() - began) * 1000
    app.agent.close()
    app.stop()
    return taken


def main() -> int:
    """Print the table."""
    missed = 0
    client, server = SampleApp("kettle"), SampleApp("teapot")
    try:
        for figure in FIGURES:
            best = max(rate(client, server, figure, 16) for _ in range(ROUNDS))
            missed += best < figure.least
            target = f"(target {figure.least:,.0f})" if figure.least else ""
            print(f"{figure.title:28}{best:10,.0f} requests/s {target}")
    finally:
        for app in (client, server):
            app.agent.close()
            app.stop()
    best = min(started() for _ in range(2 * ROUNDS))
    missed += best > START_MS
    print(f"{'Start to first answer':28}{best:10,.0f} ms (target {START_MS:.0f})")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
