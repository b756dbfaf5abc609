"""Probes: one attempt each, and the rhythm of attempts."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Object = dict[str, Any]
_FIRST_INTERVAL = 0.01  # seconds, while a container is not yet ready: a test bed cannot wait a whole period
_GROWTH = 1.3


@dataclass(frozen=True)
class Outcome:
    """Whether an attempt succeeded, and in words why not."""

    good: bool
    message: str = ""


async def attempt(
    probe: Object, host: str, ports: dict[str, int], run: Callable[[list[str]], Awaitable[tuple[int, str]]]
) -> Outcome:
    """One attempt of a probe against `host`.

    `ports` are the container's named ports; `run` executes a command in the container.
    """
    try:
        async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
            if action := probe.get("httpGet"):
                return await _http(action, host, ports)
            if action := probe.get("tcpSocket"):
                _, writer = await asyncio.open_connection(action.get("host") or host, _port(action["port"], ports))
                writer.close()
                return Outcome(True)
            if action := probe.get("exec"):
                status, output = await run(action.get("command") or [])
                return Outcome(status == 0, f"command exited with status {status}: {output[-200:].strip()}")
            return Outcome(False, f"{', '.join(set(probe) & {'grpc'}) or 'this probe'} is not supported here")
    except TimeoutError:
        return Outcome(False, f"no answer within {probe.get('timeoutSeconds', 1)} s")
    except (OSError, ValueError, asyncio.IncompleteReadError) as fault:
        return Outcome(False, str(fault) or type(fault).__name__)


def _port(port: int | str, ports: dict[str, int]) -> int:
    if isinstance(port, str) and not port.isdigit():
        if port not in ports:
            raise ValueError(f"container has no port named {port}")
        return ports[port]
    return int(port)


async def _http(action: Object, host: str, ports: dict[str, int]) -> Outcome:
    context = None
    if action.get("scheme") == "HTTPS":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as a kubelet does
    port = _port(action["port"], ports)
    reader, writer = await asyncio.open_connection(action.get("host") or host, port, ssl=context)
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1", "Accept": "*/*", "Connection": "close"}
        headers |= {one["name"]: one["value"] for one in action.get("httpHeaders") or []}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {action.get('path') or '/'} HTTP/1.1\r\n{lines}\r\n".encode())
        status = int((await reader.readuntil(b"\r\n")).split()[1])
        return Outcome(200 <= status < 400, f"HTTP probe failed with statuscode: {status}")
    finally:
        writer.close()


async def verdicts(probe: Object, try_once: Callable[[], Awaitable[Outcome]], *, eager: bool) -> AsyncIterator[Outcome]:
    """Changes of mind: an outcome each time the thresholds are reached for the other side.

    Nothing is said of the first verdict's opposite. With `eager`, attempts come quickly until the first success, but
    failures count only once a period, so that failureThreshold keeps its meaning in time. Ends never.
    """
    period = probe.get("periodSeconds", 10)
    needed = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    interval = float(period)
    verdict: bool | None = None
    streak, side, counted = 0, True, time.monotonic()
    while True:
        outcome = await try_once()
        now = time.monotonic()
        if outcome.good != side:
            # An early failure only starts the clock: nothing fails before it had a period's time.
            streak, side, counted = int(outcome.good or not eager), outcome.good, now
            interval = _FIRST_INTERVAL
        elif outcome.good or now - counted >= 0.95 * period:
            streak, counted = streak + 1, now
        if streak >= needed[side] and verdict != side:
            verdict = side
            yield outcome
        interval = min(interval * _GROWTH, period) if eager and not outcome.good else float(period)
        await asyncio.sleep(interval)
