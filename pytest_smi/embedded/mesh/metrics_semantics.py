"""What the metrics API says of traffic: each decision of the metrics document ("MET") is one small method.

Faults override them one by one, as with `semantics_access`. What is not said by the document is marked as open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import labels
from pytest_smi.spec.metrics import FAILURE, GROUP_VERSION, KIND, LIST_KIND, MEASURED, PERCENTILES, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_smi.embedded.kubeapi.http import AnyResponse, Request, Response
    from pytest_smi.embedded.mesh.metrics_log import Passage
    from pytest_smi.embedded.mesh.metrics_world import Call, Holders, ObjectKey
    from pytest_smi.embedded.mesh.model import PodKey
    from pytest_smi.embedded.mesh.snapshot import Manifest
    from pytest_smi.spec.metrics import Measured

Json = dict[str, Any]

_OLDER_KINDS = ("namespaces", "pods", "daemonsets", "deployments", "statefulsets")


@dataclass(frozen=True)
class Moment:
    """The window that an answer is about: so many seconds before `end` (seconds since the epoch)."""

    end: float
    window: float


@dataclass(frozen=True)
class Numbers:
    """What is counted of some calls. Latencies are seconds by metric name."""

    success: int
    failure: int
    latencies: Mapping[str, float]


@dataclass(frozen=True)
class Subject:
    """What an item is about: an object, the direction, where it was seen, and the other end (None: everything)."""

    resource: Json
    direction: str
    side: str
    other: Json | None
    backend: Json | None = None


class MetricsSemantics:
    """The reference: metrics from what the sidecars saw."""

    older_metrics = False
    """Speak the older shape of v1alpha1: no `side`, `null` for everything, milliseconds."""
    metrics_window = 1.0
    """Seconds; the document shows 30, which would only make everybody wait."""

    # What is counted

    def is_measured(self, passage: Passage) -> bool:
        """MET §Specification: HTTP traffic (TM-053)."""
        return passage.http

    def succeeded(self, passage: Passage) -> bool:
        """Open (TM-042, TM-055): a failure is what HTTP calls an error (4xx, 5xx; so is a denial), or no answer."""
        return 0 < passage.status < 400

    def span(self, moment: Moment) -> tuple[float, float]:
        """The times between which a call must have ended to count: instantaneous metrics (TM-052, TM-054)."""
        return moment.end - moment.window, moment.end

    def numbers(self, calls: Sequence[Call]) -> Numbers:
        """MET §TrafficMetrics: counts, not rates (TM-043), and latencies of all calls."""
        good = sum(call.success for call in calls)
        ordered = sorted(call.seconds for call in calls)
        return Numbers(good, len(calls) - good, {name: self.rank(ordered, at) for name, at in PERCENTILES.items()})

    def rank(self, ordered: Sequence[float], share: float) -> float:
        """The nearest-rank percentile of what was measured (TM-045); open (TM-056): 0 without traffic."""
        return ordered[math.ceil(len(ordered) * share) - 1] if ordered else 0.0

    # Whose traffic

    def held(self, holders: Holders, key: ObjectKey) -> set[PodKey]:
        """The pods within an object, which it is the aggregate of (TM-046)."""
        return {pod for pod, keys in holders.items() if key in keys}

    def received(self, calls: Iterable[Call], pods: Collection[PodKey]) -> list[Call]:
        """MET §Edge: all the traffic received by a resource, as its own sidecars saw it (TM-030)."""
        return [call for call in calls if call.side == "server" and call.target in pods]

    def edges(
        self, calls: Iterable[Call], pods: Collection[PodKey], holders: Holders
    ) -> Iterator[tuple[str, str, ObjectKey, list[Call]]]:
        """Direction, side, the other object and the calls of each edge (TM-047 to TM-049).

        MET §Edge: `to` is seen at the client's side, `from` at the server's; only between objects that exchanged
        traffic, and between objects of one kind.
        """
        found: defaultdict[tuple[str, str, ObjectKey], list[Call]] = defaultdict(list)
        for call in calls:
            sent = call.side == "client"
            near, far = (call.source, call.target) if sent else (call.target, call.source)
            if near in pods and far is not None:
                for other in holders.get(far, ()):
                    found["to" if sent else "from", call.side, other].append(call)
        for (direction, side, other), between in sorted(found.items()):
            yield direction, side, other, between

    def through_split(self, calls: Iterable[Call], root: ObjectKey, backend: ObjectKey) -> list[Call]:
        """MET §Traffic Splits: requests sent to the apex that a backend got, as clients saw them (TM-058, TM-060)."""
        return [call for call in calls if call.side == "client" and (call.root, call.backend) == (root, backend)]

    # How it is written

    def item(self, subject: Subject, numbers: Numbers, moment: Moment) -> Json:
        """One TrafficMetrics (TM-020 to TM-030)."""
        reference = subject.resource
        found: Json = {
            "kind": KIND,
            "apiVersion": GROUP_VERSION,
            "metadata": {key: reference[key] for key in ("name", "namespace") if key in reference},
            "resource": reference,
            "edge": self.edge(subject),
            "timestamp": self.timestamp(moment),
            "window": self.duration(moment.window),
            "metrics": self.metrics(numbers),
        }
        return found if subject.backend is None else {**found, "backend": subject.backend}

    def edge(self, subject: Subject) -> Json:
        """MET §Edge; the older shape has no side and writes `null` for everything."""
        if self.older_metrics:
            return {"direction": subject.direction, "resource": subject.other}
        return {"direction": subject.direction, "side": subject.side, "resource": subject.other or {}}

    def metrics(self, numbers: Numbers) -> list[Json]:
        """The five metrics, latencies with a unit and counts without (TM-022 to TM-025)."""
        latencies = [{"name": name, **self.latency(numbers.latencies[name])} for name in PERCENTILES]
        counts = {SUCCESS: numbers.success, FAILURE: numbers.failure}
        return [*latencies, *({"name": name, "value": str(count)} for name, count in counts.items())]

    def latency(self, seconds: float) -> Json:
        """Unit and value: a quantity of seconds, as the document has it, or of milliseconds."""
        micros = round(seconds * 1e6)
        if self.older_metrics:
            return {"unit": "ms", "value": f"{micros}m" if micros else "0"}
        whole, rest = divmod(micros, 1000)
        return {"unit": "seconds", "value": (f"{micros}u" if rest else f"{whole}m") if micros else "0"}

    def timestamp(self, moment: Moment) -> str:
        """RFC 3339, to the second as Kubernetes writes times."""
        return datetime.fromtimestamp(moment.end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def duration(self, seconds: float) -> str:
        """As Go writes durations."""
        return f"{seconds:g}s"

    def listing(self, resource: Json, selector: str, items: list[Json]) -> Json:
        """A TrafficMetricsList; what it was filtered by is told (TM-032 to TM-035)."""
        chosen = {"selector": self.selector(selector)} if selector else {}
        return {
            "kind": LIST_KIND,
            "apiVersion": GROUP_VERSION,
            "metadata": {},
            "resource": resource,
            **chosen,
            "items": items,
        }

    def selector(self, text: str) -> Json:
        """A label selector of a query as an object."""
        return labels.selector(labels.parse(text))

    def scope(self, namespace: str) -> str:
        """The namespace whose objects a list about a namespace has (TM-006, TM-021); empty for all."""
        return namespace

    def filters(self, selector: str) -> str:
        """MET §TrafficMetricsList: the label selector by which objects are listed (TM-050)."""
        return selector

    def considered(self, calls: list[Call], chosen: Collection[PodKey]) -> list[Call]:
        """MET §Out of scope: a label selector has chosen objects with these pods; all calls count still (TM-051)."""
        return calls

    def backend(self, split: Manifest, backend: Manifest) -> Json:
        """MET §Traffic Splits: apex, name and weight as the split has them now (TM-057, TM-061)."""
        return {"apex": split["spec"]["service"], "name": backend["service"], "weight": backend.get("weight", 0)}

    # What the API offers

    def discovery(self) -> Json:
        """The APIResourceList (TM-002)."""
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": GROUP_VERSION,
            "resources": [self.offered(one) for one in self.offers()],
        }

    def offers(self) -> Iterable[Measured]:
        """MET §Kubernetes API: the full list (TM-005); implementations of the older shape have five of them."""
        return [one for name, one in MEASURED.items() if name in _OLDER_KINDS or not self.older_metrics]

    def offered(self, measured: Measured) -> Json:
        """One entry of discovery (TM-003, TM-004)."""
        return {
            "name": measured.plural,
            "singularName": measured.kind.lower(),
            "namespaced": measured.namespaced,
            "kind": KIND,
            "verbs": ["get", "list"],
        }

    # Who is let in, and what leaves

    def trusts(self, common_name: str | None, allowed: Collection[str]) -> bool:
        """Only the API server may ask, by its front-proxy certificate (TM-016)."""
        return common_name is not None and (not allowed or common_name in allowed)

    def sent(self, request: Request, response: Response) -> AnyResponse:
        """What goes over the wire; refusals are Status objects (TM-014)."""
        return response

    def registered(self, manifests: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
        """What makes the API known: path and manifest of each object (TM-001)."""
        return manifests
