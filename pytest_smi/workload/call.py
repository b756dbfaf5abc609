"""A call that can be made: from a pod, to a target. Assertions send it as often as they need."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import WorkloadError
from pytest_smi.traffic.ids import new_id, new_ids
from pytest_smi.traffic.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.traffic.plan import Histogram, Observation, Request
    from pytest_smi.workload.smi import Smi
    from pytest_smi.workload.workload import Pod, Workload


@dataclass(frozen=True)
class Target:
    """Where a call goes: a host name or address, and the workloads whose application may rightly answer it.

    `tcp_host` and `udp_host` are given where a Service carries only one protocol, so that these have others.
    """

    host: str
    title: str
    workloads: tuple[Workload, ...]
    tcp_host: str = ""
    udp_host: str = ""

    def __str__(self) -> str:
        return self.title if self.host.startswith(f"{self.title}.") else f"{self.title} ({self.host})"

    @property
    def service_name(self) -> str:
        """The Service's name, as a TrafficSplit refers to it."""
        return self.title

    def at(self, host: str) -> Target:
        """The same target by another name or address."""
        return replace(self, host=host, tcp_host="", udp_host="")

    def host_for(self, protocol: str) -> str:
        """The host to call in a protocol (one of those of a `Request`)."""
        tcp = self.tcp_host if protocol in ("tcp", "half-close", "banner") else ""
        return (self.udp_host if protocol == "udp" else tcp) or self.host

    def expects(self, pod: str | None) -> bool:
        """Whether an answer of this pod is an answer of the target."""
        return pod is not None and any(workload.has(pod) for workload in self.workloads)


@dataclass(frozen=True)
class Call:
    """One request that a pod can make. Immutable; sending gives observations and keeps nothing."""

    client: Workload
    pod: Pod
    target: Target
    request: Request
    timeout: float | None = None

    def __str__(self) -> str:
        asked = self.request
        what = f"{asked.method} {asked.path}" if asked.protocol in ("http1", "h2c", "grpc") else asked.protocol
        what += f" over {asked.protocol}" if asked.protocol in ("h2c", "grpc") else ""
        return f"{self.client.name} -> {self.target}:{asked.port} {what}"

    @property
    def smi(self) -> Smi:
        """The running test's context. Raises WorkloadError outside of a test."""
        smi = self.client.scene.smi
        if smi is None:
            raise WorkloadError(f"{self} was made outside of a test", "ask for the smi fixture")
        return smi

    def from_pod(self, pod: Pod) -> Call:
        """The same call from another replica of the client."""
        return replace(self, pod=pod)

    def within(self, seconds: float) -> Call:
        """The same call, given up after `seconds` in place of the profile's limit for one attempt."""
        return replace(self, timeout=seconds)

    def send(self, count: int = 1, *, kept: bool = False) -> list[Observation]:
        """Send the request `count` times, one after the other (datagrams: all at once), and return what each saw.

        `kept` sends them all on one connection. Raises WorkloadError when the agent does not answer, MeshError when the
        mesh has ended: what a client sees then says nothing about the mesh.
        """
        self.smi.mesh.check()
        # A refused datagram is answered by silence, which takes the whole time limit: better once than `count` times.
        concurrency = count if self.request.protocol == "udp" else 1
        plan = self._plan(ids=new_ids(count), connection="kept" if kept else "new", concurrency=concurrency)
        observations = list(self.pod.agent.run(plan).observations)
        if any(map(self.served, observations)):
            self.client.scene.introduced.add(self.pod.uid)
        return observations

    def answer(self) -> dict[str, Any]:
        """What the application says it received, from its own JSON answer to one request.

        Raises WorkloadError when the application did not answer: assert that the call is allowed first.
        """
        seen = self.send(1)[0]
        if not self.served(seen):
            raise WorkloadError(f"{self} was not answered by the application: {seen.shape}", "assert_allowed first")
        return dict(json.loads(seen.body))

    def sample(
        self,
        count: int,
        *,
        concurrency: int = 8,
        kept: bool = False,
        rate: float | None = None,
        id_prefix: str | None = None,
    ) -> Histogram:
        """Send the request `count` times, up to `concurrency` at once and `rate` per second, and return counts.

        The requests' ids are `<id_prefix>-0` and so on (default: a fresh prefix). `kept` as in `send`.
        """
        self.smi.mesh.check()
        plan = self._plan(
            count=count,
            concurrency=concurrency,
            connection="kept" if kept else "new",
            rate=rate,
            id_prefix=id_prefix or new_id(),
            detail="histogram",
        )
        histogram = self.pod.agent.run(plan).histogram
        assert histogram is not None
        return histogram

    def _plan(self, **shape: Any) -> Plan:
        self.smi.last = self
        return Plan(self.request, timeout=self.timeout or self.smi.settle.attempt_seconds, **shape)

    def arrived(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Which of these requests the target's application has in its log, by id: the second witness of a verdict."""
        wanted = list(ids)
        found: dict[str, dict[str, Any]] = {}
        for workload in self.target.workloads:
            for pod in workload.pods:
                found.update(pod.agent.seen(wanted))
        return found

    def served(self, seen: Observation) -> bool:
        """Whether the target's own application answered, by the mark that only it puts in its answers."""
        return self.target.expects(seen.pod)
