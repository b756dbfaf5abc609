"""A small world with traffic in it, and what a metrics API tells of it under one semantics or another."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.embedded.kubeapi import routing, selectors
from pytest_smi.embedded.kubeapi.http import Request, Response, json_response
from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.mesh.metrics_api import LAG_SECONDS, MetricsApi
from pytest_smi.embedded.mesh.metrics_log import Journal
from pytest_smi.embedded.mesh.metrics_server import registration
from pytest_smi.spec.metrics import MEASURED, ROOT, metrics_path
from tests.unit.refmesh_objects import meta, pod, split, world

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pytest_smi.embedded.mesh.semantics import Semantics
    from pytest_smi.embedded.mesh.snapshot import Snapshot

NOW = 1_700_000_000.0
END = NOW - LAG_SECONDS
"""When the window of an answer ends."""
SPACE = "tea"
PATHS = (
    metrics_path("namespaces"),
    metrics_path("namespaces", name=SPACE),
    metrics_path("nodes"),
    *(metrics_path(plural, SPACE) for plural, one in MEASURED.items() if one.namespaced),
    metrics_path("pods", SPACE) + "?labelSelector=app%3Durn",
    metrics_path("pods", SPACE) + "?t=2s",
    metrics_path("deployments", SPACE, "urn"),
    metrics_path("deployments", SPACE, "urn", edges=True),
    metrics_path("services", SPACE),
    metrics_path("pods", SPACE, "kettle", edges=True),
    metrics_path("pods", SPACE, "urn-1", edges=True),
    metrics_path("pods", SPACE, "urn-1", edges=True) + "/kettle",
    metrics_path("trafficsplits", SPACE, "pour"),
    metrics_path("widgets", SPACE),
    metrics_path("pods", SPACE, "ghost"),
    metrics_path("pods", SPACE) + "?watch=true",
)
"""Questions whose answers tell all faults apart."""


def tea() -> Snapshot:
    """The world of the reference mesh's tests, with a Deployment `urn` of two pods and a split of `pots`."""
    urns = [pod(f"urn-{number}", account="urn", number=20 + number, app="urn") for number in (1, 2)]
    for one in urns:
        one["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "urn-5d", "controller": True}]
        one["spec"]["nodeName"] = "node-1"
    return world(*urns, split("pour", "pots", china=3, glass=1))


OWNED = [{"kind": "Deployment", "name": "urn", "controller": True}]
OTHERS: dict[str, list[dict[str, Any]]] = {
    "replicasets": [meta("ReplicaSet", "urn-5d", ownerReferences=OWNED)],
    "deployments": [meta("Deployment", "urn", labels={"app": "urn"})],
    "namespaces": [{"metadata": {"name": name}} for name in ("tea", "tea2")],
    "nodes": [{"metadata": {"name": "node-1"}}],
    "pods": tea().all("Pod"),
    "services": tea().all("Service"),
    "trafficsplits": tea().all("TrafficSplit"),
}
"""Resource -> objects of the cluster. StatefulSets, DaemonSets, Jobs and ReplicationControllers it does not serve."""


async def fetch(path: str, labelSelector: str | None = None) -> dict[str, Any]:
    """The Kubernetes API of this world."""
    asked = routing.parse(path)
    chosen = selectors.predicate(labelSelector or "", "", (), builtin=True)
    found = [
        one
        for one in OTHERS.get(asked.plural, ())
        if asked.namespace in ("", one["metadata"].get("namespace"))
        and asked.name in ("", one["metadata"]["name"])
        and chosen(one)
    ]
    if asked.plural not in OTHERS or (asked.name and not found):
        raise ApiFailure(404, "NotFound", "not found", {})
    return found[0] if asked.name else {"items": found}


def line(side: str, *, ago: float, source: str, target: str, millis: int = 4, status: int = 200, **more: str) -> str:
    """A line of the access log; `ago` is seconds before the end of the window."""
    kind, cluster, upstream = (more.get(name, "-") for name in ("kind", "cluster", "upstream"))
    kind = "http" if kind == "-" else kind
    fields = (side, kind, f"{END - ago:.6f}", millis * 1000, millis, status, source, target, cluster, upstream)
    return "\t".join(map(str, fields))


def call(to: str, address: str, *, ago: float, root: str = "", backend: str = "", **more: Any) -> list[str]:
    """A call of the kettle to a pod, as both sides saw it; by way of a Service `root`, that is to `backend`."""
    cluster_ips = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in tea().all("Service")}
    via = f"{cluster_ips[root]}:8080" if root else address
    cluster = f"service|tea|{backend or root}|8080" if root else "-"
    sent = {"cluster": cluster, "upstream": f"envoy://sidecar/{address}"}
    return [
        line("server", ago=ago, source="kettle.tea.pod.cluster.local", target=address, **more),
        line("client", ago=ago, source="127.64.0.1:0", target=via, **{**more, **sent}),
    ]


URN = {1: "127.64.0.21:8080", 2: "127.64.0.22:8080"}
CHINA, GLASS = "127.64.0.5:8080", "127.64.0.6:8080"


def traffic() -> list[str]:
    """Old calls, calls of different length and outcome to the urns, some over the split, one directly, one of TCP."""
    lines = call("urn-1", URN[1], ago=3.0)
    lines += call("urn-1", URN[1], ago=1.5)
    for number in range(8):
        lines += call("urn-1", URN[1], ago=0.9 - number / 100, millis=4 + number)
    lines += call("urn-2", URN[2], ago=0.8, millis=200)
    lines += call("urn-2", URN[2], ago=0.7, status=500)
    lines += call("china", CHINA, ago=0.6, root="pots", backend="china")
    lines += call("china", CHINA, ago=0.5, root="pots", backend="china")
    lines += call("glass", GLASS, ago=0.4, root="pots", backend="glass")
    lines += call("china", CHINA, ago=0.3, root="china")
    lines += call("urn-1", "127.64.0.21:7000", ago=0.2, kind="tcp")
    return lines


def request(path: str, method: str = "GET") -> Request:
    """A request as it comes from the API server, on behalf of an administrator."""
    target, _, query = path.partition("?")
    return Request(method, target, path, parse_qs(query), {"x-remote-group": "system:masters"}, b"")


def answer(
    semantics: Semantics, folder: Path, path: str, method: str = "GET", lines: list[str] | None = None
) -> Response:
    """What is sent to the API server for this request (the kind of response, where the body never ends).

    `lines` is the traffic, if not the usual one.
    """
    (folder / "traffic.log").write_text("".join(f"{one}\n" for one in (traffic() if lines is None else lines)))
    api = MetricsApi(semantics, Journal(folder), tea, fetch, lambda: NOW)
    asked = request(path, method)
    try:
        found = json_response(200, _finished(api.answer(asked)))
    except ApiError as refusal:
        found = json_response(refusal.code, refusal.status)
    sent = semantics.sent(asked, found)
    return sent if isinstance(sent, Response) else Response(sent.status, type(sent).__name__.encode())


def _finished(answering: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """The result of a coroutine that waits for nothing, without the cost of an event loop."""
    try:
        answering.send(None)
    except StopIteration as end:
        return dict(end.value)
    raise AssertionError("it waits for something")


def body(semantics: Semantics, folder: Path, path: str) -> dict[str, Any]:
    """The JSON of a successful answer."""
    found = answer(semantics, folder, path)
    assert found.status == 200, found.body
    told: dict[str, Any] = json.loads(found.body)
    return told


def everything_told(semantics: Semantics) -> tuple[Any, ...]:
    """All that a fault about metrics could decide otherwise."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = [answer(semantics, folder, path) for path in (ROOT, *PATHS)]
        told += [answer(semantics, folder, metrics_path("pods", SPACE), "POST")]
        told += [answer(semantics, folder, metrics_path("pods", SPACE), lines=[])]  # traffic has stopped
    (before,), edited = tea().all("TrafficSplit"), split("pour", "pots", china=1)
    weights = [semantics.backend(one, one["spec"]["backends"][0]) for one in (before, edited)]
    anyone = request(metrics_path("pods", SPACE))
    anyone.headers.clear()
    others = semantics.sent(anyone, json_response(200, {}))
    trusted = semantics.trusts(None, ("front-proxy-client",))
    return told, weights, others, trusted, registration(6443, b"pem", semantics)
