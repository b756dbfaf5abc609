"""Container logs: options, where to begin, and following a file that grows.

The node keeps what a container wrote as it wrote it, without a time for each line. So `timestamps` is refused, and
`sinceSeconds`/`sinceTime` are answered when the answer is certain (all lines are younger, or none is), else refused.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from pytest_smi.embedded.kubeapi import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

BLOCK = 64 * 1024
POLL_SECONDS = 0.05
_KNOWN = {
    *("container", "follow", "previous", "tailLines", "limitBytes", "sinceSeconds", "sinceTime", "timestamps"),
    *("insecureSkipTLSVerifyBackend", "pretty", "stream"),
}


@dataclass(frozen=True)
class LogOptions:
    """`PodLogOptions` (core/v1) as far as they are served. `since` is a Unix time in seconds."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    tail: int | None = None
    limit: int | None = None
    since: float | None = None

    @classmethod
    def parse(cls, query: Mapping[str, Sequence[str]]) -> LogOptions:
        """Read the query of a request. Raises ApiError (400, 422) for what is wrong, 501 for what is not served."""
        values = {name: items[0] for name, items in query.items() if items}
        _refuse_unserved(values)
        if "sinceSeconds" in values and "sinceTime" in values:
            raise _invalid("sinceSeconds", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")
        return cls(
            container=values.get("container", ""),
            follow=_true(values.get("follow")),
            previous=_true(values.get("previous")),
            tail=_number(values, "tailLines", least=0),
            limit=_number(values, "limitBytes", least=1),
            since=_since(values),
        )


def start_offset(path: Path, options: LogOptions, started: str) -> int:
    """Where in the file the answer begins. `started` is when the container started (RFC 3339), or empty."""
    size = path.stat().st_size
    if options.since is not None:
        if path.stat().st_mtime < options.since:
            return size
        if not started or _unix(started) < options.since:
            raise status.status(
                501,
                "NotImplemented",
                "the embedded node keeps no time for each log line: leave sinceSeconds and sinceTime out, "
                "or go back to before the container started",
            )
    if options.tail is None:
        return 0
    with path.open("rb") as file:
        return tail_offset(file, options.tail)


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Offset of the last `lines` lines; a last line without its newline counts as one."""
    end = file.seek(0, 2)
    if lines == 0 or end == 0:
        return end
    file.seek(end - 1)
    wanted = lines + (file.read(1) == b"\n")
    position = end
    while position > 0:
        begin = max(0, position - BLOCK)
        file.seek(begin)
        block = file.read(position - begin)
        count = block.count(b"\n")
        if count >= wanted:
            at = len(block)
            for _ in range(wanted):
                at = block.rindex(b"\n", 0, at)
            return begin + at + 1
        wanted -= count
        position = begin
    return 0


async def chunks(path: Path, start: int, options: LogOptions, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log from `start`; when following, until `ended` says that this run of the container is over."""
    left = options.limit
    with path.open("rb") as file:  # kept open: a restart may put another file in its place
        file.seek(start)
        while True:
            # Asked before reading, so that what was written last is still read.
            last = not options.follow or ended()
            while data := file.read(BLOCK if left is None else min(BLOCK, left)):
                left = None if left is None else left - len(data)
                yield data
            if last or left == 0:
                return
            await asyncio.sleep(POLL_SECONDS)


def _refuse_unserved(values: Mapping[str, str]) -> None:
    unknown = sorted(values.keys() - _KNOWN)
    if unknown:
        raise status.bad_request(f"unknown log option: {', '.join(unknown)}")
    if _true(values.get("timestamps")):
        raise status.status(
            501, "NotImplemented", "the embedded node keeps no time for each log line: leave timestamps out"
        )
    if values.get("stream", "All") != "All":
        raise status.status(501, "NotImplemented", "the embedded node keeps stdout and stderr as one stream")


def _since(values: Mapping[str, str]) -> float | None:
    if (seconds := _number(values, "sinceSeconds", least=1)) is not None:
        return datetime.now(UTC).timestamp() - seconds
    try:
        return _unix(values["sinceTime"]) if values.get("sinceTime") else None
    except ValueError:
        raise status.bad_request(f"sinceTime is not an RFC 3339 time: {values['sinceTime']!r}") from None


def _number(values: Mapping[str, str], name: str, *, least: int) -> int | None:
    if name not in values:
        return None
    try:
        number = int(values[name])
    except ValueError:
        raise status.bad_request(f"{name} is not a whole number: {values[name]!r}") from None
    if number < least:
        raise _invalid(name, f"Invalid value: {number}: must be greater than or equal to {least}")
    return number


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _true(value: str | None) -> bool:
    return value is not None and value.lower() in ("true", "1", "")


def _invalid(field: str, why: str) -> status.ApiError:
    return status.invalid("PodLogOptions", "", "", [status.Cause("FieldValueInvalid", why, field)])
