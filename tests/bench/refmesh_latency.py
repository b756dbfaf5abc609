"""How fast the reference mesh starts, follows changes, and carries requests.

Run: python -m tests.bench.refmesh_latency   (from the repository, on a machine at rest)
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.embedded.refmesh_scene import Answer, Scene, request

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 30
REQUESTS = 3000


def until(change: Callable[[], Any], call: Callable[[], Answer], wanted: Callable[[Answer], bool]) -> float:
    """Milliseconds from the API server's answer to the first call that shows the change."""
    change()
    began = time.perf_counter()
    while not wanted(call()):
        pass
    return (time.perf_counter() - began) * 1000


def follow(scene: Scene) -> None:
    """Grants, revocations and splits: applied to enforced."""
    calls: dict[str, Callable[[], Answer]] = {
        "HTTP": partial(scene.http, "kettle", "teapot"),
        "TCP": partial(scene.tcp, "kettle", "teapot"),
    }
    for name, call in calls.items():
        grants, revocations = [], []
        for _ in range(ROUNDS):
            grants.append(until(lambda: scene.allow("kettle"), call, lambda answer: answer.served))
            revocations.append(until(scene.clear, call, lambda answer: not answer.served))
        print(f"{name}: granted {median(grants):.1f} ms (max {max(grants):.1f}), revoked {median(revocations):.1f} ms")
    for pot in ("china", "glass"):
        scene.allow("kettle", to=pot, name=pot)
        scene.allowed(scene.http, "kettle", pot)
    moves = []
    for number in range(ROUNDS):
        pot = ("china", "glass")[number % 2]
        spec = {"service": "teapot", "backends": [{"service": pot, "weight": 1}]}
        change = partial(scene.smi, "TrafficSplit", "split", spec)
        moves.append(until(change, calls["HTTP"], lambda answer, pot=pot: answer.pod == pot))  # type: ignore[misc]
    print(f"split: moved {median(moves):.1f} ms (max {max(moves):.1f})")


def carry(scene: Scene) -> None:
    """Requests one after the other, from one client."""
    with scene.connect("kettle", "teapot", 8080) as connection:
        began = time.perf_counter()
        for _ in range(REQUESTS):
            request(connection)
        print(f"kept connection: {REQUESTS / (time.perf_counter() - began):.0f} requests/s")
    began = time.perf_counter()
    for _ in range(REQUESTS):
        scene.http("kettle", "teapot")
    print(f"new connections: {REQUESTS / (time.perf_counter() - began):.0f} requests/s")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        scene = Scene(Path(folder))
        try:
            print(f"cluster, mesh and seven pods ready: {time.perf_counter() - began:.2f} s")
            follow(scene)
            carry(scene)
        finally:
            scene.close()


if __name__ == "__main__":
    main()
