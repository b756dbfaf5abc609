"""The metrics API of the mesh under judgement, asked through the API server, and the assertion about what it tells.

Numbers are those of a window that moves on, and scraped late in many meshes: `assert_told` polls until an answer is as
expected several times in a row, within the profile's budget and two and a half of the API's own windows.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_smi.assertions.message import report
from pytest_smi.cluster import bounded
from pytest_smi.cluster.transport import Ask
from pytest_smi.errors import HarnessError
from pytest_smi.spec.metrics import API_SERVICE, GROUP_VERSION, KIND, ROOT, metrics_path
from pytest_smi.spec.metrics_read import BadMetrics, Item, Listing, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_smi.workload.smi import Smi

T = TypeVar("T")

_API_SERVICE = f"/apis/apiregistration.k8s.io/v1/apiservices/{API_SERVICE}"
_LEAST_SECONDS = 3.0
_WINDOWS = 2.5
_LONGEST_WINDOW = 120.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_SHOWN = 300
_MOST = 12


class Answer(NamedTuple):
    """One answer as it came: HTTP status, headers by lower-case name, body; `cut` says why there is no more of it."""

    path: str
    code: int
    headers: Mapping[str, str]
    body: bytes
    cut: str = ""

    def json(self) -> Any:
        """The body as JSON. Raises BadMetrics."""
        if self.cut:
            raise BadMetrics(f"the answer to {self.path} was given up: {self.cut}")
        try:
            return json.loads(self.body.decode("utf-8"))
        except UnicodeDecodeError as wrong:
            raise BadMetrics(f"the answer to {self.path} is no UTF-8 at byte {wrong.start}") from None
        except (ValueError, RecursionError):
            raise BadMetrics(f"the answer to {self.path} is no JSON: {self.excerpt}") from None

    def found(self) -> Any:
        """The body as JSON, of an answer that tells success. Raises BadMetrics."""
        if not self.cut and self.code != 200:
            raise BadMetrics(f"{self.path} is answered with {self.code}: {self.excerpt}")
        return self.json()

    @property
    def excerpt(self) -> str:
        """The beginning of the body, for messages."""
        return self.body[:_SHOWN].decode("utf-8", "replace")

    def __str__(self) -> str:
        return f"{self.path}: {self.code} {self.cut or self.excerpt}"


class Metrics:
    """The metrics API as one user sees it: the run's own, or the one that the API server takes us for (`user`)."""

    def __init__(self, smi: Smi, user: str | None = None) -> None:
        self.smi = smi
        self.window = 0.0
        self._user = user

    def as_account(self, name: str, namespace: str | None = None) -> Metrics:
        """The API as a ServiceAccount sees it; the run's own user must be allowed to impersonate."""
        return Metrics(self.smi, f"system:serviceaccount:{namespace or self.smi.namespace}:{name}")

    def ask(self, path: str, method: str = "GET", body: Any = None, **query: str) -> Answer:
        """One request, answered in bounded size and time. Raises ClusterError when the API server does not answer."""
        from urllib.parse import urlencode

        api = self.smi.api
        whole = path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", **({"Impersonate-User": self._user} if self._user else {})}
        data = None if body is None else json.dumps(body)
        if data:
            headers["Content-Type"] = "application/json"
        seconds = max(_LEAST_SECONDS, self.smi.settle.seconds)
        came = bounded.read(api.transport, Ask(method, whole, data, headers, False), seconds=seconds)
        if came.cut:
            api.get("/version")  # is the API server itself still there?
        return Answer(whole, *came)

    def get(self, plural: str, name: str, namespace: str | None = None, **query: str) -> Item:
        """The metrics of one object; a namespace is the scene's first unless one is given. Raises BadMetrics."""
        return self._seen(Item(self.ask(self._path(plural, namespace, name), **query).found()))

    def listing(self, plural: str, namespace: str | None = None, *, labels: str = "", **query: str) -> Listing:
        """The metrics of all objects of a kind in a namespace (`""`: in all). Raises BadMetrics."""
        query = {**query, **({"labelSelector": labels} if labels else {})}
        return self._seen(Listing(self.ask(self._path(plural, namespace), **query).found()))

    def edges(self, plural: str, name: str, namespace: str | None = None, **query: str) -> Listing:
        """The edges of one object. Raises BadMetrics."""
        return self._seen(Listing(self.ask(self._path(plural, namespace, name, edges=True), **query).found()))

    def object(self, path: str) -> dict[str, Any]:
        """The JSON object at a path of the API. Raises BadMetrics."""
        found = self.ask(path).found()
        if not isinstance(found, dict):
            raise BadMetrics(f"{path} gives no JSON object: {str(found)[:_SHOWN]}")
        return found

    def resources(self) -> list[dict[str, Any]]:
        """The entries of discovery that are no sub-resources. Raises BadMetrics."""
        listed = self.object(ROOT).get("resources")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise BadMetrics(f"{ROOT} has no list of resources: {str(listed)[:_SHOWN]}")
        return [one for one in listed if "/" not in str(one.get("name"))]

    def _path(self, plural: str, namespace: str | None, name: str = "", *, edges: bool = False) -> str:
        scoped = plural not in ("namespaces", "nodes")
        space = (self.smi.namespace if namespace is None else namespace) if scoped else ""
        return metrics_path(plural, space, name, edges=edges)

    def _seen(self, told: T) -> T:
        """Note the window that an answer is about, if it tells one."""
        raw = getattr(told, "raw", {})
        items = raw.get("items") if isinstance(raw.get("items"), list) else [raw]
        first = items[0] if items and isinstance(items[0], dict) else {}
        try:
            self.window = duration(first.get("window"))
        except BadMetrics:
            return told  # whoever needs it will complain
        return told

    def registration(self) -> dict[str, Any]:
        """The APIService, or an empty object."""
        return self.smi.api.find(_API_SERVICE) or {}

    @property
    def patience(self) -> float:
        """Seconds within which a change of traffic must show. Raises HarnessError for a window too long to wait."""
        if self.window > _LONGEST_WINDOW:
            raise HarnessError(
                f"the metrics API has a window of {self.window:g} s, too long to wait for",
                f"set one of at most {_LONGEST_WINDOW:g} s in the mesh",
            )
        return self.smi.settle.seconds + _WINDOWS * self.window


def assert_told(
    metrics: Metrics,
    expected: str,
    look: Callable[[], T],
    holds: Callable[[T], bool],
    *,
    agree: int | None = None,
    cause: str = "see the requirement",
) -> T:
    """What the metrics API tells (`look`) is as expected (`holds`), `agree` times in a row; returns the last answer.

    An answer that cannot be read does not count. Says nothing about the numbers' accuracy: that is in `holds`.
    """
    __tracebackhide__ = True
    smi, began = metrics.smi, time.monotonic()
    streak, pause, wanted = 0, _FIRST_PAUSE, agree or smi.settle.agree
    answer: Any = None
    with smi.case.step("observe", expected) as step:
        while True:
            try:
                answer = told = look()
                good, observed = holds(told), show(told)
            except BadMetrics as wrong:
                good, observed = False, str(wrong)
            streak = streak + 1 if good else 0
            if streak >= wanted:
                step.details.update(observed=observed, seconds=round(time.monotonic() - began, 3))
                return told
            if time.monotonic() - began > metrics.patience:
                step.details.update(observed=observed, answer=_raw(answer))
                step.ok = False
                break
            time.sleep(pause)  # the interval of a poll with a deadline
            pause = min(_LONGEST_PAUSE, pause * 1.5)
    raise report(smi, expected, observed, cause)


def assert_answers(metrics: Metrics, path: str, *codes: int, method: str = "GET") -> None:
    """The API answers a request with one of these statuses, whatever else it tells."""
    __tracebackhide__ = True
    expected = f"{method} {path} is answered with {' or '.join(map(str, codes))}"
    body = None if method in ("GET", "DELETE") else {"apiVersion": GROUP_VERSION, "kind": KIND}
    assert_told(metrics, expected, lambda: metrics.ask(path, method, body), lambda answer: answer.code in codes)


def near(one: float, other: float, within: float = 0.2, least: float = 4) -> bool:
    """Whether two counts of the same traffic agree: within a part of the larger, or within `least` calls.

    Windows of two answers do not end at the same instant, and scraped counts lag behind.
    """
    return abs(one - other) <= max(least, within * max(one, other))


def show(told: Any) -> str:
    """An answer in a line."""
    if isinstance(told, Item):
        return _show_item(told)
    if isinstance(told, Listing):
        return f"{len(told.items)} items: {'; '.join(_show_item(item) for item in told.items[:_MOST])}"
    if isinstance(told, tuple) and not isinstance(told, Answer):
        return " | ".join(show(one) for one in told)
    if isinstance(told, list):
        return f"[{'; '.join(show(one) for one in told[:_MOST])}]"
    if isinstance(told, dict):
        return ", ".join(f"{name}: {show(one)}" for name, one in told.items())
    return str(told)


def _show_item(item: Item) -> str:
    try:
        edge, share = item.edge, item.backend
        arrow = {"to": "->", "from": "<-"}[edge.direction]
        told = f"{item.resource} {arrow} {edge.resource}" + (f" [{edge.side}]" if edge.side else "")
        if share:
            told += f" {share.name} of {share.apex}, weight {share.weight}"
        slow = "/".join(f"{seconds * 1000:.1f}" for seconds in item.latencies)
        return f"{told} {item.success} good {item.failure} bad, p50/p90/p99 {slow} ms"
    except BadMetrics as wrong:
        return str(wrong)


def _raw(told: Any) -> Any:
    """What came, as evidence."""
    if isinstance(told, (Item, Listing)):
        return told.raw
    if isinstance(told, (list, tuple)) and not isinstance(told, Answer):
        return [_raw(one) for one in told]
    if isinstance(told, dict):
        return {name: _raw(one) for name, one in told.items()}
    return str(told)
