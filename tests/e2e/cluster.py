"""The whole cluster: up in order, down completely."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from tests.e2e import cgroups, contents, control, debian, host, machine, network, node
from tests.e2e.builds import built
from tests.e2e.folders import HERE, state
from tests.e2e.machine import Machine
from tests.e2e.pki import Pki
from tests.e2e.trouble import E2eError, until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.images import Image

_SWITCH = "switch"
_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `machines` are its nodes, the first of which has the control plane too."""

    machines: tuple[Machine, ...]
    kubeconfig: Path

    @property
    def first(self) -> Machine:
        """The node with the control plane."""
        return self.machines[0]

    def kubectl(self, *arguments: str, data: str | None = None, seconds: float = 120.0) -> str:
        """Run kubectl as administrator and return what it prints. Raises E2eError when it fails."""
        return self.first.run(*self.kubectl_command(), *arguments, data=data, seconds=seconds)

    def kubectl_command(self) -> list[str]:
        """kubectl with its kubeconfig, to be run inside a machine or with its network."""
        return [str(built("kubernetes") / "kubectl"), "--kubeconfig", str(self.kubeconfig)]

    def get(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get` says, as JSON."""
        return dict(json.loads(self.kubectl("get", "-o", "json", *arguments)))

    def load(self, images: Iterable[Image]) -> None:
        """Import images on every node."""
        for image in images:
            archive = image.archive()
            for one in self.machines:
                one.run("ctr", "--namespace=k8s.io", "images", "import", str(archive))

    def rolled_out(self, namespace: str, *workloads: str, seconds: float = _READY_SECONDS) -> None:
        """Wait until workloads (`deployment/NAME`, `daemonset/NAME`) run as many ready pods as they should."""
        for workload in workloads:
            try:
                command = ("rollout", "status", "-n", namespace, workload, f"--timeout={seconds:.0f}s")
                self.kubectl(*command, seconds=seconds + 10)
            except E2eError as fault:
                pods = self.kubectl("describe", "pods", "-n", namespace)
                raise E2eError(f"{fault}\n{pods[-6000:]}") from None


def up(nodes: int = 1) -> Cluster:
    """Start a cluster of that many nodes with cluster DNS, after ending what a dead run left."""
    debian.provide()
    down()
    cluster = Cluster(tuple(Machine(state(), f"node{n}") for n in range(nodes)), state() / "pki" / "admin.conf")
    for name in ("etcd", "kubernetes"):
        built(name)
    base = [contents.pause(), contents.coredns()]
    host.widen()
    _boot(cluster)
    names = {one.name: network.address(index) for index, one in enumerate(cluster.machines)}
    pki = Pki(state() / "pki", f"https://{network.address(0)}:{control.PORT}")
    pki.make(("127.0.0.1", network.address(0), network.API_SERVICE), names)
    control.start(cluster.first, pki)
    for index, one in enumerate(cluster.machines):
        node.start(one, pki, index)
    cluster.load(base)
    until(lambda: _ready_nodes(cluster) == nodes, _READY_SECONDS, "the nodes", lambda: _why_not_ready(cluster))
    dns = Template((HERE / "manifests" / "coredns.yaml").read_text("utf-8"))
    cluster.kubectl("apply", "-f", "-", data=dns.substitute(image=contents.COREDNS, address=network.DNS_SERVICE))
    cluster.rolled_out("kube-system", "deployment/coredns")
    return cluster


def _boot(cluster: Cluster) -> None:
    switch = Machine(state(), _SWITCH)
    for one in (switch, *cluster.machines):
        one.boot()
    for index, one in enumerate(cluster.machines):
        cgroups.make(one.name)
        network.plug(switch, one, index, len(cluster.machines))


def _ready_nodes(cluster: Cluster) -> int:
    for one in cluster.machines:
        for program in ("kubelet", "containerd", "kube-proxy"):
            one.check(program)
    conditions = [c for n in cluster.get("nodes")["items"] for c in n["status"].get("conditions", [])]
    return sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _why_not_ready(cluster: Cluster) -> str:
    return "\n".join(one.tail("kubelet") for one in cluster.machines)


def found() -> Cluster:
    """The cluster that runs. Raises E2eError when there is none."""
    names = sorted(one.name for one in machine.running(state()).values() if one.name != _SWITCH)
    if not names:
        raise E2eError("no cluster is running: start one with tests/e2e/run up")
    return Cluster(tuple(Machine(state(), name) for name in names), state() / "pki" / "admin.conf")


def down() -> None:
    """End the cluster, whoever started it, and remove all that it wrote; what was built stays."""
    machine.end(state())
    cgroups.remove()
    if not machine.running():
        host.restore()
    shutil.rmtree(state(), ignore_errors=True)
    if state().exists():
        raise E2eError(f"{state()} could not be removed: is something mounted there?")
