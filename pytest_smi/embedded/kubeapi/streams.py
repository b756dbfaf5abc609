"""The pod subresources that stream: `log`, `exec` and `portforward`.

This module checks what can be checked before a connection is given away, with the sentences of a real API server; the
streaming itself stands in stream_logs.py, stream_exec.py and stream_forward.py.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import spdy_upgrade, status, stream_exec, stream_forward, stream_logs
from pytest_smi.embedded.kubeapi.http import AnyResponse, StreamResponse, UpgradeResponse
from pytest_smi.embedded.kubeapi.websocket import CloseCode, HandshakeRefused, WebSocket, handshake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pytest_smi.embedded.kubeapi.http import Request
    from pytest_smi.embedded.kubeapi.server import PodRequest
    from pytest_smi.embedded.node.api import NodeApi

    FindPod = Callable[[str, str], dict[str, Any] | None]
    """A pod by namespace and name, if there is one."""


class PodStreams:
    """Handlers for `ApiServer.pod_subresources`; `node` runs the pods, `find` gives a pod's newest object."""

    def __init__(self, find: FindPod, node: NodeApi) -> None:
        self._find = find
        self._node = node

    def handlers(self) -> dict[str, Callable[[PodRequest], Awaitable[AnyResponse]]]:
        """By subresource name."""
        return {"log": self.log, "exec": self.exec, "attach": self.attach, "portforward": self.port_forward}

    async def log(self, wish: PodRequest) -> AnyResponse:
        """GET pods/NAME/log."""
        options = stream_logs.LogOptions.parse(wish.request.query)
        container = container_name(wish.pod, options.container)
        path = self._node.logs_path(wish.namespace, wish.name, container, options.previous)
        if path is None or not path.exists():
            raise _no_log(wish.pod, container, previous=options.previous)

        run = _state(wish.pod, container)
        started = (run.get("running") or run.get("terminated") or {}).get("startedAt", "")
        start = stream_logs.start_offset(path, options, started)
        follower = _Follower(self._find, wish.pod, container)
        finished = options.previous or follower.ended()
        chunks = stream_logs.chunks(path, start, options, (lambda: True) if finished else follower.ended)
        return StreamResponse(200, chunks, {"content-type": "text/plain"})

    async def exec(self, wish: PodRequest) -> AnyResponse:
        """GET or POST pods/NAME/exec as a WebSocket or a SPDY session."""
        request = wish.request
        container = container_name(wish.pod, request.param("container"))
        argv = request.query.get("command", [])
        if not argv:
            raise _invalid("PodExecOptions", "command", "Required value")
        if _flag(request, "tty"):
            raise status.bad_request("the embedded node has no terminals: leave tty out (kubectl exec -i, without -t)")
        if not any(_flag(request, name) for name in ("stdin", "stdout", "stderr")):
            raise status.bad_request("you must specify at least 1 of stdin, stdout, stderr")
        _must_run(wish.pod, container)
        plan = stream_exec.Plan(
            wish.namespace, wish.name, container, tuple(argv), _flag(request, "stdin"), _flag(request, "stdout", True),
            _flag(request, "stderr", True),
        )  # fmt: skip

        async def talk(socket: WebSocket) -> None:
            await stream_exec.serve(socket, self._node, plan)

        async def talk_spdy(tunnel: spdy_upgrade.Bytes) -> None:
            channels = spdy_upgrade.Channels(tunnel, plan.streams)
            try:
                if await channels.open():
                    await stream_exec.serve(channels, self._node, plan)
            finally:
                await channels.close()

        if spdy_upgrade.is_wanted(request):
            return spdy_upgrade.answer(request, stream_exec.PROTOCOLS, talk_spdy)
        return upgrade(request, stream_exec.PROTOCOLS, talk)

    async def attach(self, wish: PodRequest) -> AnyResponse:
        """Refused: a pod here is a process whose standard streams go to its log."""
        raise status.status(
            501, "NotImplemented", "attach is not supported by the embedded node: use kubectl logs -f, or kubectl exec"
        )

    async def port_forward(self, wish: PodRequest) -> AnyResponse:
        """pods/NAME/portforward: a WebSocket's channels, or a SPDY session, in a WebSocket or without one."""
        phase = (wish.pod.get("status") or {}).get("phase")
        if phase != "Running":
            raise status.bad_request(f"unable to forward port because pod is not running. Current status={phase}")
        target = stream_forward.Target(self._node, wish.namespace, wish.name, wish.pod["metadata"]["uid"])
        ports = _ports(wish.request)
        channels = (stream_forward.CHANNEL_PROTOCOLS if ports else ()) + (stream_forward.TUNNEL_PROTOCOL,)

        async def talk(socket: WebSocket) -> None:
            if socket.subprotocol == stream_forward.TUNNEL_PROTOCOL:
                await stream_forward.serve_tunnel(socket, target)
            else:
                await stream_forward.serve_channels(socket, target, ports)

        if spdy_upgrade.is_wanted(wish.request):
            return spdy_upgrade.answer(
                wish.request,
                (stream_forward.SPDY_PROTOCOL,),
                lambda tunnel: stream_forward.serve_tunnel(tunnel, target),
            )
        return upgrade(wish.request, channels, talk)


def upgrade(
    request: Request, protocols: Sequence[str], talk: Callable[[WebSocket], Awaitable[None]]
) -> UpgradeResponse:
    """Answer a WebSocket upgrade; `talk` runs until the conversation is over. Raises ApiError (400) otherwise."""
    try:
        chosen, headers = handshake(request.headers, protocols)
    except HandshakeRefused as refusal:
        raise status.bad_request(f"unable to upgrade: {refusal}") from None

    async def takeover(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket = WebSocket(reader, writer, chosen)
        try:
            await talk(socket)
        except asyncio.CancelledError:
            await socket.close(CloseCode.GOING_AWAY, "the API server is shutting down")
            raise
        finally:
            await socket.close()

    return UpgradeResponse(takeover, headers)


def container_name(pod: dict[str, Any], wanted: str) -> str:
    """The container meant by a request. Raises ApiError (400) when that is not clear or there is none of that name."""
    name = pod["metadata"]["name"]
    names = [container["name"] for container in pod["spec"].get("containers") or ()]
    every = names + [container["name"] for container in pod["spec"].get("initContainers") or ()]
    if not wanted and len(names) != 1:
        raise status.bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    if wanted and wanted not in every:
        raise status.bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted or names[0]


def _container_status(pod: dict[str, Any], container: str) -> dict[str, Any]:
    observed = pod.get("status") or {}
    for item in (*(observed.get("containerStatuses") or ()), *(observed.get("initContainerStatuses") or ())):
        if item["name"] == container:
            found: dict[str, Any] = item
            return found
    return {}


def _state(pod: dict[str, Any], container: str) -> dict[str, Any]:
    return _container_status(pod, container).get("state") or {}


class _Follower:
    """Tells when the run of a container whose log is followed is over, from the pod's status."""

    def __init__(self, find: FindPod, pod: dict[str, Any], container: str) -> None:
        self._find = find
        self._place = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._uid = pod["metadata"]["uid"]
        self._container = container
        self._run: tuple[str, int] | None = None

    def ended(self) -> bool:
        """Whether the container has terminated, is another run, or is gone. One about to start has not ended."""
        pod = self._find(*self._place)
        if pod is None or pod["metadata"]["uid"] != self._uid:
            return True
        item = _container_status(pod, self._container)
        state = item.get("state") or {}
        if "running" in state:
            run = str(item.get("containerID", "")), int(item.get("restartCount", 0))
            self._run = self._run or run
            return run != self._run
        return "terminated" in state or self._run is not None


def _must_run(pod: dict[str, Any], container: str) -> None:
    if "running" not in _state(pod, container):
        phase = (pod.get("status") or {}).get("phase", "Unknown")
        raise status.bad_request(
            f'container "{container}" of pod {pod["metadata"]["name"]} is not running (the pod is {phase})'
        )


def _no_log(pod: dict[str, Any], container: str, *, previous: bool) -> status.ApiError:
    name = pod["metadata"]["name"]
    if previous:
        return status.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    waiting = _state(pod, container).get("waiting") or {}
    why = waiting.get("reason", "ContainerCreating")
    return status.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def _flag(request: Request, name: str, default: bool = False) -> bool:
    value = request.param(name, "true" if default else "false")
    return value.lower() in ("true", "1", "")


def _ports(request: Request) -> list[int]:
    """`ports=80&ports=81` or `ports=80,81`; none when a SPDY tunnel names them later."""
    ports = []
    for text in ",".join(request.query.get("ports", [])).split(","):
        if not text:
            continue
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise _invalid("PodPortForwardOptions", "ports", f"Invalid value: {text}: must be between 1 and 65535")
        ports.append(int(text))
    return ports


def _invalid(kind: str, field: str, why: str) -> status.ApiError:
    return status.invalid(kind, "", "", [status.Cause("FieldValueInvalid", why, field)])
