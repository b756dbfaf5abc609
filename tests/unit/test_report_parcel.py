"""Results as text in a log: whole, or told that they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_smi.errors import HarnessError
from pytest_smi.report.parcel import archive, unpack, unwrap, wrap


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "results"
    found.mkdir()
    (found / "results.json").write_text('{"teapot": "weiß"}' * 1000)
    (found / "junit.xml").write_bytes(bytes(range(256)))
    return found


def test_files_come_out_as_they_went_in(folder: Path, tmp_path: Path) -> None:
    log = f"some lines\nbefore\n{wrap(archive(folder))}\nand after\n"
    written = unpack(unwrap(log), tmp_path / "out")
    assert [path.name for path in written] == ["junit.xml", "results.json"]
    for path in written:
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_the_last_of_several_counts() -> None:
    assert unwrap(wrap(b"first") + wrap(b"second")) == b"second"


def test_line_ends_of_another_system_do_no_harm() -> None:
    content = bytes(range(256)) * 10
    assert unwrap(wrap(content).replace("\n", "\r\n")) == content


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", "there are no results in the log"),
        (wrap(b"tea" * 100)[:-80], "the results in the log are cut off"),
        (wrap(b"tea" * 100).replace("dGVhdGVh", "", 1), "the results in the log are damaged"),
    ],
)
def test_what_is_not_whole_is_told(log: str, told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        unwrap(log)
