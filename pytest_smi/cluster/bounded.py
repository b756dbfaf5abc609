"""Answers of somebody whom nobody vouches for, such as a mesh's own API: bounded in size and time.

The API server passes on what a server behind it sends, as it comes, however long that takes. It is asked only once.
"""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smi.cluster.transport import Ask, Transport

LIMIT_BYTES = 8 << 20
_PIECE = 1 << 16


class Bounded(NamedTuple):
    """An answer: HTTP status, headers by lower-case name, body.

    `cut` says in words why there is no more of it; it is empty for a whole answer. Status 0: not even a head came.
    """

    code: int
    headers: Mapping[str, str]
    body: bytes
    cut: str = ""


def read(transport: Transport, ask: Ask, *, seconds: float, limit: int = LIMIT_BYTES) -> Bounded:
    """Ask, and read at most `limit` bytes, in at most twice `seconds`. Raises ClusterError when nobody is there."""
    import urllib3

    deadline = time.monotonic() + seconds
    try:
        answer = transport.once(ask, stream=True, seconds=seconds)
    except ClusterError as fault:
        if isinstance(fault.__cause__, urllib3.exceptions.ReadTimeoutError):
            return Bounded(0, {}, b"", f"no answer came within {seconds:g} s")
        raise
    headers = {name.lower(): value for name, value in answer.headers.items()}
    body = bytearray()
    cut = _take(answer, body, deadline, limit)
    if not cut:
        answer.release_conn()
        return Bounded(answer.status, headers, bytes(body))
    answer.close()
    return Bounded(answer.status, headers, bytes(body), cut.format(seconds=f"{seconds:g}"))


def _take(answer: Any, body: bytearray, deadline: float, limit: int) -> str:
    """Receive a body; why it was given up, or empty. One receipt at a time: a drop a second must not make it hours."""
    import urllib3

    take = getattr(answer, "read1", None) or answer._fp.read1  # urllib3 has it from 2.2 on
    try:
        while piece := take(_PIECE):
            body += piece
            if len(body) > limit:
                return f"it is longer than {limit >> 20} MiB"
            if time.monotonic() > deadline:
                return "it does not end within {seconds} s"
    except (urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return "it does not go on for {seconds} s"
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as fault:
        return f"it breaks off: {type(fault).__name__}"
    return ""
