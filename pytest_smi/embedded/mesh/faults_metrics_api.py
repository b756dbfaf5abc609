"""Faults about the metrics API as an API: registration, discovery, paths, refusals, rights, and nonsense."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import Response, StreamResponse, json_response
from pytest_smi.embedded.mesh.fault import METRICS, fault
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.spec.metrics import GROUP, KIND, ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable

    from pytest_smi.embedded.kubeapi.http import AnyResponse, Request
    from pytest_smi.embedded.mesh.metrics_semantics import Json
    from pytest_smi.spec.metrics import Measured

_CLOSED_PORT = 9
_HUGE_BYTES = 3 << 30
_RBAC = "rbac.authorization.k8s.io"
_OPEN = "smi-reference-mesh-metrics"


def _is_discovery(request: Request) -> bool:
    return request.path.rstrip("/") == ROOT


@fault(
    "metrics-unreachable",
    "Metrics: the APIService leads to a port on which nobody listens",
    kills={"TM-001"},
    may_touch=METRICS,
)
class _Unreachable(Semantics):
    def registered(self, manifests: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
        found = super().registered(manifests)
        for _, manifest in found:
            if manifest["kind"] == "APIService":
                manifest["spec"]["service"]["port"] = _CLOSED_PORT
        return found


@fault(
    "metrics-discovery-is-a-list",
    "Metrics: discovery gives a List in place of an APIResourceList",
    kills={"TM-002"},
    may_touch=METRICS,
)
class _DiscoveryIsAList(Semantics):
    def discovery(self) -> Json:
        return {**super().discovery(), "kind": "List"}


@fault(
    "metrics-offer-watch",
    "Metrics: discovery offers to watch",
    kills={"TM-003", "API-030"},
    may_touch=METRICS,
)
class _OfferWatch(Semantics):
    def offered(self, measured: Measured) -> Json:
        return {**super().offered(measured), "verbs": ["get", "list", "watch"]}


@fault(
    "metrics-everything-namespaced",
    "Metrics: discovery says that all resources belong to namespaces",
    kills={"TM-004"},
    may_touch=METRICS,
)
class _EverythingNamespaced(Semantics):
    def offered(self, measured: Measured) -> Json:
        return {**super().offered(measured), "namespaced": True}


@fault(
    "metrics-offer-nothing",
    "Metrics: discovery offers no resources",
    kills={"TM-003", "TM-004", "TM-005", "TM-006", "TM-007", "API-030"},
    may_touch=METRICS,
)
class _OfferNothing(Semantics):
    def offers(self) -> Iterable[Measured]:
        return ()


@fault(
    "metrics-of-all-namespaces",
    "Metrics: a list about a namespace has the objects of all of them",
    kills={"TM-006", "TM-021"},
    may_touch=METRICS,
)
class _AllNamespaces(Semantics):
    def scope(self, namespace: str) -> str:
        return ""


@fault(
    "metrics-items-twice",
    "Metrics: the first item of each list is there twice",
    kills={"TM-006"},
    may_touch=METRICS,
)
class _ItemsTwice(Semantics):
    def listing(self, resource: Json, selector: str, items: list[Json]) -> Json:
        return super().listing(resource, selector, [*items[:1], *items])


@fault(
    "metrics-services-broken",
    "Metrics: listing Services fails",
    kills={"TM-006"},
    may_touch=METRICS,
)
class _ServicesBroken(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if request.path.endswith("/services"):
            return json_response(500, status.internal_error("no metrics of services").status)
        return super().sent(request, answer)


@fault(
    "metrics-get-gives-a-list",
    "Metrics: one object gives a list of one",
    kills={"TM-007"},
    may_touch=METRICS,
)
class _GetGivesAList(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        body = json.loads(answer.body)
        if body.get("kind") == KIND:
            return json_response(200, self.listing(body["resource"], "", [body]))
        return super().sent(request, answer)


@fault(
    "metrics-no-namespaces",
    "Metrics: namespaces themselves are not found",
    kills={"TM-008"},
    may_touch=METRICS,
)
class _NoNamespaces(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        parts = request.path.removeprefix(ROOT).strip("/").split("/")
        if parts[0] == "namespaces" and len(parts) < 3:
            return json_response(404, status.unknown_path().status)
        return super().sent(request, answer)


@fault(
    "metrics-no-edges",
    "Metrics: edges are not found",
    kills={"TM-009"},
    may_touch=METRICS,
)
class _NoEdges(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if request.path.endswith("/edges"):
            return json_response(404, status.unknown_path().status)
        return super().sent(request, answer)


@fault(
    "metrics-single-edges",
    "Metrics: a single edge can be asked for",
    kills={"TM-010"},
    may_touch=METRICS,
)
class _SingleEdges(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if "/edges/" in request.path:
            return json_response(200, self.listing({"kind": "Pod"}, "", []))
        return super().sent(request, answer)


@fault(
    "metrics-take-writes",
    "Metrics: whatever is written is taken with thanks",
    kills={"TM-011"},
    may_touch=METRICS,
)
class _TakeWrites(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if request.method not in ("GET", "HEAD"):
            return json_response(200, {"kind": KIND})
        return super().sent(request, answer)


@fault(
    "metrics-of-anything",
    "Metrics: a resource that nobody knows is an empty list",
    kills={"TM-012"},
    may_touch=METRICS,
)
class _OfAnything(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if answer.status == 404:
            return json_response(200, self.listing({"kind": "Unknown"}, "", []))
        return super().sent(request, answer)


@fault(
    "metrics-plain-refusals",
    "Metrics: refusals are plain text",
    kills={"TM-014"},
    may_touch=METRICS,
)
class _PlainRefusals(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if answer.status >= 400:
            return Response(answer.status, b"not so\n", {"content-type": "text/plain"})
        return super().sent(request, answer)


@fault(
    "metrics-believe-anyone",
    "Metrics: the server believes anyone who asks it directly",
    kills={"TM-016"},
    may_touch=METRICS,
)
class _BelieveAnyone(Semantics):
    def trusts(self, common_name: str | None, allowed: Collection[str]) -> bool:
        return True


@fault(
    "metrics-open-to-all-users",
    "Metrics: the mesh lets every user of the cluster read them",
    kills={"TM-070", "TM-071", "TM-072"},
    may_touch=METRICS,
)
class _OpenToAll(Semantics):
    def registered(self, manifests: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
        rules = [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["*"]}]
        reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _OPEN}
        subjects = [{"apiGroup": _RBAC, "kind": "Group", "name": "system:authenticated"}]
        base = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": _OPEN}}
        return [
            *super().registered(manifests),
            (f"/apis/{_RBAC}/v1/clusterroles/{_OPEN}", {**base, "kind": "ClusterRole", "rules": rules}),
            (
                f"/apis/{_RBAC}/v1/clusterrolebindings/{_OPEN}",
                {**base, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": subjects},
            ),
        ]


@fault(
    "metrics-for-administrators-only",
    "Metrics: the server refuses whoever is no administrator, whatever rights they have",
    kills={"TM-070", "TM-071", "TM-072"},
    may_touch=METRICS,
)
class _AdministratorsOnly(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if "system:masters" not in request.headers.get("x-remote-group", ""):
            return json_response(403, status.forbidden("metrics", "", GROUP, "administrators only").status)
        return super().sent(request, answer)


@fault(
    "metrics-frozen",
    "Metrics: the first answer to a question is given for ever",
    kills={"TM-052", "TM-054"},
    may_touch=METRICS,
)
class _Frozen(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._first: dict[str, AnyResponse] = {}

    def sent(self, request: Request, answer: Response) -> AnyResponse:
        return self._first.setdefault(request.target, super().sent(request, answer))


@fault(
    "metrics-html",
    "Metrics: a page for people, with status 200",
    kills={"TM-020"},
    may_touch=METRICS,
)
class _Html(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if _is_discovery(request):
            return super().sent(request, answer)
        return Response(200, b"<!doctype html><title>Dashboard</title><p>Log in", {"content-type": "text/html"})


@fault(
    "metrics-no-utf8",
    "Metrics: the answers are no UTF-8",
    kills={"TM-020"},
    may_touch=METRICS,
)
class _NoUtf8(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if _is_discovery(request):
            return super().sent(request, answer)
        return Response(200, answer.body.replace(b'"kind"', b'"\xfft\xe9":1,"kind"'), answer.headers)


async def _pieces(piece: bytes, count: int, seconds: float) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece
        await asyncio.sleep(seconds)


@fault(
    "metrics-huge",
    "Metrics: the answers are 3 GB long",
    kills={"TM-020"},
    may_touch=METRICS,
)
class _Huge(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if _is_discovery(request):
            return super().sent(request, answer)
        piece = b" " * (1 << 20)
        headers: dict[str, Any] = {"content-type": "application/json"}
        return StreamResponse(200, _pieces(piece, _HUGE_BYTES // len(piece), 0), headers)


@fault(
    "metrics-endless",
    "Metrics: the answers begin, and never end",
    kills={"TM-020"},
    may_touch=METRICS,
)
class _Endless(Semantics):
    def sent(self, request: Request, answer: Response) -> AnyResponse:
        if _is_discovery(request):
            return super().sent(request, answer)
        return StreamResponse(200, _pieces(b" ", 1 << 30, 0.1), {"content-type": "application/json"})
