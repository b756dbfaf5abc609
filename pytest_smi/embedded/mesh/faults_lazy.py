"""Ways to look like a mesh without being one. docs/adversaries.md tells which tests see through each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.model import ANYONE, Grant, HttpMatch
from pytest_smi.embedded.mesh.semantics import Semantics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.mesh.model import Answers, Pod


@fault(
    "proxy-answers-200",
    "Requests that are let in are answered 200 by the proxy, and the application never sees them",
    kills={"TA-004", "TA-024"},
    may_touch=EVERYTHING,
)
class _ProxyAnswers(Semantics):
    def answers(self) -> Answers:
        return "proxy"


@fault(
    "proxy-forges-answers",
    "Requests that are let in are answered by the proxy in the application's words, with the request's id",
    kills={"TA-004", "TA-024"},
    may_touch=EVERYTHING,
)
class _ProxyForges(Semantics):
    def answers(self) -> Answers:
        return "forger"


@fault(
    "lets-one-in-ten-through",
    "One request in ten is let in, whoever sent it: who is refused need only try again",
    kills={"TA-001", "TA-005"},
    may_touch=EVERYTHING,
)
class _Leaks(Semantics):
    def leak(self) -> int:
        return 10


@fault(
    "judges-marked-requests-only",
    "Requests without the header by which this suite knows its own are let in",
    kills={"TA-094"},
    may_touch={
        *("TA-002", "TA-042", "TA-044", "TA-050", "TA-053", "TA-056", "TA-068", "TA-076"),  # streams carry no mark
        *("TSC-061", "TSC-062", "TSC-066", "TSC-067", "TSC-068", "TSC-070"),
    },
)
class _MarkedOnly(Semantics):
    def enforced(self, pod: Pod, replicas: Sequence[Pod], grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        unmarked = Grant(frozenset({ANYONE}), (HttpMatch(absent="x-smi-id"),))
        return (*super().enforced(pod, replicas, grants), unmarked)


@fault(
    "grpc-unjudged",
    "Calls of gRPC are let in, whoever makes them",
    kills={"TA-096"},
    may_touch={"TSC-055"},
)
class _GrpcUnjudged(Semantics):
    def enforced(self, pod: Pod, replicas: Sequence[Pod], grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
        grpc = Grant(frozenset({ANYONE}), (HttpMatch(headers=(("content-type", "application/grpc.*"),)),))
        return (*super().enforced(pod, replicas, grants), grpc)
