"""The client of a sample app pod's control side: one kept-alive HTTP/1.1 connection, JSON both ways, deadlines.

The connection comes from the cluster (a socket on loopback, or a port-forward's): nothing here knows which, and test
traffic never crosses it.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from pytest_smi.errors import WorkloadError
from pytest_smi.traffic.plan import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_smi.traffic.plan import Plan

_HEAD_LIMIT = 64 * 1024
_READ_SIZE = 256 * 1024
_HINT = "look at the pod: kubectl describe and kubectl logs"
_NO_PACKAGE = "run the pods from an image that has the package, such as that of sample_app/Dockerfile"


class Stream(Protocol):
    """What an agent needs of a connection; a socket has it. `settimeout` is used where it exists."""

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes."""

    def recv(self, size: int, /) -> bytes:
        """Receive at most `size` bytes; empty at the end of the stream."""

    def close(self) -> None:
        """Close the stream."""


class _Lost(Exception):
    """The stream ended or broke; `unanswered` when no byte of an answer had come."""

    def __init__(self, text: str, *, unanswered: bool) -> None:
        super().__init__(text)
        self.unanswered = unanswered


class Agent:
    """The control side of one pod. Not for several threads at once.

    `connect` opens a stream to the pod's control port; it is called when the first question is asked, and again when a
    stream that was idle has died meanwhile (once per question). `name` stands in messages, `timeout` is the seconds
    that an answer may take beyond the time that a plan itself needs.
    """

    def __init__(self, connect: Callable[[], Stream], *, name: str = "agent", timeout: float = 10.0) -> None:
        self.name = name
        self._connect = connect
        self._timeout = timeout
        self._stream: Stream | None = None
        self._buffer = b""

    def run(self, plan: Plan) -> Outcome:
        """Carry a plan out from this pod and return what its requests saw.

        Raises WorkloadError when the agent refuses the plan, does not answer, or could not send (no address, no h2
        package): that must never be taken for a denial by the mesh.
        """
        answer = self._ask("POST", "/run", plan.as_json(), plan.longest)
        try:
            outcome = Outcome.from_json(answer)
        except (KeyError, TypeError, ValueError) as problem:
            raise WorkloadError(
                f"{self.name}: the agent's answer to a plan is not understood: {problem!r}",
                "does the pod run this version's sample_app.py?",
            ) from None
        if outcome.harness_fault:
            advice = _NO_PACKAGE if outcome.harness_fault.startswith("unsupported") else _HINT
            raise WorkloadError(f"{self.name}: the request could not be sent: {outcome.harness_fault}", advice)
        return outcome

    def seen(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those requests that arrived at this pod, by id: pod, port, protocol, peer, method, path, headers, time."""
        found: dict[str, dict[str, Any]] = self._ask("POST", "/seen", {"ids": list(ids)})["seen"]
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
            return self._ask("GET", "/healthz", None, within - self._timeout).get("ok") is True
        except WorkloadError:
            return False

    def close(self) -> None:
        """Close the connection; a later question opens another."""
        stream, self._stream, self._buffer = self._stream, None, b""
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    def _ask(self, method: str, path: str, data: Any, extra: float = 0.0) -> dict[str, Any]:
        body = b"" if data is None else json.dumps(data).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {self.name.replace('/', '.')}\r\ncontent-length: {len(body)}\r\n\r\n"
        deadline = time.monotonic() + self._timeout + extra
        reused = self._stream is not None
        try:
            try:
                status, answer = self._exchange(head.encode("latin-1", "replace") + body, deadline)
            except _Lost as loss:
                if not (reused and loss.unanswered):
                    raise
                status, answer = self._exchange(head.encode("latin-1", "replace") + body, deadline)
        except _Lost as loss:
            raise WorkloadError(f"{self.name}: no answer to {path} from the agent: {loss}", _HINT) from None
        if status != 200:
            raise WorkloadError(f"{self.name}: the agent refused {path}: {answer.get('error', status)}")
        return answer

    def _exchange(self, request: bytes, deadline: float) -> tuple[int, dict[str, Any]]:
        """One request and its answer; whatever goes wrong also drops the stream."""
        unanswered = True
        try:
            stream = self._open()
            self._limit(stream, deadline)
            stream.sendall(request)
            head = b""
            while not head:
                self._receive(stream, deadline)
                unanswered = False
                head, end, rest = self._buffer.partition(b"\r\n\r\n")
                if not end:
                    head = b""
                    if len(self._buffer) > _HEAD_LIMIT:
                        raise ValueError("endless headers")
            status, length, keep = _read_head(head)
            self._buffer = rest
            while len(self._buffer) < length:
                self._receive(stream, deadline)
            body, self._buffer = self._buffer[:length], self._buffer[length:]
            answer = json.loads(body)
            if not isinstance(answer, dict):
                raise ValueError("not a JSON object")
        except (OSError, ValueError, EOFError) as problem:
            self.close()
            # A deadline that has passed is no dead idle connection: asking again would only take as long again.
            late = isinstance(problem, TimeoutError)
            raise _Lost(str(problem) or type(problem).__name__, unanswered=unanswered and not late) from None
        except BaseException:  # Ctrl-C amid an answer: what is left of it must not be taken for the next one
            self.close()
            raise
        if not keep:
            self.close()
        return status, answer

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
