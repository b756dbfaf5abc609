"""Plays a story on an API server and gives its answers as they came."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3

from tests.embedded.differential.story import MEDIA, Step, Story, filled

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE_SECONDS = 20.0
WATCH_SECONDS = 2
_POLL_SECONDS = 0.02
AGENT = "stories/1.0 (linux) tests"


@dataclass(frozen=True)
class Answer:
    """What one step brought: HTTP status, media type, warnings, and the body (of a watch: its events)."""

    step: str
    code: int
    media: str
    warnings: list[str]
    body: Any


@dataclass(frozen=True)
class Server:
    """Where to ask: base URL, the file with its authority (none for http), a bearer token for each user."""

    url: str
    tokens: Mapping[str, str]
    ca_file: str | None = None


class Player:
    """Asks one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._http = urllib3.PoolManager(retries=False, timeout=DEADLINE_SECONDS, ca_certs=server.ca_file, maxsize=4)

    def close(self) -> None:
        """Closes the connections."""
        self._http.clear()

    def play(self, story: Story) -> list[Answer]:
        """The answers of all steps. The namespace is made before, with the ServiceAccount that pods need."""
        values = story.values
        self._prepare(story.name)
        return [answer for step in story.steps for answer in self._play(step, values)]

    def version(self) -> str:
        """The version that the server says it has."""
        found: str = self._once(Step("version", "GET /version"), {}).body["gitVersion"]
        return found

    def _prepare(self, name: str) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        for path, body in (("namespaces", namespace), (f"namespaces/{name}/serviceaccounts", account)):
            made = self._once(Step("prepare", f"POST /api/v1/{path}", body), {})
            assert made.code in (201, 409), made

    def _play(self, step: Step, values: dict[str, str]) -> list[Answer]:
        if step.events is not None:
            return self._watch(step, values)
        answer = self._until(step, values) if step.until is not None else self._once(step, values)
        for name, path in step.save.items():
            values[name] = str(at(answer.body, path))
        return [replace(answer, body=_picked(answer.body, step.pick)) if step.pick else answer]

    def _until(self, step: Step, values: dict[str, str]) -> Answer:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not _is_as_wanted(answer := self._once(step, values), step.until):
            assert time.monotonic() < deadline, f"{step.name}: waited {DEADLINE_SECONDS} s for {step.until}: {answer}"
            time.sleep(_POLL_SECONDS)
        return answer

    def _once(self, step: Step, values: dict[str, str]) -> Answer:
        response = self._send(step, values)
        return Answer(step.name, response.status, _media(response), _warnings(response), _parsed(response.data))

    def _send(self, step: Step, values: dict[str, str], *, stream: bool = False) -> urllib3.BaseHTTPResponse:
        method, _, target = filled(step.ask, values).partition(" ")
        headers = {"User-Agent": AGENT, "Authorization": f"Bearer {self._server.tokens[step.user]}", **step.headers}
        if not self._server.tokens[step.user]:
            del headers["Authorization"]
        if step.accept:
            headers["Accept"] = step.accept
        body = None
        if step.text is not None:
            body = step.text.encode()
        elif step.body is not None:
            body = json.dumps(filled(step.body, values)).encode()
        if body is not None:
            headers["Content-Type"] = MEDIA.get(step.media, step.media)
        url = self._server.url + _quoted(target)
        return self._http.request(method, url, body=body, headers=headers, preload_content=not stream)

    def _watch(self, step: Step, values: dict[str, str]) -> list[Answer]:
        """The events, after the answers of the steps that happened while the watch was open."""
        response = self._send(step, values, stream=True)
        assert step.events is not None
        try:
            during = [answer for inner in step.during for answer in self._play(inner, values)]
            body = _events(response, step.events) if response.status == 200 else _parsed(response.read())
            return [*during, Answer(step.name, response.status, _media(response), _warnings(response), body)]
        finally:
            response.close()


def at(value: Any, path: str) -> Any:
    """The value at a dotted path, in which numbers are places in a list."""
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _picked(body: Any, paths: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for path in paths:
        try:
            found[path] = at(body, path)
        except (KeyError, IndexError, TypeError):
            found[path] = "(nothing)"
    return found


def _is_as_wanted(answer: Answer, wanted: Any) -> bool:
    if isinstance(wanted, int):
        return answer.code == wanted
    try:
        return all(at(answer.body, path) == value for path, value in wanted.items())
    except (KeyError, IndexError, TypeError):
        return False


def _quoted(target: str) -> str:
    path, mark, query = target.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    return quote(path) + mark + "&".join(f"{name}{sign}{quote(value, safe='')}" for name, sign, value in pairs)


def _events(response: urllib3.BaseHTTPResponse, count: int) -> list[Any]:
    found: list[Any] = []
    rest = b""
    for chunk in response.stream(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        found += [json.loads(line) for line in whole if line.strip()]
        if len(found) >= count:
            break
    return found[:count]


def _media(response: urllib3.BaseHTTPResponse) -> str:
    return response.headers.get("Content-Type", "")


def _warnings(response: urllib3.BaseHTTPResponse) -> list[str]:
    return list(response.headers.getlist("Warning"))


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
