"""What the embedded cluster needs of the API server that it runs on, be it our own or a real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from typing import Any

    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.controllers.caches import Caches
    from pytest_smi.embedded.node.api import NodeApi


@dataclass(frozen=True)
class ControlPlane:
    """A running API server.

    `server`, `token` and `ca_pem` are for the kubeconfig of its users; `client` is for the parts of the cluster.
    `serve_pods` makes log, exec and port-forward work, and returns the port on which the node must say that its kubelet
    listens (0: nowhere). `parts` run for as long as the cluster does; a part that ends badly ends the cluster.
    `loopback_endpoints` tells whether Endpoints and EndpointSlices may hold loopback addresses.
    """

    server: str
    token: str
    ca_pem: str
    client: Client
    serve_pods: Callable[[NodeApi, Caches], Awaitable[int]]
    loopback_endpoints: bool = True
    parts: Mapping[str, Coroutine[Any, Any, None]] = field(default_factory=dict)
