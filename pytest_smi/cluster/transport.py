"""Requests to one API server over the official client's connections: credentials, time limits, safe repetition.

A request is sent again only where that repeats nothing: reads, server-side apply and deletion (each gives the same
result the second time), and whatever cannot have arrived or was turned away unread (429).
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.cluster.refusals import BROKEN, never_arrived, unreachable
from pytest_smi.errors import ClusterError

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


class Transport:
    """A way to one API server. `patience` is the seconds for which it may be away; `timeout` limits one attempt."""

    def __init__(self, client: ApiClient, *, timeout: float = 30.0, patience: float = PATIENCE_SECONDS) -> None:
        self.client = client
        self.host = str(client.configuration.host).rstrip("/")
        self._pool = client.rest_client.pool_manager
        self._timeout = timeout
        self._patience = patience
        self._answered = False

    def credentials(self) -> dict[str, str]:
        """Headers that say who we are; tokens that lapse are renewed by the official client."""
        settings = self.client.configuration.auth_settings()
        return {s["key"]: s["value"] for s in settings.values() if s.get("in") == "header" and s.get("value")}

    def send(self, ask: Ask, *, stream: bool = False) -> Any:
        """The answer (urllib3's), whatever its status. Raises ClusterError when there is none."""
        began, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            try:
                answer = self._once(ask, stream=stream)
            except ClusterError as fault:
                pause = self._lost(ask, fault.__cause__, attempts)
                if pause is None or self._too_late(began, pause):
                    raise
            else:
                self._answered = True
                pause = self._turned_away(ask, answer, attempts)
                if pause is None or self._too_late(began, pause):
                    return answer
                answer.close()
            time.sleep(pause)  # between the attempts of a request, which has a deadline

    def _too_late(self, began: float, pause: float) -> bool:
        limit = self._patience if self._answered else min(_FIRST_SECONDS, self._patience)
        return time.monotonic() + pause > began + limit

    def _lost(self, ask: Ask, cause: BaseException | None, attempts: int) -> float | None:
        """Seconds after which to ask again when no answer came, None when that could repeat something."""
        again = ask.repeatable or (cause is not None and never_arrived(cause))
        return self._pause(attempts, None) if again else None

    def _turned_away(self, ask: Ask, answer: Any, attempts: int) -> float | None:
        """Seconds after which to ask again, None when this answer stands."""
        if answer.status not in BROKEN or not (ask.repeatable or answer.status == 429):
            return None
        if answer.status == 500 and attempts > _TIMES_500:
            return None
        return self._pause(attempts, answer.headers.get("Retry-After"))

    @staticmethod
    def _pause(attempts: int, wanted: str | None) -> float:
        with contextlib.suppress(ValueError):  # Retry-After may be a date: not from an API server
            if wanted is not None:
                return float(wanted)
        return float(min(_PAUSE_SECONDS * 2 ** (attempts - 1), _LONGEST_PAUSE_SECONDS))

    def _once(self, ask: Ask, *, stream: bool) -> Any:
        import urllib3

        timeout = urllib3.Timeout(connect=self._timeout, read=self._timeout)
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
