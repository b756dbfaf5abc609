"""Comparing runs: verdict by verdict, and a file that is no results.json is refused in one line."""

import argparse
import json
from pathlib import Path

import pytest

from pytest_smi.commands import compare
from pytest_smi.errors import HarnessError


def results(path: Path, mesh: str, **verdicts: str) -> Path:
    instances = [{"key": key.replace("_", "-"), "verdict": verdict} for key, verdict in verdicts.items()]
    document = {"mesh": {"name": mesh, "version": "1"}, "started": "2026-01-01T00:00:00Z", "instances": instances}
    path.write_text(json.dumps(document))
    return path


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    compare.arguments(parser)
    return compare.run(parser.parse_args([str(one) for one in arguments]))


def test_equal_runs_are_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = results(tmp_path / "one.json", "osm", TA_001="pass", TA_002="fail")
    two = results(tmp_path / "two.json", "osm", TA_002="fail", TA_001="pass")
    assert run(one, two) == 0
    assert capsys.readouterr().out == "0 of 2 instances differ\n"


def test_what_differs_is_told_with_each_runs_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = results(tmp_path / "one.json", "osm", TA_001="pass", TA_002="fail")
    two = results(tmp_path / "two.json", "fsm", TA_001="fail", TA_002="fail", TA_003="pass")
    assert run(one, two) == 1
    assert capsys.readouterr().out.splitlines() == [
        "instance  osm 1  fsm 1",
        "TA-001    pass   fail",
        "TA-003    -      pass",
        "2 of 3 instances differ",
    ]


def test_all_instances_can_be_shown_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = results(tmp_path / "one.json", "osm", TA_001="pass")
    assert run(one, one, "--all", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"key": "TA-001", "verdicts": ["pass", "pass"]}]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mesh": {"name": "x"}, "instances": [3]}', "nonsense"])
def test_a_file_that_is_no_results_json_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text)
    with pytest.raises(HarnessError, match=r"is no results\.json") as refused:
        run(path, path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot be read"):
        run(tmp_path / "none.json", tmp_path / "none.json")
