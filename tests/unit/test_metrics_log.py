"""The access log is read from its end, as far as a window reaches, in whatever state Envoy has left it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_smi.embedded.mesh import metrics_log
from pytest_smi.embedded.mesh.metrics_log import Journal, Passage, access_log, parse

SERVER = "server\thttp\t{at:.6f}\t1275\t1\t200\tkettle.tea.pod.cluster.local\t127.0.0.3:8080\t-\t-"
CLIENT = (
    "client\thttp\t{at:.6f}\t-\t7\t-\t127.0.0.1:0\t127.0.1.1:8080\tservice|tea|pot|8080\tenvoy://sidecar/127.0.0.3:8080"
)


def write(folder: Path, *lines: str, name: str = "traffic.log") -> None:
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def ends(found: list[Passage]) -> list[float]:
    return [one.ended for one in found]


def test_a_line_of_each_side_is_understood() -> None:
    assert parse(SERVER.format(at=12.5)) == Passage(
        "server", True, 12.5, 0.001275, 200, "kettle.tea.pod.cluster.local", "127.0.0.3:8080"
    )
    # No answer: its status is 0, and its time what Envoy counted in whole milliseconds.
    assert parse(CLIENT.format(at=12.5)) == Passage(
        "client", True, 12.5, 0.007, 0, "127.0.0.1:0", "127.0.1.1:8080", "service|tea|pot|8080", "127.0.0.3:8080"
    )


@pytest.mark.parametrize("line", ["", "server", SERVER.format(at=1)[:30], SERVER.format(at=1).replace("1275", "x")])
def test_what_is_no_whole_line_is_passed_over(line: str) -> None:
    assert parse(line) is None


def test_formats_have_as_many_fields_as_are_read(tmp_path: Path) -> None:
    for side in ("client", "server"):
        (logger,) = access_log(side, tmp_path, tunnel=False)
        text = logger["typed_config"]["log_format"]["text_format_source"]["inline_string"]
        assert text.count("\t") == SERVER.count("\t") == CLIENT.count("\t")
        assert text.endswith("\n")


def test_a_window_has_what_ended_in_it_newest_first(tmp_path: Path) -> None:
    write(tmp_path, *(SERVER.format(at=at) for at in (1, 2, 3, 4, 5)))
    assert ends(Journal(tmp_path).between(2, 4)) == [4, 3]
    assert ends(Journal(tmp_path).between(5, 9)) == []


def test_a_line_that_is_not_finished_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "traffic.log").write_text(SERVER.format(at=1) + "\n" + SERVER.format(at=2))
    assert ends(Journal(tmp_path).between(0, 9)) == [1]
    (tmp_path / "traffic.log").write_text(SERVER.format(at=1)[:20])
    assert Journal(tmp_path).between(0, 9) == []


def test_lines_are_whole_whatever_the_size_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *(SERVER.format(at=at) for at in range(1, 30)))
    for size in (1, 7, len(SERVER), 1000):
        monkeypatch.setattr(metrics_log, "_BLOCK_BYTES", size)
        assert ends(Journal(tmp_path).between(0, 99)) == list(range(29, 0, -1))


def test_only_as_much_is_read_as_the_window_reaches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *(SERVER.format(at=at) for at in range(10_000)))
    monkeypatch.setattr(metrics_log, "_BLOCK_BYTES", 4096)
    parsed: list[str] = []

    def counting(line: str) -> Passage | None:
        parsed.append(line)
        return parse(line)

    monkeypatch.setattr(metrics_log, "parse", counting)
    assert len(Journal(tmp_path).between(9_989, 9_999)) == 10
    assert len(parsed) < 20


def test_the_older_file_goes_before_the_newer(tmp_path: Path) -> None:
    write(tmp_path, SERVER.format(at=1), SERVER.format(at=2), name="traffic.1.log")
    write(tmp_path, SERVER.format(at=3))
    assert ends(Journal(tmp_path).between(0, 9)) == [3, 2, 1]


def test_without_traffic_there_is_no_file(tmp_path: Path) -> None:
    assert Journal(tmp_path).between(0, 9) == []
