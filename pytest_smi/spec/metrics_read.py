"""Answers of a metrics API, taken apart strictly but only as far as one looks.

`Item` and `Listing` hold the JSON as it came; each property checks what it returns and raises `BadMetrics` with the
place and the reason. So a test about counts does not fail over a latency without a unit, and the test about units does.
Both documented shapes are read: with `edge.side`, and the older one without it (which writes `null` for "all traffic").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from pytest_smi.spec.metrics import DIRECTIONS, FAILURE, GROUP_VERSION, KIND, LIST_KIND, METRIC_NAMES, SIDES, SUCCESS
from pytest_smi.spec.quantities import quantity

_SHOWN = 60
_YEAR = 366 * 86400
_DURATION = re.compile(r"(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")
_FIELDS: dict[str, tuple[type, str]] = {
    "resource": (dict, "object"),
    "edge": (dict, "object"),
    "timestamp": (str, "text"),
    "window": (str, "text"),
    "metrics": (list, "list"),
}
UNITS = {"seconds": 1.0, "s": 1.0, "milliseconds": 1e-3, "ms": 1e-3}
"""Unit of a latency -> seconds: the document's `seconds`, and the `ms` that implementations write."""


class BadMetrics(ValueError):
    """An answer is not as documented; the text is one line: where, what, and what it should be."""


@dataclass(frozen=True)
class Reference:
    """An ObjectReference; empty strings for what it leaves out."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    api_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part) or "everything"


@dataclass(frozen=True)
class Edge:
    """The traffic that an item is about, seen from its resource. `side` is empty in the older shape."""

    direction: str
    side: str
    resource: Reference


@dataclass(frozen=True)
class Share:
    """The backend of a TrafficSplit that an item is about."""

    apex: str
    name: str
    weight: int


def duration(text: Any, where: str = "duration") -> float:
    """Seconds of a duration as Go writes it: `30s`, `1m30s`, `500ms`. Raises BadMetrics."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise BadMetrics(f"{where}: {_show(text)} is no duration such as 30s")
    return _bounded(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)), where)


class Item:
    """One TrafficMetrics. `where` names it in messages."""

    def __init__(self, raw: Any, where: str = "answer") -> None:
        self.raw = _table(raw, where)
        self.where = where

    def check_kind(self) -> None:
        """`kind` and `apiVersion` are those of a TrafficMetrics (TM-035). Raises BadMetrics."""
        _check_kind(self.raw, KIND, self.where)

    def check_fields(self) -> None:
        """The five fields are there, each of the JSON type that it should have (TM-020). Raises BadMetrics."""
        for name, (kind, title) in _FIELDS.items():
            if not isinstance(self.raw.get(name), kind):
                raise BadMetrics(f"{self.where}.{name}: {_show(self.raw.get(name))} is no {title}")

    @property
    def resource(self) -> Reference:
        """The object measured; kind and name are never empty (TM-021)."""
        found = _reference(self.raw.get("resource"), f"{self.where}.resource")
        if not found.kind or not found.name:
            raise BadMetrics(f"{self.where}.resource: {_show(self.raw['resource'])} lacks a kind or a name")
        return found

    @property
    def edge(self) -> Edge:
        """Direction and the other end (TM-028, TM-030); the side as it stands, see `side`."""
        where = f"{self.where}.edge"
        edge = _table(self.raw.get("edge"), where)
        direction = edge.get("direction")
        if direction not in DIRECTIONS:
            raise BadMetrics(f"{where}.direction: {_show(direction)} is none of to, from")
        other = edge.get("resource")
        resource = Reference() if other is None else _reference(other, f"{where}.resource")
        return Edge(direction, str(edge.get("side") or ""), resource)

    @property
    def side(self) -> str:
        """Where the traffic was observed; empty in the older shape, which has no such field (TM-029)."""
        edge = _table(self.raw.get("edge"), f"{self.where}.edge")
        if "side" not in edge:
            return ""
        if edge["side"] not in SIDES:
            raise BadMetrics(f"{self.where}.edge.side: {_show(edge['side'])} is none of client, server")
        return str(edge["side"])

    @property
    def backend(self) -> Share | None:
        """The backend of a TrafficSplit; None on other items (TM-057)."""
        where = f"{self.where}.backend"
        if self.raw.get("backend") is None:
            return None
        found = _table(self.raw["backend"], where)
        apex, name, weight = (found.get(key) for key in ("apex", "name", "weight"))
        if not isinstance(apex, str) or not isinstance(name, str) or not apex or not name:
            raise BadMetrics(f"{where}: {_show(found)} lacks an apex or a name")
        if not isinstance(weight, int) or isinstance(weight, bool):
            raise BadMetrics(f"{where}.weight: {_show(weight)} is no whole number")
        return Share(apex, name, weight)

    @property
    def timestamp(self) -> datetime:
        """When the window ended (TM-026)."""
        text = self.raw.get("timestamp")
        try:
            if not isinstance(text, str) or not _RFC3339.fullmatch(text):
                raise ValueError
            return datetime.fromisoformat(text.upper())
        except ValueError:
            raise BadMetrics(f"{self.where}.timestamp: {_show(text)} is no RFC 3339 time") from None

    @property
    def window(self) -> float:
        """Length of the window in seconds, above 0 (TM-027)."""
        seconds = duration(self.raw.get("window"), f"{self.where}.window")
        if seconds <= 0:
            raise BadMetrics(f"{self.where}.window: {_show(self.raw['window'])} is not above 0")
        return seconds

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """The metrics by name: each of the five once, and no other (TM-022)."""
        found = self._listed()
        for name in METRIC_NAMES:
            if name not in found:
                raise BadMetrics(f"{self.where}.metrics: {name} is missing")
        return found

    def _listed(self) -> dict[str, dict[str, Any]]:
        where = f"{self.where}.metrics"
        listed = self.raw.get("metrics")
        if not isinstance(listed, list):
            raise BadMetrics(f"{where}: {_show(listed)} is no list")
        found: dict[str, dict[str, Any]] = {}
        for number, one in enumerate(listed):
            metric = _table(one, f"{where}[{number}]")
            name = metric.get("name")
            if name not in METRIC_NAMES:
                raise BadMetrics(f"{where}[{number}].name: {_show(name)} is no metric of the document")
            if name in found:
                raise BadMetrics(f"{where}: {name} is there twice")
            found[name] = metric
        return found

    def _metric(self, name: str) -> dict[str, Any]:
        found = self._listed().get(name)
        if found is None:
            raise BadMetrics(f"{self.where}.metrics: {name} is missing")
        return found

    def unit(self, name: str) -> str:
        """The unit of a metric, empty for none (TM-023)."""
        found = self._metric(name).get("unit")
        if found is not None and not isinstance(found, str):
            raise BadMetrics(f"{self.where}.metrics: the unit of {name} is {_show(found)}")
        return found or ""

    def value(self, name: str) -> Fraction:
        """The value of a metric, without its unit (TM-024)."""
        text = self._metric(name).get("value")
        try:
            if isinstance(text, bool) or not isinstance(text, (str, int, float)):
                raise ValueError
            return quantity(str(text))
        except ValueError:
            raise BadMetrics(
                f"{self.where}.metrics: {name} has the value {_show(text)}, which is no quantity"
            ) from None

    def latency(self, name: str) -> float:
        """A latency in seconds, not below 0: value times unit (TM-023, TM-024)."""
        unit, value = self.unit(name), self.value(name)
        if unit not in UNITS:
            raise BadMetrics(f"{self.where}.metrics: {name} has the unit {_show(unit)}, not seconds or ms")
        if value < 0:
            raise BadMetrics(f"{self.where}.metrics: {name} is below 0: {_show(self._metric(name)['value'])}")
        return _bounded(value * Fraction(UNITS[unit]), f"{self.where}.metrics: {name}")

    def count(self, name: str) -> int:
        """A count: whole, not below 0, without a unit (TM-023, TM-025)."""
        value = self.value(name)
        if value < 0 or value.denominator != 1:
            shown = _show(self._metric(name)["value"])
            raise BadMetrics(f"{self.where}.metrics: {name} is {shown}, not a whole number from 0")
        return int(value)

    @property
    def success(self) -> int:
        """`success_count`."""
        return self.count(SUCCESS)

    @property
    def failure(self) -> int:
        """`failure_count`."""
        return self.count(FAILURE)

    @property
    def total(self) -> int:
        """Successes and failures together."""
        return self.success + self.failure

    @property
    def latencies(self) -> tuple[float, float, float]:
        """p50, p90 and p99 in seconds."""
        p50, p90, p99 = (self.latency(f"p{share}_response_latency") for share in (50, 90, 99))
        return p50, p90, p99


class Listing:
    """A TrafficMetricsList: what it is a list of, and its items."""

    def __init__(self, raw: Any, where: str = "answer") -> None:
        self.raw = _table(raw, where)
        self.where = where
        if self.raw.get("kind") != LIST_KIND:
            raise BadMetrics(f"{where}: kind {_show(self.raw.get('kind'))} is not {LIST_KIND}")

    def check_kind(self) -> None:
        """`kind` and `apiVersion` are those of a TrafficMetricsList (TM-035). Raises BadMetrics."""
        _check_kind(self.raw, LIST_KIND, self.where)

    @property
    def resource(self) -> Reference:
        """What is listed: kind and namespace (TM-032), with a name where it lists one object's edges (TM-033)."""
        return _reference(self.raw.get("resource"), f"{self.where}.resource")

    @property
    def match_labels(self) -> dict[str, Any]:
        """The label selector that the list says it was filtered by (TM-034); empty for none."""
        selector = _table(self.raw.get("selector") or {}, f"{self.where}.selector")
        return _table(selector.get("matchLabels") or {}, f"{self.where}.selector.matchLabels")

    @property
    def items(self) -> list[Item]:
        """The items; the same resource, edge and backend are there only once."""
        listed = self.raw.get("items")
        if listed is None:
            return []  # what an empty slice is in Go's JSON
        if not isinstance(listed, list):
            raise BadMetrics(f"{self.where}.items: {_show(listed)} is no list")
        items = [Item(raw, f"{self.where}.items[{number}]") for number, raw in enumerate(listed)]
        seen: dict[tuple[str, ...], str] = {}
        for item in items:
            key = tuple(repr(item.raw.get(part)) for part in ("resource", "edge", "backend"))
            if key in seen:
                raise BadMetrics(f"{item.where} is about the same resource and edge as {seen[key]}")
            seen[key] = item.where
        return items

    def of(self, name: str, namespace: str | None = None) -> list[Item]:
        """The items whose resource has this name (and namespace, if one is given)."""
        found = [(item, item.resource) for item in self.items]
        return [item for item, ref in found if ref.name == name and namespace in (None, ref.namespace)]


def _table(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadMetrics(f"{where}: {_show(raw)} is no object")
    return raw


def _reference(raw: Any, where: str) -> Reference:
    table = _table(raw, where)
    fields = {"kind": "kind", "name": "name", "namespace": "namespace", "apiVersion": "api_version"}
    found = {ours: table.get(theirs) or "" for theirs, ours in fields.items()}
    for name, value in found.items():
        if not isinstance(value, str):
            raise BadMetrics(f"{where}.{name}: {_show(value)} is no text")
    return Reference(**found)


def _check_kind(raw: dict[str, Any], kind: str, where: str) -> None:
    found = (raw.get("apiVersion"), raw.get("kind"))
    if found != (GROUP_VERSION, kind):
        raise BadMetrics(f"{where}: apiVersion and kind are {_show(found)}, not {GROUP_VERSION} {kind}")


def _bounded(seconds: float | Fraction, where: str) -> float:
    """A time that can be reckoned with."""
    if seconds > _YEAR:
        raise BadMetrics(f"{where} is longer than a year")
    return float(seconds)


def _show(value: Any) -> str:
    """A value for a message, never long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
