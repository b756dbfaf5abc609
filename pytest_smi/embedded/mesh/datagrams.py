"""UDP, which Envoy cannot carry with an identity: a relay on ClusterIPs and pod IPs in the control plane's process.

It plays both sidecars: it knows the client by the source address of its datagrams, shares new flows out as the client's
side does, and enforces UDPRoute grants as the server's side does, on each datagram. Without TLS the identity is only as
good as the address, which on loopback is what the pod says it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.dataplane import TAKEN_ADVICE
from pytest_smi.errors import MeshError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.embedded.mesh.model import Grant, Pod, Policy, ServicePort

Address = tuple[str, int]

_LARGEST = 65535
_IDLE_SECONDS = 30.0


@dataclass
class _Flow:
    """Datagrams of one client socket to one of our addresses, and the endpoint that got the first of them."""

    endpoint: Address
    upstream: socket.socket
    used: float = field(default_factory=time.monotonic)


class Decisions:
    """Where a datagram may go, by a policy. Pure."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pods = {pod.ip: pod for pod in policy.pods}
        self._services = {
            (service.cluster_ip, service.port): service
            for service in policy.services.values()
            if service.protocol == "udp"
        }

    def addresses(self) -> set[Address]:
        """The addresses to serve: UDP ports of Services, and of pods that have a sidecar."""
        by_key = {pod.key: pod.ip for pod in self._pods.values()}
        ports = {(by_key[key], port) for key, port, protocol in self._policy.inbound if protocol == "udp"}
        return ports | self._services.keys()

    def endpoint(self, client: str, asked: Address) -> Address | None:
        """The pod address that a new flow to `asked` goes to; None when there is none."""
        service = self._services.get(asked)
        if service is None:
            return asked
        pod = self._pods.get(client)
        if pod is not None and pod.meshed:
            service = self._share(service)
        if service is None or not service.endpoints:
            return None
        chosen = random.choice(service.endpoints)
        return chosen.ip, chosen.port

    def _share(self, root: ServicePort) -> ServicePort | None:
        shares = self._policy.routes[root.key][-1].shares
        if not shares:
            return None
        keys, weights = zip(*shares, strict=True)
        return self._policy.services.get(random.choices(keys, weights)[0])

    def delivered(self, client: str, asked: Address, endpoint: Address) -> Address | None:
        """Where the process behind an endpoint gets the client's datagram; None when it must not."""
        server, sender = self._pods.get(endpoint[0]), self._pods.get(client)
        if server is None or not server.meshed:
            return endpoint
        guard = self._policy.guards.get(self._services[asked].key) if asked in self._services else None
        grants = self._policy.inbound.get((server.key, endpoint[1], "udp"), ())
        if sender is None or not sender.meshed or not _granted(grants, sender):
            return None
        return (server.private, endpoint[1]) if guard is None or _granted(guard, sender) else None


def _granted(grants: Iterable[Grant], sender: Pod) -> bool:
    """Whether one of the grants lets a datagram in: what asks for a request of some shape never does."""
    return any(grant.matches is None and grant.principals & sender.principals for grant in grants)


class Relay:
    """Serves the UDP addresses of the current policy."""

    def __init__(self) -> None:
        self._decisions: Decisions | None = None
        self._served: dict[Address, socket.socket] = {}
        self._flows: dict[tuple[Address, Address], _Flow] = {}

    def update(self, policy: Policy) -> None:
        """Follow a new policy. Flows go on, under the new grants. Raises MeshError when an address is taken."""
        self._decisions = Decisions(policy)
        wanted = self._decisions.addresses()
        for address in self._served.keys() - wanted:
            self._stop(address)
        for address in wanted - self._served.keys():
            self._serve(address)

    def close(self) -> None:
        """Stop serving."""
        for address in list(self._served):
            self._stop(address)

    def _serve(self, address: Address) -> None:
        served = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            served.bind(address)
        except OSError as fault:
            served.close()
            ip, port = address
            raise MeshError(f"cannot serve UDP on {ip}:{port}: {fault.strerror}", TAKEN_ADVICE) from None
        self._served[address] = served
        asyncio.get_running_loop().add_reader(served, self._forward, address, served)

    def _stop(self, address: Address) -> None:
        served = self._served.pop(address)
        asyncio.get_running_loop().remove_reader(served)
        served.close()
        for key in [key for key in self._flows if key[0] == address]:
            self._end(key)

    def _forward(self, address: Address, served: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                data, client = served.recvfrom(_LARGEST)
                self._deliver(address, client, data)

    def _deliver(self, address: Address, client: Address, data: bytes) -> None:
        assert self._decisions
        flow = self._flows.get((address, client)) or self._begin(address, client)
        if flow is None:
            return
        flow.used = time.monotonic()
        target = self._decisions.delivered(client[0], address, flow.endpoint)
        if target is not None:
            with contextlib.suppress(OSError):  # nobody listens there: lost, as datagrams may be
                flow.upstream.sendto(data, target)

    def _begin(self, address: Address, client: Address) -> _Flow | None:
        assert self._decisions
        self._expire()
        endpoint = self._decisions.endpoint(client[0], address)
        if endpoint is None:
            return None
        flow = _Flow(endpoint, socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        self._flows[address, client] = flow
        asyncio.get_running_loop().add_reader(flow.upstream, self._answer, address, client, flow.upstream)
        return flow

    def _answer(self, address: Address, client: Address, upstream: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                data = upstream.recv(_LARGEST)
                if (served := self._served.get(address)) is not None:
                    served.sendto(data, client)

    def _expire(self) -> None:
        oldest = time.monotonic() - _IDLE_SECONDS
        for key in [key for key, flow in self._flows.items() if flow.used < oldest]:
            self._end(key)

    def _end(self, key: tuple[Address, Address]) -> None:
        flow = self._flows.pop(key)
        asyncio.get_running_loop().remove_reader(flow.upstream)
        flow.upstream.close()
