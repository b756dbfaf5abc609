"""Faults about how metrics are written: fields, units, references."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.fault import METRICS, fault
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.spec.metrics import FAILURE, SUCCESS

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.metrics_semantics import Json, Moment, Numbers, Subject
    from pytest_smi.embedded.mesh.snapshot import Manifest


def _changed(metrics: list[Json], name: str, **fields: Any) -> list[Json]:
    """The metrics with fields of one of them set."""
    return [{**one, **fields} if one["name"] == name else one for one in metrics]


@fault(
    "metrics-without-window",
    "Metrics: items have no window",
    kills={"TM-020"},
    may_touch=METRICS,
)
class _WithoutWindow(Semantics):
    def item(self, subject: Subject, numbers: Numbers, moment: Moment) -> Json:
        found = super().item(subject, numbers, moment)
        del found["window"]
        return found


@fault(
    "metrics-lower-case-kinds",
    "Metrics: references say pod for Pod",
    kills={"TM-021"},
    may_touch=METRICS,
)
class _LowerCase(Semantics):
    def item(self, subject: Subject, numbers: Numbers, moment: Moment) -> Json:
        found = super().item(subject, numbers, moment)
        return {**found, "resource": {**found["resource"], "kind": found["resource"]["kind"].lower()}}


@fault(
    "metrics-success-twice",
    "Metrics: success_count is there twice",
    kills={"TM-022"},
    may_touch=METRICS,
)
class _SuccessTwice(Semantics):
    def metrics(self, numbers: Numbers) -> list[Json]:
        found = super().metrics(numbers)
        return [*found, *(one for one in found if one["name"] == SUCCESS)]


@fault(
    "metrics-without-p90",
    "Metrics: p90_response_latency is missing",
    kills={"TM-022"},
    may_touch=METRICS,
)
class _WithoutP90(Semantics):
    def metrics(self, numbers: Numbers) -> list[Json]:
        return [one for one in super().metrics(numbers) if one["name"] != "p90_response_latency"]


@fault(
    "metrics-without-units",
    "Metrics: latencies have no unit",
    kills={"TM-023"},
    may_touch=METRICS,
)
class _WithoutUnits(Semantics):
    def latency(self, seconds: float) -> Json:
        return {"value": super().latency(seconds)["value"]}


@fault(
    "metrics-percentages",
    "Metrics: counts are percentages, as their unit says",
    kills={"TM-023"},
    may_touch=METRICS,
)
class _Percentages(Semantics):
    def metrics(self, numbers: Numbers) -> list[Json]:
        total = max(1, numbers.success + numbers.failure)
        found = _changed(super().metrics(numbers), SUCCESS, unit="percent", value=str(numbers.success * 100 // total))
        return _changed(found, FAILURE, unit="percent", value=str(numbers.failure * 100 // total))


@fault(
    "metrics-milliseconds-as-seconds",
    "Metrics: latencies are numbers of milliseconds whose unit says seconds",
    kills={"TM-024", "TM-045"},
    may_touch=METRICS,
)
class _MillisecondsAsSeconds(Semantics):
    def latency(self, seconds: float) -> Json:
        return super().latency(seconds * 1000)


@fault(
    "metrics-go-durations",
    "Metrics: latencies are written as durations, such as 12ms",
    kills={"TM-024"},
    may_touch=METRICS,
)
class _GoDurations(Semantics):
    def latency(self, seconds: float) -> Json:
        return {"unit": "seconds", "value": f"{seconds * 1000:.3f}ms"}


@fault(
    "metrics-negative-failures",
    "Metrics: failure_count is always -1",
    kills={"TM-025"},
    may_touch=METRICS,
)
class _Negative(Semantics):
    def metrics(self, numbers: Numbers) -> list[Json]:
        return _changed(super().metrics(numbers), FAILURE, value="-1")


@fault(
    "metrics-fractional-counts",
    "Metrics: counts are extrapolated, and not rounded",
    kills={"TM-025"},
    may_touch=METRICS,
)
class _Fractional(Semantics):
    def metrics(self, numbers: Numbers) -> list[Json]:
        return _changed(super().metrics(numbers), SUCCESS, value=f"{numbers.success * 1000 + 333}m")


@fault(
    "metrics-unix-timestamps",
    "Metrics: timestamps are seconds since 1970",
    kills={"TM-026"},
    may_touch=METRICS,
)
class _Unix(Semantics):
    def timestamp(self, moment: Moment) -> str:
        return str(int(moment.end))


@fault(
    "metrics-an-hour-old",
    "Metrics: timestamps are of an hour ago",
    kills={"TM-026", "TM-054"},
    may_touch=METRICS,
)
class _HourOld(Semantics):
    def timestamp(self, moment: Moment) -> str:
        then = datetime.fromtimestamp(moment.end, UTC) - timedelta(hours=1)
        return then.strftime("%Y-%m-%dT%H:%M:%SZ")


@fault(
    "metrics-window-soon",
    "Metrics: the window is `soon`",
    kills={"TM-027"},
    may_touch=METRICS,
)
class _Soon(Semantics):
    def duration(self, seconds: float) -> str:
        return "soon"


@fault(
    "metrics-window-in-milliseconds",
    "Metrics: the window is a number of seconds whose unit says milliseconds",
    kills={"TM-040"},
    may_touch=METRICS,
)
class _WindowUnit(Semantics):
    def duration(self, seconds: float) -> str:
        return f"{seconds:g}ms"


@fault(
    "metrics-inbound",
    "Metrics: directions are inbound and outbound",
    kills={"TM-028"},
    may_touch=METRICS,
)
class _Inbound(Semantics):
    def edge(self, subject: Subject) -> Json:
        return {**super().edge(subject), "direction": {"from": "inbound", "to": "outbound"}[subject.direction]}


@fault(
    "metrics-side-proxy",
    "Metrics: the side is `proxy`",
    kills={"TM-029"},
    may_touch=METRICS,
)
class _SideProxy(Semantics):
    def edge(self, subject: Subject) -> Json:
        return {**super().edge(subject), "side": "proxy"}


@fault(
    "metrics-side-on-edges-only",
    "Metrics: the side is missing where the traffic is not that of a particular edge",
    kills={"TM-029"},
    may_touch=METRICS,
)
class _SideOnEdges(Semantics):
    def edge(self, subject: Subject) -> Json:
        found = super().edge(subject)
        return found if subject.other else {key: value for key, value in found.items() if key != "side"}


@fault(
    "metrics-plain-items-to",
    "Metrics: an object's own item has direction to",
    kills={"TM-030"},
    may_touch=METRICS,
)
class _PlainTo(Semantics):
    def edge(self, subject: Subject) -> Json:
        found = super().edge(subject)
        return found if subject.other or subject.backend else {**found, "direction": "to"}


@fault(
    "metrics-lists-have-names",
    "Metrics: the resource of a list has a name",
    kills={"TM-032"},
    may_touch=METRICS,
)
class _ListsHaveNames(Semantics):
    def listing(self, resource: Json, selector: str, items: list[Json]) -> Json:
        return super().listing({"name": resource["kind"].lower(), **resource}, selector, items)


@fault(
    "metrics-edges-of-nobody",
    "Metrics: a list of edges does not say whose they are",
    kills={"TM-033"},
    may_touch=METRICS,
)
class _EdgesOfNobody(Semantics):
    def listing(self, resource: Json, selector: str, items: list[Json]) -> Json:
        return super().listing({key: value for key, value in resource.items() if key != "name"}, selector, items)


@fault(
    "metrics-selectors-untold",
    "Metrics: a filtered list does not tell its selector",
    kills={"TM-034"},
    may_touch=METRICS,
)
class _SelectorsUntold(Semantics):
    def listing(self, resource: Json, selector: str, items: list[Json]) -> Json:
        return super().listing(resource, "", items)


@fault(
    "metrics-items-without-kind",
    "Metrics: items of lists have neither kind nor apiVersion",
    kills={"TM-035"},
    may_touch=METRICS,
)
class _ItemsWithoutKind(Semantics):
    def listing(self, resource: Json, selector: str, items: list[Json]) -> Json:
        bare = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
        return super().listing(resource, selector, bare)


@fault(
    "metrics-splits-without-backends",
    "Metrics: items of splits do not say which backend they are about",
    kills={"TM-057"},
    may_touch=METRICS,
)
class _WithoutBackends(Semantics):
    def item(self, subject: Subject, numbers: Numbers, moment: Moment) -> Json:
        found = super().item(subject, numbers, moment)
        found.pop("backend", None)
        return found


@fault(
    "metrics-splits-in-percent",
    "Metrics: the weight of a backend is its percentage",
    kills={"TM-057"},
    may_touch=METRICS,
)
class _InPercent(Semantics):
    def backend(self, split: Manifest, backend: Manifest) -> Json:
        total = sum(one.get("weight", 0) for one in split["spec"]["backends"])
        return {**super().backend(split, backend), "weight": backend.get("weight", 0) * 100 // max(1, total)}


@fault(
    "metrics-splits-seen-by-servers",
    "Metrics: items of splits are seen at the server's side",
    kills={"TM-059"},
    may_touch=METRICS,
)
class _SeenByServers(Semantics):
    def edge(self, subject: Subject) -> Json:
        found = super().edge(subject)
        return {**found, "side": "server"} if subject.backend else found
