"""Requests to one API server over the official client's connections: credentials, time limits, safe repetition.

A request is sent again only where that repeats nothing: reads, server-side apply and deletion (each gives the same
result the second time), and whatever cannot have arrived or was turned away unread (429).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.cluster.refusals import BROKEN, never_arrived, unreachable
from pytest_smi.errors import ClusterEnded, ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client import ApiClient

PATIENCE_SECONDS = 30.0  # how long an API server that has answered before may be away in the middle of a run
_FIRST_SECONDS = 2.0  # and one that never has: a wrong address should be told soon
_TIMES_500 = 2  # a server that breaks down over a request will mostly do so again
_PAUSE_SECONDS = 0.1  # doubles each time
_LONGEST_PAUSE_SECONDS = 5.0


class Ask(NamedTuple):
    """One request: method, URL path with query, body and headers; `repeatable` when twice is as good as once."""

    method: str
    path: str
    body: str | bytes | None
    headers: Mapping[str, str]
    repeatable: bool


class Attempts:
    """Counts the attempts of one request, and pauses between them for as long as `seconds` allow."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._made = 1
        self._broke_down = 0

    def another(self, status: int | None = None, wanted: str | None = None) -> bool:
        """Pause and say True when there may be another attempt after this status (None: no answer at all).

        `wanted` is what the server asks for in `Retry-After`.
        """
        self._broke_down += status == 500
        if self._broke_down > _TIMES_500:
            return False
        pause = float(min(_PAUSE_SECONDS * 2 ** (self._made - 1), _LONGEST_PAUSE_SECONDS))
        with contextlib.suppress(ValueError):  # it may be a date: not from an API server
            pause = pause if wanted is None else float(wanted)
        if time.monotonic() + pause > self._end:
            return False
        time.sleep(pause)  # between attempts, which have a deadline
        self._made += 1
        return True


class Transport:
    """A way to one API server. `patience` is the seconds for which it may be away; `timeout` limits one attempt."""

    def __init__(self, client: ApiClient, *, timeout: float = 30.0, patience: float = PATIENCE_SECONDS) -> None:
        self.client = client
        self.host = str(client.configuration.host).rstrip("/")
        self._pool = client.rest_client.pool_manager
        self._timeout = timeout
        self._patience = patience
        self._answered = False
        self._clock: tuple[dt.datetime, float] | None = None  # theirs, and ours when it was told

    def credentials(self) -> dict[str, str]:
        """Headers that say who we are; tokens that lapse are renewed by the official client."""
        settings = self.client.configuration.auth_settings()
        return {s["key"]: s["value"] for s in settings.values() if s.get("in") == "header" and s.get("value")}

    def send(self, ask: Ask, *, stream: bool = False) -> Any:
        """The answer (urllib3's), whatever its status.

        Raises ClusterError when there is none, and ClusterEnded when a server that has answered before stays away.
        """
        attempts = self.attempts()
        while True:
            try:
                answer = self.once(ask, stream=stream)
            except ClusterError as fault:
                cause = fault.__cause__
                if not (ask.repeatable or (cause and never_arrived(cause))):
                    raise
                if not attempts.another():
                    raise self._given_up(fault) from cause
            else:
                self._answered = True
                self._note_time(answer)
                again = answer.status in BROKEN and (ask.repeatable or answer.status == 429)
                if not again or not attempts.another(answer.status, answer.headers.get("Retry-After")):
                    return answer
                answer.close()

    def now(self) -> dt.datetime:
        """The time by the server's clock, as of its last answer; by ours when it does not tell."""
        if self._clock is None:
            return dt.datetime.now(dt.UTC)
        then, ours = self._clock
        return then + dt.timedelta(seconds=time.monotonic() - ours)

    def _note_time(self, answer: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            self._clock = (parsedate_to_datetime(answer.headers.get("Date")), time.monotonic())

    def _given_up(self, fault: ClusterError) -> ClusterError:
        """The end of patience; what is asked from now on is not waited for as long again."""
        before, self._answered = self._answered, False
        if not (before and self._patience):
            return fault
        return ClusterEnded(
            f"the API server has been away for {self._patience:.0f} s: {fault.what}",
            "when it is back, `pytest-smi clean` removes what the run has left",
        )

    def attempts(self) -> Attempts:
        """For one request that may be sent again: how often, and for how long."""
        return Attempts(self._patience if self._answered else min(_FIRST_SECONDS, self._patience))

    def once(self, ask: Ask, *, stream: bool, seconds: float | None = None) -> Any:
        """One attempt, in which the server may be silent for so many seconds. Raises ClusterError as `send` does."""
        import urllib3

        timeout = urllib3.Timeout(connect=self._timeout, read=seconds or self._timeout)
        headers = {**ask.headers, **self.credentials()}
        try:
            return self._pool.request(
                ask.method,
                self.host + ask.path,
                body=ask.body,
                headers=headers,
                timeout=timeout,
                preload_content=not stream,
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as fault:
            why = unreachable(fault)
            raise ClusterError(
                f"the API server at {self.host} did not answer {ask.method} {ask.path}: {why.what}", why.advice
            ) from fault
