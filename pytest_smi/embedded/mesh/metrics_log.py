"""What the sidecars have seen: Envoy's access log of every call, written by Envoy and read when somebody asks.

A line tells which sidecar saw the call (the client's or the server's), when and for how long, how it ended, and whom
it was from and to. Nothing runs for a request but Envoy's own logger; a question about the last seconds reads the file
backwards for as long as it must. Two files of at most `ROTATE_BYTES` are kept.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_smi.embedded.mesh.envoy_base import CLIENT, Resource, extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from pytest_smi.embedded.mesh.dataplane import Envoy

FLUSH_SECONDS = 0.05
"""How often Envoy writes out what it has logged: what is younger than this may still be missing in the file."""
ROTATE_BYTES = 16 << 20
LOOK_SECONDS = 2.0
_FILE = "traffic.log"
_BLOCK_BYTES = 1 << 18

Side = Literal["client", "server"]

_TIMES = "%EMIT_TIME(%s.%6f)%\t%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%\t%DURATION%"
_FORMATS: dict[Side, str] = {
    "client": f"{_TIMES}\t%RESPONSE_CODE%\t%FILTER_STATE({CLIENT}:PLAIN)%\t%DOWNSTREAM_LOCAL_ADDRESS%\t"
    "%UPSTREAM_CLUSTER_RAW%\t%UPSTREAM_HOST%\n",
    "server": f"{_TIMES}\t%RESPONSE_CODE%\t%DOWNSTREAM_PEER_DNS_SAN%\t%DOWNSTREAM_LOCAL_ADDRESS%\t-\t-\n",
}


def access_log(side: Side, directory: Path, *, tunnel: bool) -> list[Resource]:
    """The loggers of a connection manager that acts for one side; `tunnel`: what passes is no HTTP but TCP."""
    line = {"text_format_source": {"inline_string": f"{side}\t{'tcp' if tunnel else 'http'}\t{_FORMATS[side]}"}}
    sink = "access_loggers.file.v3.FileAccessLog"
    return [extension("file", sink, path=str(directory / _FILE), log_format=line)]


@dataclass(frozen=True, slots=True)
class Passage:
    """One call as one sidecar saw it. Times are seconds, `ended` since the epoch; addresses are `ip:port`.

    `source` is the client pod: its address as its own sidecar knows it, its DNS name as the server's sidecar reads it
    in the certificate. `target` is what the client connected to. At the client's side `cluster` and `upstream` say
    where the call was sent. `status` 0: it ended without an answer.
    """

    side: Side
    http: bool
    ended: float
    seconds: float
    status: int
    source: str
    target: str
    cluster: str = ""
    upstream: str = ""


def parse(line: str) -> Passage | None:
    """A line of the log; None for one that is cut off."""
    fields = ["" if field == "-" else field for field in line.split("\t")]
    try:
        side, kind, ended, micros, millis, status, source, target, cluster, upstream = fields
        seconds = int(micros) / 1e6 if micros else int(millis or 0) / 1e3
        return Passage(
            "client" if side == "client" else "server",
            kind == "http",
            float(ended),
            seconds,
            int(status or 0),
            source,
            target,
            cluster,
            upstream.rpartition("/")[2],
        )
    except ValueError:
        return None


class Journal:
    """The access log in Envoy's configuration directory."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / _FILE
        self._older = self._file.with_suffix(".1.log")

    def between(self, start: float, end: float) -> list[Passage]:
        """The calls that ended after `start` and not after `end` (seconds since the epoch), newest first."""
        found = []
        for line in self._backwards():
            one = parse(line)
            if one is None or one.ended > end:
                continue
            if one.ended <= start:
                break  # one worker writes a line at the end of each call: whatever comes before is older
            found.append(one)
        return found

    def _backwards(self) -> Iterator[str]:
        """The lines, newest first."""
        for file in (self._file, self._older):
            try:
                with file.open("rb") as stream:
                    yield from _lines_backwards(stream)
            except FileNotFoundError:
                continue  # no traffic yet, or not so much of it

    async def rotate(self, envoy: Envoy) -> None:
        """Keep the files small, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if self._file.stat().st_size > ROTATE_BYTES:
                    self._file.replace(self._older)
                    await envoy.reopen_logs()
            except OSError:
                continue  # nothing is logged yet, or Envoy is going away, which is noticed elsewhere


def _lines_backwards(stream: BinaryIO) -> Iterator[str]:
    """The lines of a file from the last to the first, without a last one that is not finished."""
    position = stream.seek(0, os.SEEK_END)
    rest, unfinished = b"", True
    while position > 0:
        size = min(_BLOCK_BYTES, position)
        position = stream.seek(position - size)
        rest, *lines = (stream.read(size) + rest).split(b"\n")
        if unfinished and lines:
            lines.pop()
            unfinished = False
        yield from (line.decode("utf-8", "replace") for line in reversed(lines))
    if not unfinished:
        yield rest.decode("utf-8", "replace")
