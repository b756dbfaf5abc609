"""Log options, where a log begins, and following."""

from __future__ import annotations

import asyncio
import io
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pytest_smi.embedded.kubeapi import stream_logs
from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.kubeapi.stream_logs import LogOptions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    return path


def read(path: Path, options: LogOptions, started: str = "", grow: list[bytes] | None = None) -> bytes:
    """The whole answer; `grow` is appended piece by piece each time the stream asks whether it has ended."""
    pieces = list(grow or [])

    def ended() -> bool:
        if not pieces:
            return True
        with path.open("ab") as file:
            file.write(pieces.pop(0))
        return False

    async def run() -> bytes:
        start = stream_logs.start_offset(path, options, started)
        return b"".join([chunk async for chunk in stream_logs.chunks(path, start, options, ended)])

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\nb\nc\n", 3, b"a\nb\nc\n"),
        (b"a\nb\nc\n", 99, b"a\nb\nc\n"),
        (b"a\nb\nc\n", 0, b""),
        (b"\n\n\n", 2, b"\n\n"),
        (b"", 5, b""),
        (b"only", 1, b"only"),
    ],
)
def test_tail_counts_lines_from_the_end(text: bytes, lines: int, expected: bytes) -> None:
    assert text[stream_logs.tail_offset(io.BytesIO(text), lines) :] == expected


@pytest.mark.parametrize("lines", [1, 5, 3000, 19_999, 20_000, 20_001])
def test_tail_works_across_blocks(lines: int) -> None:
    rows = [b"line %d\n" % number for number in range(20_000)]
    text = b"".join(rows)
    assert text[stream_logs.tail_offset(io.BytesIO(text), lines) :] == b"".join(rows[-lines:])


def test_a_log_is_given_whole_or_cut_to_a_limit(log: Path) -> None:
    assert read(log, LogOptions()) == b"one\ntwo\nthree\n"
    assert read(log, LogOptions(limit=5)) == b"one\nt"
    assert read(log, LogOptions(tail=1, limit=3)) == b"thr"


def test_following_yields_what_is_written_until_the_run_is_over(log: Path) -> None:
    assert read(log, LogOptions(follow=True, tail=0), grow=[b"four\n", b"five\n"]) == b"four\nfive\n"


def test_following_stops_at_the_limit(log: Path) -> None:
    assert read(log, LogOptions(follow=True, limit=16), grow=[b"four\n", b"five\n", b"six\n"]) == b"one\ntwo\nthree\nfo"


def test_since_is_answered_when_it_is_certain(log: Path) -> None:
    now = time.time()
    young = datetime.fromtimestamp(now - 5, UTC).isoformat()
    assert read(log, LogOptions(since=now - 60), young) == b"one\ntwo\nthree\n"
    os.utime(log, (now - 100, now - 100))
    assert read(log, LogOptions(since=now - 60), young) == b""


def test_since_within_the_life_of_the_container_is_refused(log: Path) -> None:
    with pytest.raises(ApiError, match="no time for each log line") as refusal:
        stream_logs.start_offset(log, LogOptions(since=time.time() - 60), "2020-01-01T00:00:00Z")
    assert refusal.value.code == 501


def test_options_are_read_from_the_query() -> None:
    query = {"container": ["app"], "follow": ["true"], "tailLines": ["7"], "limitBytes": ["9"], "previous": ["false"]}
    assert LogOptions.parse(query) == LogOptions("app", follow=True, tail=7, limit=9)
    assert LogOptions.parse({"sinceTime": ["2024-01-01T00:00:00Z"]}).since == 1704067200.0


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("tailLines", "-1", 422),
        ("limitBytes", "0", 422),
        ("sinceSeconds", "0", 422),
        ("tailLines", "many", 400),
        ("sinceTime", "yesterday", 400),
        ("timestamps", "true", 501),
        ("stream", "Stderr", 501),
        ("tailines", "3", 400),
    ],
)
def test_options_that_cannot_be_served_are_refused(name: str, value: str, code: int) -> None:
    with pytest.raises(ApiError) as refusal:
        LogOptions.parse({name: [value]})
    assert refusal.value.code == code


def test_two_kinds_of_since_contradict_each_other() -> None:
    with pytest.raises(ApiError, match="at most one"):
        LogOptions.parse({"sinceSeconds": ["5"], "sinceTime": ["2024-01-01T00:00:00Z"]})
