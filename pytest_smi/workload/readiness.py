"""Waiting until pods are ready: polled with a deadline; what will never come is told as soon as it is seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

from pytest_smi.cluster.api import Refused, path_of
from pytest_smi.cluster.waiting import pauses, until
from pytest_smi.errors import ClusterError, DeadlineExceeded, WorkloadError
from pytest_smi.workload import hindrance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.workload.hindrance import Hindrance
    from pytest_smi.workload.workload import Workload

SCENE_SECONDS = 180.0
_LOOK_SECONDS = 1.0  # so often, at most, is looked for what is in the way
_LAST_WORDS = 3  # lines of a log in a message


def until_ready(cluster: Cluster, workload: Workload, seconds: float = SCENE_SECONDS) -> None:
    """Wait until the workload runs as many ready pods as it should.

    Raises WorkloadError as soon as something is in the way that will not pass, and DeadlineExceeded at the end: both
    name the pod, what its containers do, and their last words.
    """
    doubts = _Doubts(cluster, workload)
    for _ in pauses(seconds):
        if workload.refresh():
            return
        doubts.look()
    doubts.give_up(seconds)


def until_served(cluster: Cluster, namespace: str, service: str, selector: dict[str, str], *served: Workload) -> None:
    """Wait until a Service has an endpoint for each pod of these workloads that its selector selects."""
    wanted = {pod.ip for one in served if selector.items() <= one.labels.items() for pod in one.pods}
    path = path_of("discovery.k8s.io/v1", "EndpointSlice", namespace)

    def all_there() -> bool:
        slices = cluster.api.list(path, labelSelector=f"kubernetes.io/service-name={service}")
        return wanted <= {
            ip for one in slices for endpoint in one.get("endpoints") or () for ip in endpoint["addresses"]
        }

    advice = f"kubectl get -n {namespace} endpointslices"
    until(all_there, f"the endpoints of Service {service}", advice, SCENE_SECONDS)


class _Doubts:
    """What has been in a workload's way, and since when."""

    def __init__(self, cluster: Cluster, workload: Workload) -> None:
        self._cluster = cluster
        self._workload = workload
        self._next = time.monotonic() + _LOOK_SECONDS
        self._since: dict[str, float] = {}

    def look(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOK_SECONDS
        for found in self._hindrances():
            if now - self._since.setdefault(found.what, now) >= found.patience:
                words = self._last_words(found.crashed) if found.crashed else ""
                raise WorkloadError(found.what + words, found.advice)

    def _hindrances(self) -> Iterator[Hindrance]:
        pods = self._workload.found
        yield from filter(None, map(hindrance.of_pod, pods))
        if len(pods) < self._workload.replicas:
            path = path_of("apps/v1", "Deployment", self._workload.namespace, self._workload.name)
            found = hindrance.of_deployment(self._cluster.api.find(path) or {})
            yield from [found] if found else []
        waiting = [pod for pod in pods if not hindrance.is_ready(pod) and pod["spec"].get("nodeName")]
        if waiting:
            nodes = self._cluster.api.list(path_of("v1", "Node"))
            yield from filter(None, (hindrance.of_node(pod, nodes) for pod in waiting))

    def give_up(self, seconds: float) -> NoReturn:
        pods = [pod for pod in self._workload.found if not hindrance.is_ready(pod)]
        told = hindrance.state(pods[0]) + self._last_words(hindrance.silent(pods[0])) if pods else "there is none"
        raise DeadlineExceeded(
            f"waited {seconds:.0f} s for {self._workload.replicas} ready pods of {self._workload}: {told}",
            f"kubectl describe pods -n {self._workload.namespace}",
        )

    def _last_words(self, container: str) -> str:
        """The end of a container's log, from the run before when this one has said nothing yet."""
        pod = next(pod for pod in self._workload.found if not hindrance.is_ready(pod))
        for previous in (False, True):
            try:
                text = self._cluster.logs(
                    pod["metadata"]["namespace"],
                    pod["metadata"]["name"],
                    container,
                    previous=previous,
                    lines=_LAST_WORDS,
                )
            except Refused as refusal:
                if refusal.code == 403:
                    return f"; its log cannot be read: {refusal.what}"
                continue
            except ClusterError:
                continue
            if text.strip():
                return f"; last words of {container}: {' | '.join(text.strip().splitlines()[-_LAST_WORDS:])[:600]}"
        return ""
