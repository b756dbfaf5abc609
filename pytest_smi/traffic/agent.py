"""The client of a sample app pod's control side: one kept-alive HTTP/1.1 connection, JSON both ways, deadlines.

The connection comes from the cluster (a socket on loopback, or a port-forward's): nothing here knows which, and test
traffic never crosses it.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from pytest_smi.errors import HarnessError, WorkloadError
from pytest_smi.traffic.ids import new_id
from pytest_smi.traffic.plan import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_smi.traffic.plan import Plan

_HEAD_LIMIT = 64 * 1024
_READ_SIZE = 256 * 1024
_HINT = "look at the pod: kubectl describe and kubectl logs"
_NO_PACKAGE = "name an image that has the package with --smi-image, such as that of sample_app/Dockerfile"
_RETRY_SECONDS = 5.0  # for which a lost connection is opened again
_PAUSE_SECONDS = 0.05  # doubles each time


class Stream(Protocol):
    """What an agent needs of a connection; a socket has it. `settimeout` is used where it exists."""

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes."""

    def recv(self, size: int, /) -> bytes:
        """Receive at most `size` bytes; empty at the end of the stream."""

    def close(self) -> None:
        """Close the stream."""


class _Lost(Exception):
    """The stream ended or broke. `final` when asking again cannot help: it took too long, or is no agent's answer."""

    def __init__(self, problem: BaseException) -> None:
        super().__init__(str(problem) or type(problem).__name__)
        self.final = isinstance(problem, (TimeoutError, ValueError))


class Agent:
    """The control side of one pod. Not for several threads at once.

    `connect` opens a stream to the pod's control port; it is called when the first question is asked, and again when a
    stream has died. A question is then asked again for some seconds: none changes anything the second time, a plan has
    a name by which the agent knows it and tells its result without sending a request twice. `name` stands in messages,
    `timeout` is the seconds that an answer may take beyond the time that a plan itself needs, and `image` what the pod
    was made from.
    """

    def __init__(
        self, connect: Callable[[], Stream], *, name: str = "agent", timeout: float = 10.0, image: str = "its image"
    ) -> None:
        self.name = name
        self._image = image
        self._connect = connect
        self._timeout = timeout
        self._stream: Stream | None = None
        self._buffer = b""
        self._instance = ""

    def run(self, plan: Plan) -> Outcome:
        """Carry a plan out from this pod and return what its requests saw.

        Raises WorkloadError when the agent refuses the plan, does not answer, has started again in the middle, or could
        not send (no address, no h2 package): that must never be taken for a denial by the mesh.
        """
        answer = self._ask("POST", "/run", {**plan.as_json(), "plan_id": new_id()}, plan.longest)
        try:
            outcome = Outcome.from_json(answer)
        except (KeyError, TypeError, ValueError) as problem:
            raise WorkloadError(
                f"{self.name}: the agent's answer to a plan is not understood: {problem!r}",
                "does the pod run this version's sample_app.py?",
            ) from None
        if outcome.harness_fault:
            missing = outcome.harness_fault.startswith("unsupported")
            what = f"{self.name}: the request could not be sent: {outcome.harness_fault}"
            raise WorkloadError(f"{what} in {self._image}" if missing else what, _NO_PACKAGE if missing else _HINT)
        return outcome

    def seen(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those requests that arrived at this pod, by id: pod, port, protocol, peer, method, path, headers, time.

        Raises WorkloadError when the pod has started again since it was last asked: its log is lost then, and a request
        that is not in it may have arrived.
        """
        before = self._instance
        found: dict[str, dict[str, Any]] = self._ask("POST", "/seen", {"ids": list(ids)})["seen"]
        if before not in ("", self._instance):
            raise WorkloadError(f"{self.name}: the pod has started again, and its log of requests is lost", _HINT)
        return found

    def log(self, since: int = 0, limit: int = 1000) -> dict[str, Any]:
        """Requests that arrived after entry number `since`: `entries`, `next` to go on from, `end` of the log."""
        return self._ask("POST", "/log", {"since": since, "limit": limit})

    def behaviour(
        self,
        *,
        delay_ms: float = 0,
        status: int | None = None,
        fail_ratio: float | None = None,
        headers: Mapping[str, str] | None = None,
        for_path: str = "",
    ) -> None:
        """Make the pod's HTTP servers slow or failing; without arguments, normal again.

        `fail_ratio` is the exact share of requests that get `status` (500 when None); without it all get `status`.
        `headers` are added to answers. `for_path` limits all of it to paths that begin so.
        """
        asked = {"delay_ms": delay_ms, "status": status, "fail_ratio": fail_ratio, "for_path": for_path}
        self._ask("POST", "/behaviour", {**asked, "headers": dict(headers or {})})

    def reset(self) -> None:
        """Normal behaviour and an empty log."""
        self._ask("POST", "/reset", {})

    def healthy(self, within: float = 2.0) -> bool:
        """Whether the agent answers `within` seconds; False for any trouble with the connection."""
        try:
            self.greet(within)
        except HarnessError:
            return False
        return True

    def greet(self, within: float) -> None:
        """See that the agent answers `within` seconds. Raises WorkloadError, which says why it does not."""
        answer = self._ask("GET", "/healthz", None, within - self._timeout)
        if answer.get("ok") is not True:
            raise WorkloadError(f"{self.name}: the agent is not well: {str(answer)[:200]}", _HINT)

    def close(self) -> None:
        """Close the connection; a later question opens another."""
        stream, self._stream, self._buffer = self._stream, None, b""
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    def _ask(self, method: str, path: str, data: Any, extra: float = 0.0) -> dict[str, Any]:
        seconds = self._timeout + extra
        end, pause = 0.0, _PAUSE_SECONDS
        while True:
            try:
                status, answer = self._exchange(self._encoded(method, path, data), seconds)
                break
            except _Lost as loss:
                end = end or time.monotonic() + min(_RETRY_SECONDS, seconds)
                if loss.final or time.monotonic() + pause > end or not self._may_repeat(path):
                    raise WorkloadError(f"{self.name}: no answer to {path} from the agent: {loss}", _HINT) from None
            if path == "/run":
                data = {**data, "instance": self._instance}
            time.sleep(pause)  # between attempts, which have a deadline
            pause *= 2
        self._instance = str(answer.get("instance", ""))
        if status != 200:
            raise WorkloadError(f"{self.name}: the agent refused {path}: {answer.get('error', status)}")
        return answer

    def _may_repeat(self, path: str) -> bool:
        """A plan only where the agent can tell whether it is the one that may have begun it."""
        return path != "/run" or bool(self._instance)

    def _encoded(self, method: str, path: str, data: Any) -> bytes:
        body = b"" if data is None else json.dumps(data).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {self.name.replace('/', '.')}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode("latin-1", "replace") + body

    def _exchange(self, request: bytes, seconds: float) -> tuple[int, dict[str, Any]]:
        """One request and its answer within `seconds` from when it is sent; whatever goes wrong drops the stream."""
        try:
            stream = self._open()
            deadline = time.monotonic() + seconds
            self._limit(stream, deadline)
            stream.sendall(request)
            status, length, keep = self._head(stream, deadline)
            while len(self._buffer) < length:
                self._receive(stream, deadline)
            body, self._buffer = self._buffer[:length], self._buffer[length:]
            answer = json.loads(body)
            if not isinstance(answer, dict):
                raise ValueError("not a JSON object")
        except (OSError, ValueError, EOFError) as problem:
            self.close()
            raise _Lost(problem) from None
        except BaseException:  # Ctrl-C amid an answer: what is left of it must not be taken for the next one
            self.close()
            raise
        if not keep:
            self.close()
        return status, answer

    def _head(self, stream: Stream, deadline: float) -> tuple[int, int, bool]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_LIMIT:
                raise ValueError("endless headers")
            self._receive(stream, deadline)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return _read_head(head)

    def _open(self) -> Stream:
        if self._stream is None:
            self._stream = self._connect()
        return self._stream

    def _receive(self, stream: Stream, deadline: float) -> None:
        self._limit(stream, deadline)
        data = stream.recv(_READ_SIZE)
        if not data:
            raise EOFError("the connection was closed")
        self._buffer += data

    @staticmethod
    def _limit(stream: Stream, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for it is up")
        set_timeout = getattr(stream, "settimeout", None)
        if set_timeout is not None:
            set_timeout(left)


def _read_head(head: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the connection stays open; raises ValueError for what is no such head."""
    start, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = start.partition(" ")
    if version != "HTTP/1.1":
        raise ValueError(f"not HTTP: {start[:60]!r}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return (
        int(rest[:3]),
        int(fields["content-length"]) if "content-length" in fields else 0,
        fields.get("connection", "").lower() != "close",
    )
