"""What goes to a pod past the mesh, through the API server: a connection to a port, a command, its log.

Our own in place of the official client's: that one forwards in a thread which dies silently when the connection is cut,
takes Ctrl-C for an error of the API, and knows no time limits.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

from pytest_smi.cluster.api import path_of
from pytest_smi.cluster.websockets import as_socket_errors, message, opened
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.cluster.api import Api

_BLOCK = 64 * 1024
_DATA, _ERROR = 0, 1  # channels of a port-forward
_OUT, _ERR, _STATUS = 1, 2, 3  # channels of a command


class Executed(NamedTuple):
    """What became of a command: its exit status and what it printed."""

    status: int
    out: str
    err: str


class Forward:
    """A connection to a port of a pod. As with a socket, what breaks is an OSError, what takes long a TimeoutError."""

    def __init__(self, api: Api, namespace: str, pod: str, port: int) -> None:
        """Raises ClusterError, with what the API server says, when it cannot be opened."""
        self._socket = opened(api, path_of("v1", "Pod", namespace, pod) + "/portforward", [("ports", str(port))])
        self._begun: set[int] = set()
        self._buffer = b""

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes."""
        with as_socket_errors():
            for start in range(0, len(data), _BLOCK):
                self._socket.send_binary(bytes([_DATA]) + data[start : start + _BLOCK])

    def recv(self, size: int, /) -> bytes:
        """Receive at most `size` bytes; empty at the end of the stream."""
        while not self._buffer:
            found = message(self._socket)
            if found is None:
                return b""
            channel, content = found
            if channel not in self._begun:  # each begins with the number of its port
                self._begun.add(channel)
                content = content[2:]
            if channel == _ERROR and content:
                raise ConnectionError(content.decode("utf-8", "replace").strip())
            self._buffer = content
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def settimeout(self, seconds: float | None, /) -> None:
        """Seconds that a single operation may take."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the stream, without waiting for the other side."""
        with contextlib.suppress(OSError), as_socket_errors():
            self._socket.send_close()
        self._socket.shutdown()


def execute(
    api: Api, namespace: str, pod: str, command: Sequence[str], *, container: str | None = None, seconds: float = 30.0
) -> Executed:
    """Run a command in a container (default: the pod's first) and wait for its end. Raises ClusterError."""
    query = [("command", word) for word in command] + [("stdout", "true"), ("stderr", "true")]
    query += [("container", container)] if container else []
    socket = opened(api, path_of("v1", "Pod", namespace, pod) + "/exec", query)
    said: dict[int, bytes] = {_OUT: b"", _ERR: b"", _STATUS: b""}
    try:
        socket.settimeout(seconds)
        while (found := message(socket)) is not None:
            said[found[0]] = said.get(found[0], b"") + found[1]
    except OSError as fault:
        what = f"{command[0]} in pod {namespace}/{pod} has not come to an end: {fault}"
        raise ClusterError(what, "is the pod still running?") from fault
    finally:
        socket.shutdown()
    out, err = (said[channel].decode("utf-8", "replace") for channel in (_OUT, _ERR))
    return Executed(_exit_status(said[_STATUS]), out, err)


def logs(
    api: Api,
    namespace: str,
    pod: str,
    *,
    container: str | None = None,
    previous: bool = False,
    lines: int | None = None,
) -> str:
    """The output of a container (default: the only one), of the run before with `previous`, its last `lines`."""
    query = {"container": container, "previous": "true" if previous else None, "tailLines": lines}
    return api.text(path_of("v1", "Pod", namespace, pod) + "/log", **query)


def _exit_status(told: bytes) -> int:
    try:
        status = json.loads(told)
        if status["status"] == "Success":
            return 0
        return int(next(one["message"] for one in status["details"]["causes"] if one["reason"] == "ExitCode"))
    except (ValueError, KeyError, TypeError, StopIteration):
        raise ClusterError(f"a command did not run: {told.decode(errors='replace')[:300] or 'cut off'}") from None
