"""What goes out to an agent and what comes back: plans of requests, observations, histograms. Plain data, no I/O.

The JSON on the wire is that of `sample_app.py` (`POST /run`); a test keeps both sides in step.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.traffic.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

Protocol = Literal["http1", "h2c", "grpc", "tcp", "half-close", "banner", "udp", "raw"]

_NOT_OF_THE_PEER = ("unsupported:", "local:")


@dataclass(frozen=True)
class Request:
    """One request as a client is to send it. Method, path and headers go out verbatim: nothing is normalised.

    `host` is a name or an address and becomes the host header unless `headers` name one. `body` is sent with HTTP
    and echoed by the TCP servers. `raw` are the bytes of protocol raw, in which `{id}` becomes the request's id.
    """

    host: str
    port: int
    protocol: str = "http1"
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    raw: bytes = b""

    def as_json(self) -> dict[str, Any]:
        """The request's part of a plan."""
        data: dict[str, Any] = {"host": self.host, "port": self.port, "protocol": self.protocol}
        if self.protocol == "raw":
            return data | {"raw": b64encode(self.raw).decode("ascii")}
        data |= {"method": self.method, "path": self.path, "headers": [list(pair) for pair in self.headers]}
        return data | ({"body": self.body} if self.body else {})


@dataclass(frozen=True)
class Plan:
    """How often, how fast and over which connections an agent sends one request.

    Give `ids` (one request each) or `count`; counted requests get ids `<id_prefix>-0`, `<id_prefix>-1` and so on.
    `connection` new: one connection for each request; kept: `concurrency` connections carry them all, and a request
    that was sent is never repeated: a connection lost under it is an observation. `rate` is requests per second over
    all connections (None: as fast as they are answered), `timeout` seconds for each request with its connection set-up.
    """

    request: Request
    ids: tuple[str, ...] = ()
    count: int | None = None
    id_prefix: str = field(default_factory=new_id)
    concurrency: int = 1
    connection: Literal["new", "kept"] = "new"
    rate: float | None = None
    timeout: float = 2.0
    detail: Literal["each", "histogram"] = "each"

    @property
    def requests(self) -> int:
        """How many requests the plan sends."""
        return len(self.ids) or self.count or 1

    @property
    def longest(self) -> float:
        """Seconds that the whole plan can take at most, when every request runs into its timeout."""
        rounds = -(-self.requests // max(1, self.concurrency))
        return rounds * self.timeout + (self.requests / self.rate if self.rate else 0.0)

    def as_json(self) -> dict[str, Any]:
        """The body of `POST /run`."""
        which = {"ids": list(self.ids)} if self.ids else {"count": self.requests, "id_prefix": self.id_prefix}
        how = {
            "concurrency": self.concurrency,
            "connection": self.connection,
            "timeout_s": self.timeout,
            "detail": self.detail,
        }
        return {**self.request.as_json(), **which, **how, **({} if self.rate is None else {"rate": self.rate})}


@dataclass(frozen=True)
class Observation:
    """What a client saw of one request.

    `pod` names the pod whose own, signed answer to this very request came back: an answer of a proxy leaves it None,
    whatever its status. `error` says how the request ended otherwise: refused, reset, closed (the end of the stream
    without a complete answer), timeout, resolve, malformed, tls, unreachable. `body` holds the first 2 kB of the
    answer (of protocol raw as latin-1: byte for byte), `local` and `remote` are `ip:port` of the connection as the
    client sees it.
    """

    id: str
    status: int | None
    pod: str | None
    error: str | None
    headers: tuple[tuple[str, str], ...]
    body: str
    seconds: float
    local: str
    remote: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Observation:
        """Take an observation from an agent's answer; raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            id=data["id"],
            status=data["status"],
            pod=data["pod"],
            error=data["error"],
            headers=tuple((str(name), str(value)) for name, value in data["headers"]),
            body=data["body"],
            seconds=float(data["seconds"]),
            local=data["local"],
            remote=data["remote"],
        )

    @property
    def served_by(self) -> str | None:
        """The pod that answered, None when no answer of the sample application came back."""
        return self.pod

    @property
    def shape(self) -> str:
        """One word for what the client saw: `200`, `403`, `grpc-7`, `answered` (no HTTP), or the error."""
        if self.error:
            return self.error.partition(":")[0]
        if self.status is None:
            return "answered"
        grpc = self.header("grpc-status")
        return f"grpc-{grpc}" if grpc not in (None, "0") else str(self.status)

    @property
    def harness_fault(self) -> str | None:
        """Why this observation says nothing of the mesh: the client could not even send. None when it does."""
        return self.error if self.error and self.error.startswith(_NOT_OF_THE_PEER) else None

    def header(self, name: str) -> str | None:
        """The first value of a response header, in any case of letters."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True)
class Histogram:
    """What a client saw of many requests, counted.

    `pods` counts the signed answers by pod, `status` the HTTP answers by status, `errors` the requests that ended
    otherwise; `seconds` has p50, p90, p99 and max; `elapsed` is in seconds. `samples` are the first observations.
    """

    requests: int
    pods: dict[str, int]
    status: dict[str, int]
    errors: dict[str, int]
    seconds: dict[str, float]
    elapsed: float
    samples: tuple[Observation, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Histogram:
        """Take the answer to a histogram plan; raises KeyError, TypeError or ValueError for anything else."""
        counted = data["histogram"]
        return cls(
            requests=int(counted["requests"]),
            pods=dict(counted["pods"]),
            status=dict(counted["status"]),
            errors=dict(counted["errors"]),
            seconds=dict(counted["seconds"]),
            elapsed=float(counted["elapsed"]),
            samples=tuple(Observation.from_json(each) for each in data["samples"]),
        )

    @property
    def served_by(self) -> dict[str, int]:
        """Signed answers by pod."""
        return self.pods

    @property
    def unserved(self) -> int:
        """Requests to which no answer of the sample application came back."""
        return self.requests - sum(self.pods.values())

    @property
    def shapes(self) -> Counter[str]:
        """Requests by the one word for what the client saw, as `Observation.shape` (without gRPC's own status)."""
        found = Counter({error.partition(":")[0]: count for error, count in self.errors.items()})
        found.update(self.status)
        rest = self.requests - found.total()
        if rest > 0:
            found["answered"] += rest
        return found

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.elapsed if self.elapsed else 0.0

    @property
    def harness_fault(self) -> str | None:
        """Why requests say nothing of the mesh: the client could not send them at all."""
        return next((error for error in self.errors if error.startswith(_NOT_OF_THE_PEER)), None)


@dataclass(frozen=True)
class Outcome:
    """What came of a plan: observations one by one, or a histogram with samples, as the plan's `detail` asked."""

    observations: tuple[Observation, ...] = ()
    histogram: Histogram | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Take the answer to `POST /run`; raises KeyError, TypeError or ValueError for anything else."""
        if "histogram" in data:
            return cls(histogram=Histogram.from_json(data))
        return cls(observations=tuple(Observation.from_json(each) for each in data["observations"]))

    @property
    def harness_fault(self) -> str | None:
        """The first reason for which this outcome says nothing of the mesh."""
        if self.histogram is not None:
            return self.histogram.harness_fault
        return next((each.harness_fault for each in self.observations if each.harness_fault), None)
