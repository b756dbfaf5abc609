"""One workload of the scene: an identity, pods with agents, and the calls that it can make."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.errors import WorkloadError
from pytest_smi.spec.resources import Identity
from pytest_smi.traffic.agent import Agent
from pytest_smi.traffic.plan import Request
from pytest_smi.workload import ports
from pytest_smi.workload.call import Call, Target
from pytest_smi.workload.hindrance import is_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_smi.workload.manifests import Deployed
    from pytest_smi.workload.scene import Scene


class Pod(NamedTuple):
    """A pod that is ready: its name, address and unique id, and the agent inside it."""

    name: str
    ip: str
    uid: str
    agent: Agent


class Workload:
    """A deployed workload. Its request methods return a `Call`, which an assertion sends as often as it needs.

    `pods` are those that are ready, with their agents; `found` are all that `refresh` saw last, as the API has them.
    """

    def __init__(self, scene: Scene, deployed: Deployed) -> None:
        self.scene = scene
        self.deployed = deployed
        self.name = deployed.name
        self.namespace = deployed.namespace
        self.labels = deployed.marks
        self.replicas = deployed.replicas
        self.pods: list[Pod] = []
        self.found: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def identity(self) -> Identity:
        """The ServiceAccount that its pods run under (spec: the identity of a pod)."""
        return Identity(self.deployed.account, self.namespace)

    @property
    def service_name(self) -> str:
        """The name of its Service, as a TrafficSplit refers to it."""
        return self.name

    def refresh(self) -> bool:
        """Look the pods up; True when all replicas are ready and nothing else is left."""
        found = [pod for pod in self.scene.pods(self) if not pod["metadata"].get("deletionTimestamp")]
        ready = [pod for pod in found if is_ready(pod)]
        self.found = found
        if len(found) != self.replicas or len(ready) != self.replicas:
            return False
        known = {pod.uid: pod for pod in self.pods}
        self.pods = [known.get(pod["metadata"]["uid"]) or self._pod(pod) for pod in ready]
        for gone in known.keys() - {pod.uid for pod in self.pods}:
            known[gone].agent.close()
        return True

    def _pod(self, found: dict[str, Any]) -> Pod:
        name = found["metadata"]["name"]
        return Pod(name, found["status"]["podIP"], found["metadata"]["uid"], self.channel(name))

    def channel(self, pod: str) -> Agent:
        """One more channel to the agent of that pod, for use in another thread; the caller closes it."""

        def connect() -> Any:
            self.scene.cluster.check()
            return self.scene.cluster.connect(self.namespace, pod, ports.CONTROL)

        return Agent(connect, name=str(self), image=self.scene.image)

    def has(self, pod: str) -> bool:
        """Whether a pod of that name belongs to this workload."""
        return any(one.name == pod for one in self.pods)

    @property
    def pod(self) -> Pod:
        """Its first pod. Raises WorkloadError when none is ready."""
        if not self.pods:
            raise WorkloadError(f"{self} has no ready pod", "was it deployed and waited for?")
        return self.pods[0]

    def scale(self, replicas: int) -> None:
        """Change the number of replicas and wait until they are ready."""
        self.replicas = replicas
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.name}"
        self.scene.cluster.api.patch(path, {"spec": {"replicas": replicas}})
        self.scene.wait(self)

    @contextmanager
    def behaving(self, **behaviour: Any) -> Iterator[None]:
        """Slow or failing HTTP servers in all its pods for the length of a `with` block; see `Agent.behaviour`."""
        pods = list(self.pods)
        try:
            for pod in pods:
                pod.agent.behaviour(**behaviour)
            yield
        finally:
            for pod in pods:
                pod.agent.behaviour()

    def request(
        self,
        method: str,
        to: Workload | Target | str,
        path: str = "/",
        *,
        port: int = ports.HTTP[0],
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        protocol: str = "http1",
        body: str = "",
        pod: Pod | None = None,
    ) -> Call:
        """An HTTP request from this workload; `protocol` is http1, h2c or grpc, `pod` picks one of its replicas."""
        pairs = tuple(headers.items() if isinstance(headers, dict) else headers or ())
        target = self._target(to)
        wanted = Request(
            host=target.host, port=port, protocol=protocol, method=method, path=path, headers=pairs, body=body
        )
        return Call(self, pod or self.pod, target, wanted)

    def get(self, to: Workload | Target | str, path: str = "/", **options: Any) -> Call:
        """A GET request; options as in `request`."""
        return self.request("GET", to, path, **options)

    def tcp(self, to: Workload | Target | str, port: int = ports.TCP[0], body: str = "") -> Call:
        """A line over a TCP connection, and `body` after it, both to be echoed unaltered."""
        return self._plain("tcp", to, port, body)

    def half_close(self, to: Workload | Target | str, port: int = ports.TCP[0], body: str = "") -> Call:
        """As `tcp`, but the client ends its side when it has sent all; the echo, and then the server's end, follow."""
        return self._plain("half-close", to, port, body)

    def banner(self, to: Workload | Target | str, port: int = ports.BANNER[0]) -> Call:
        """A TCP connection on which the server speaks first."""
        return self._plain("banner", to, port)

    def udp(self, to: Workload | Target | str, port: int = ports.UDP[0]) -> Call:
        """A datagram that is to be answered."""
        return self._plain("udp", to, port)

    def raw(self, to: Workload | Target | str, data: bytes, *, port: int = ports.HTTP[0]) -> Call:
        """Bytes as they are; `{id}` in them is replaced by the request id."""
        target = self._target(to)
        return Call(self, self.pod, target, Request(host=target.host, port=port, protocol="raw", raw=data))

    def _plain(self, protocol: str, to: Workload | Target | str, port: int, body: str = "") -> Call:
        target = self._target(to)
        host = target.host_for(protocol)
        return Call(self, self.pod, target, Request(host=host, port=port, protocol=protocol, body=body))

    def _target(self, to: Workload | Target | str) -> Target:
        if isinstance(to, Target):
            return to
        if isinstance(to, Workload):
            return self.scene.service(to.name, to.namespace)
        return self.scene.service(to, self.scene.namespace)

    def close(self) -> None:
        """Close the channels to its agents."""
        for pod in self.pods:
            pod.agent.close()
        self.pods = []
