"""Faults about what metrics count: which calls, of whom, and in which window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.fault import METRICS, fault
from pytest_smi.embedded.mesh.semantics import Semantics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pytest_smi.embedded.mesh.metrics_log import Passage
    from pytest_smi.embedded.mesh.metrics_semantics import Json, Moment, Numbers
    from pytest_smi.embedded.mesh.metrics_world import Call, Holders, ObjectKey
    from pytest_smi.embedded.mesh.model import PodKey
    from pytest_smi.embedded.mesh.snapshot import Manifest


@fault(
    "metrics-failures-succeed",
    "Metrics: every call counts as a success",
    kills={"TM-041"},
    may_touch=METRICS,
)
class _FailuresSucceed(Semantics):
    def succeeded(self, passage: Passage) -> bool:
        return True


@fault(
    "metrics-failures-are-successes-too",
    "Metrics: success_count counts all calls, failure_count those that fail",
    kills={"TM-041"},
    may_touch=METRICS,
)
class _Both(Semantics):
    def numbers(self, calls: Sequence[Call]) -> Numbers:
        found = super().numbers(calls)
        return replace(found, success=found.success + found.failure)


@fault(
    "metrics-count-both-ends",
    "Metrics: a call counts at both of its ends, so twice",
    kills={"TM-040", "XG-010"},
    may_touch=METRICS,
)
class _BothEnds(Semantics):
    def received(self, calls: Iterable[Call], pods: Collection[PodKey]) -> list[Call]:
        return [call for call in calls if call.target in pods]


@fault(
    "metrics-rates",
    "Metrics: calls per second in place of counts",
    kills={"TM-043"},
    may_touch=METRICS,
)
class _Rates(Semantics):
    _window = 1.0

    def span(self, moment: Moment) -> tuple[float, float]:
        self._window = moment.window
        return super().span(moment)

    def numbers(self, calls: Sequence[Call]) -> Numbers:
        found = super().numbers(calls)
        return replace(found, success=round(found.success / self._window), failure=round(found.failure / self._window))


@fault(
    "metrics-since-the-start",
    "Metrics: counts are since the mesh was started",
    kills={"TM-040", "TM-052"},
    may_touch=METRICS,
)
class _SinceTheStart(Semantics):
    def span(self, moment: Moment) -> tuple[float, float]:
        return 0.0, moment.end


@fault(
    "metrics-slow-to-forget",
    "Metrics: a call counts ten times longer than the window says",
    kills={"TM-052"},
    may_touch=METRICS,
)
class _SlowToForget(Semantics):
    def span(self, moment: Moment) -> tuple[float, float]:
        return moment.end - 10 * moment.window, moment.end


@fault(
    "metrics-count-tcp",
    "Metrics: TCP connections count as calls",
    kills={"TM-053"},
    may_touch=METRICS,
)
class _CountTcp(Semantics):
    def is_measured(self, passage: Passage) -> bool:
        return True


@fault(
    "metrics-constant-p99",
    "Metrics: p99 is always ten milliseconds",
    kills={"TM-045"},
    may_touch=METRICS,
)
class _ConstantP99(Semantics):
    def rank(self, ordered: Sequence[float], share: float) -> float:
        return 0.010 if share == 0.99 else super().rank(ordered, share)


@fault(
    "metrics-means",
    "Metrics: all percentiles are the mean",
    kills={"TM-045"},
    may_touch=METRICS,
)
class _Means(Semantics):
    def rank(self, ordered: Sequence[float], share: float) -> float:
        return sum(ordered) / len(ordered) if ordered else 0.0


@fault(
    "metrics-percentiles-upside-down",
    "Metrics: p50 is the slowest and p99 the fastest",
    kills={"TM-044"},
    may_touch=METRICS,
)
class _UpsideDown(Semantics):
    def rank(self, ordered: Sequence[float], share: float) -> float:
        return super().rank(ordered, 1.5 - share)


@fault(
    "metrics-first-pod-only",
    "Metrics: an aggregate is the metrics of its first pod",
    kills={"TM-046"},
    may_touch=METRICS,
)
class _FirstPodOnly(Semantics):
    def held(self, holders: Holders, key: ObjectKey) -> set[PodKey]:
        return set(sorted(super().held(holders, key))[:1])


@fault(
    "metrics-of-servers-only",
    "Metrics: clients have no edges to whom they call",
    kills={"TM-047"},
    may_touch=METRICS,
)
class _ServersOnly(Semantics):
    def edges(
        self, calls: Iterable[Call], pods: Collection[PodKey], holders: Holders
    ) -> Iterator[tuple[str, str, ObjectKey, list[Call]]]:
        return (edge for edge in super().edges(calls, pods, holders) if edge[0] == "from")


@fault(
    "metrics-edges-reversed",
    "Metrics: the direction of edges is reversed",
    kills={"TM-047", "TM-048", "TM-049"},
    may_touch=METRICS,
)
class _Reversed(Semantics):
    def edges(
        self, calls: Iterable[Call], pods: Collection[PodKey], holders: Holders
    ) -> Iterator[tuple[str, str, ObjectKey, list[Call]]]:
        for direction, side, other, between in super().edges(calls, pods, holders):
            yield {"to": "from", "from": "to"}[direction], side, other, between


@fault(
    "metrics-edges-everywhere",
    "Metrics: there is an edge from every other object, whether it calls or not",
    kills={"TM-048"},
    may_touch=METRICS,
)
class _Everywhere(Semantics):
    def edges(
        self, calls: Iterable[Call], pods: Collection[PodKey], holders: Holders
    ) -> Iterator[tuple[str, str, ObjectKey, list[Call]]]:
        found = list(super().edges(calls, pods, holders))
        yield from found
        callers = {other for direction, _, other, _ in found if direction == "from"}
        for other in sorted({key for keys in holders.values() for key in keys} - callers):
            yield "from", "server", other, []


@fault(
    "metrics-clients-count-half",
    "Metrics: at the client's side every second call is counted",
    kills={"TM-049"},
    may_touch=METRICS,
)
class _ClientsCountHalf(Semantics):
    def edges(
        self, calls: Iterable[Call], pods: Collection[PodKey], holders: Holders
    ) -> Iterator[tuple[str, str, ObjectKey, list[Call]]]:
        for direction, side, other, between in super().edges(calls, pods, holders):
            yield direction, side, other, between[::2] if side == "client" else between


@fault(
    "metrics-ignore-selectors",
    "Metrics: lists have all objects, whatever label selector they were asked for with",
    kills={"TM-050"},
    may_touch=METRICS,
)
class _IgnoreSelectors(Semantics):
    def filters(self, selector: str) -> str:
        return ""


@fault(
    "metrics-selectors-choose-calls",
    "Metrics: with a label selector only calls between the selected objects are counted",
    kills={"TM-051"},
    may_touch=METRICS,
)
class _SelectorsChooseCalls(Semantics):
    def considered(self, calls: list[Call], chosen: Collection[PodKey]) -> list[Call]:
        return [call for call in calls if call.source in chosen and call.target in chosen]


@fault(
    "metrics-splits-count-direct-calls",
    "Metrics: a split's backends count calls that did not go to the apex, too",
    kills={"TM-058"},
    may_touch=METRICS,
)
class _DirectCalls(Semantics):
    def through_split(self, calls: Iterable[Call], root: ObjectKey, backend: ObjectKey) -> list[Call]:
        return [call for call in calls if call.side == "client" and call.backend == backend]


@fault(
    "metrics-splits-in-equal-parts",
    "Metrics: each backend of a split counts half of the requests to the apex",
    kills={"TM-060"},
    may_touch=METRICS,
)
class _EqualParts(Semantics):
    def through_split(self, calls: Iterable[Call], root: ObjectKey, backend: ObjectKey) -> list[Call]:
        return [call for call in calls if call.side == "client" and call.root == root][::2]


@fault(
    "metrics-splits-remember-weights",
    "Metrics: a backend keeps the weight that it was first seen with, and new backends have none",
    kills={"TM-061"},
    may_touch=METRICS,
)
class _RememberWeights(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, dict[str, int]] = {}

    def backend(self, split: Manifest, backend: Manifest) -> Json:
        now = {one["service"]: one.get("weight", 0) for one in split["spec"]["backends"]}
        first = self._seen.setdefault(split["metadata"].get("uid", ""), now)
        return {**super().backend(split, backend), "weight": first.get(backend["service"], 0)}
