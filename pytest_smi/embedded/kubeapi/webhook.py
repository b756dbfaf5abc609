"""HTTPS client for conversion webhooks: JSON posted over connections that are kept open, the CA taken from the CRD."""

import asyncio
import base64
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pytest_smi.embedded.kubeapi.http import encode_json

_MAX_ANSWER = 32 * 1024 * 1024
_SECONDS = 30.0


class WebhookFailure(Exception):
    """The webhook could not be reached, or did not answer with a JSON object; the text says which and why."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass(slots=True)
class _Endpoint:
    url: str
    ca_bundle: str
    idle: list[_Connection] = field(default_factory=list)
    context: ssl.SSLContext | None = None

    def ssl_context(self) -> ssl.SSLContext:
        if self.context is None:
            self.context = trusting(self.ca_bundle)
        return self.context


def trusting(ca_bundle: str) -> ssl.SSLContext:
    """A client context that trusts a CA (base64 of PEM), or the system's when empty. Raises ValueError."""
    if not ca_bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(ca_bundle).decode())
    except ssl.SSLError as error:
        raise ValueError(str(error)) from None


class WebhookClient:
    """Posts to webhooks; one pool of idle connections for each pair of URL and CA."""

    def __init__(self) -> None:
        self._endpoints: dict[tuple[str, str], _Endpoint] = {}

    async def post(self, url: str, ca_bundle: str, payload: object, seconds: float = _SECONDS) -> dict[str, Any]:
        """The JSON object that the webhook answers. Raises WebhookFailure."""
        endpoint = self._endpoints.setdefault((url, ca_bundle), _Endpoint(url, ca_bundle))
        try:
            async with asyncio.timeout(seconds):
                code, body = await self._exchange(endpoint, encode_json(payload))
        except TimeoutError:
            raise WebhookFailure(f'Post "{url}?timeout={seconds:g}s": context deadline exceeded') from None
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise WebhookFailure(f'Post "{url}?timeout={seconds:g}s": {_reason(error)}') from None
        if code != 200:
            raise WebhookFailure(f"the server answered {code}: {body[:200].decode('utf-8', 'replace')}")
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise WebhookFailure(f"the answer is no JSON: {error}") from None
        if not isinstance(answer, dict):
            raise WebhookFailure("the answer is no JSON object")
        return answer

    async def close(self) -> None:
        """Close every idle connection."""
        for endpoint in self._endpoints.values():
            for connection in endpoint.idle:
                connection.writer.close()
        self._endpoints.clear()

    async def _exchange(self, endpoint: _Endpoint, body: bytes) -> tuple[int, bytes]:
        while endpoint.idle:
            connection = endpoint.idle.pop()
            try:
                return await self._round_trip(endpoint, connection, body)
            except (ConnectionError, asyncio.IncompleteReadError):
                continue  # the server closed an idle connection: a conversion is safe to ask again
        return await self._round_trip(endpoint, await _connect(endpoint), body)

    async def _round_trip(self, endpoint: _Endpoint, connection: _Connection, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(endpoint.url)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        head = (
            f"POST {target} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
            f"accept: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        kept = False
        try:
            connection.writer.write(head.encode("latin-1") + body)
            code, answer, kept = await _read_answer(connection.reader)
            return code, answer
        finally:
            if kept:
                endpoint.idle.append(connection)
            else:
                connection.writer.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return str(error) or type(error).__name__


async def _connect(endpoint: _Endpoint) -> _Connection:
    parts = urlsplit(endpoint.url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("the URL of a webhook must begin with https://")
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or 443, ssl=endpoint.ssl_context(), limit=_MAX_ANSWER
    )
    return _Connection(reader, writer)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    code = int(head[0].split(" ")[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    kept = "close" not in headers.get("connection", "").lower()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return code, b"".join(parts), kept
    if "content-length" in headers:
        length = int(headers["content-length"])
        if length > _MAX_ANSWER:
            raise ValueError("the answer is too large")
        return code, await reader.readexactly(length), kept
    return code, await reader.read(_MAX_ANSWER), False
