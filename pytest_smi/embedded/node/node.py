"""The node: every pod of the cluster runs here, as processes on loopback addresses of their own.

It is scheduler and kubelet in one. It registers a Node object, takes every pod that has no node, runs it, and ends its
processes before a deleted pod's object goes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.addresses import Block, PodAddresses
from pytest_smi.embedded.client import ApiFailure, Client, Informer, path_to
from pytest_smi.embedded.controllers.queue import WorkQueue
from pytest_smi.embedded.node.api import NoSuchContainer
from pytest_smi.embedded.node.events import Recorder
from pytest_smi.embedded.node.launch import Sandbox
from pytest_smi.embedded.node.pod import Pod
from pytest_smi.embedded.node.status import now

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smi.embedded.node.spawner import Spawner

Object = dict[str, Any]
Key = tuple[str, str]
NAME = "embedded"
SIDECAR = "embedded.pytest-smi.dev/sidecar"
PRIVATE_ADDRESS = "embedded.pytest-smi.dev/private-address"
_PODS = "v1", "pods"
_FINISHED = ("Succeeded", "Failed")

_log = logging.getLogger(__name__)


class Node:
    """Runs pods with `spawner` in folders below `folder`; implements `node.api.NodeApi`.

    `dns` is the address (`ip:port`) told to every pod.
    """

    def __init__(self, client: Client, pods: Informer, spawner: Spawner, block: Block, folder: Path, dns: str) -> None:
        self._client = client
        self._informer = pods
        self._spawner = spawner
        self._block = block
        self._folder = folder
        self._dns = dns
        self._addresses = PodAddresses(block)
        self._pods: dict[str, Pod] = {}  # by uid
        self._recorder = Recorder(client, NAME)
        self._starts = WorkQueue[Key]("node", self._begin)
        # Apart from the others, because an ending may take as long as a pod's grace period.
        self._ends = WorkQueue[Key]("node", self._end, parallel=1000)
        self._burials: set[asyncio.Task[None]] = set()

    async def register(self, kubelet_port: int) -> None:
        """Makes the Node object and reports it Ready; `kubelet_port` is where its kubelet listens (0: nowhere)."""
        made = await self._client.create(path_to("v1", "nodes"), _node_object(self._block))
        path = path_to("v1", "nodes", name=NAME, subresource="status")
        status = _node_status(self._block)
        if kubelet_port:
            status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": kubelet_port}}
        await self._client.patch(path, {"metadata": {"uid": made["metadata"]["uid"]}, "status": status})

    async def run(self) -> None:
        """Runs pods until cancelled; their processes then still run, until `stop_all` or the spawner's end."""
        self._informer.listen(self._pod_changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._starts.run())
            group.create_task(self._ends.run())

    async def stop_all(self, grace: float) -> None:
        """Ends all processes without deleting any object."""
        await asyncio.gather(*(pod.stop(grace) for pod in self._pods.values()))

    def logs_path(self, namespace: str, pod: str, container: str, previous: bool = False) -> Path | None:
        """See NodeApi."""
        found = self._find(namespace, pod)
        one = found.find(container) if found else None
        return one.log(previous) if one else None

    async def exec(
        self, namespace: str, pod: str, container: str, argv: list[str], *, stdin: bool = False
    ) -> asyncio.subprocess.Process:
        """See NodeApi."""
        found = self._find(namespace, pod)
        one = found.find(container) if found else None
        if found is None or one is None or not one.running or one.launch is None:
            raise NoSuchContainer(f"container {container or 'of pod'} {pod} in namespace {namespace} is not running")
        return await found.sandbox.execute(one.launch, argv, stdin=stdin)

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See NodeApi."""
        found = self._find(namespace, pod)
        if found is None:
            raise NoSuchContainer(f"pod {pod} in namespace {namespace} is not running")
        return await asyncio.open_connection(found.sandbox.bind, port)

    def _find(self, namespace: str, name: str) -> Pod | None:
        """A pod by name; should an old one of that name still be ending, the new one."""
        pod = self._informer.get(namespace, name)
        return self._pods.get(pod["metadata"]["uid"]) if pod else None

    def _pod_changed(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if kind == "DELETED":
            task = asyncio.create_task(self._bury(uid))
            self._burials.add(task)
            task.add_done_callback(self._burials.discard)
            return
        if known := self._pods.get(uid):
            known.update(pod)
        queue = self._ends if "deletionTimestamp" in pod["metadata"] else self._starts
        queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    async def _bury(self, uid: str) -> None:
        """The object has gone: nothing of the pod may stay."""
        if pod := self._pods.pop(uid, None):
            await pod.stop(0)
            await asyncio.to_thread(shutil.rmtree, pod.sandbox.folder, True)
        self._addresses.release(uid)

    async def _begin(self, key: Key) -> None:
        pod = self._informer.get(*key)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return
        where, phase = pod["spec"].get("nodeName"), pod.get("status", {}).get("phase")
        if not where:
            await self._bind(pod)
        elif where == NAME and pod["metadata"]["uid"] not in self._pods and phase not in _FINISHED:
            self._start(pod)

    async def _bind(self, pod: Object) -> None:
        """Takes the pod, and in the same write says where its process will listen: the mesh needs to know."""
        metadata = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {
                "name": metadata["name"],
                "uid": metadata["uid"],
                "annotations": {PRIVATE_ADDRESS: self._addresses_of(pod)[1]},
            },
            "target": {"kind": "Node", "name": NAME},
        }
        path = path_to(*_PODS, metadata["namespace"], metadata["name"], "binding")
        try:
            await self._client.create(path, binding)
        except ApiFailure as failure:
            if failure.code not in (404, 409):
                raise

    def _addresses_of(self, pod: Object) -> tuple[str, str]:
        """(pod IP, address on which its process listens)."""
        ip = self._addresses.acquire(pod["metadata"]["uid"])
        sidecar = (pod["metadata"].get("annotations") or {}).get(SIDECAR) == "true"
        return ip, self._block.private_address(ip) if sidecar else ip

    def _start(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        sandbox = Sandbox(self._client, self._spawner, pod, self._folder / uid, *self._addresses_of(pod), self._dns)
        one = self._pods[uid] = Pod(sandbox, self._informer, self._block.node, self._recorder.warn)
        one.update(pod)
        one.start()

    async def _end(self, key: Key) -> None:
        """Ends a pod's processes, then lets its object go."""
        pod = self._informer.get(*key)
        if pod is None or "deletionTimestamp" not in pod["metadata"] or pod["spec"].get("nodeName") != NAME:
            return
        metadata = pod["metadata"]
        if running := self._pods.get(metadata["uid"]):
            grace = metadata.get("deletionGracePeriodSeconds")
            await running.stop(running.sandbox.grace if grace is None else float(grace))
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": metadata["uid"]},
        }
        try:
            await self._client.delete(path_to(*_PODS, metadata["namespace"], metadata["name"]), options)
        except ApiFailure as failure:
            if failure.code not in (404, 409):
                raise


def _node_object(block: Block) -> Object:
    labels = {
        "kubernetes.io/hostname": NAME,
        "kubernetes.io/os": platform.system().lower(),
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
    }
    spec = {"podCIDR": block.pod_cidr, "podCIDRs": [block.pod_cidr]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": labels}, "spec": spec}


def _node_status(block: Block) -> Object:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory}Ki", "pods": "250"}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the embedded node runs pods as local processes",
        "lastHeartbeatTime": now(),
        "lastTransitionTime": now(),
    }
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": block.node}, {"type": "Hostname", "address": NAME}],
        "nodeInfo": {
            "architecture": platform.machine(),
            "operatingSystem": platform.system().lower(),
            "kernelVersion": platform.release(),
            "osImage": "pytest-smi embedded node",
            "containerRuntimeVersion": "process://1",
            "kubeletVersion": "v0.0.0-embedded",
            "kubeProxyVersion": "",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }
