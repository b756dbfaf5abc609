"""`pytest-smi`: what it says of itself and of mistakes."""

from __future__ import annotations

import importlib

import pytest

from pytest_smi import __version__
from pytest_smi.cli import COMMANDS, main


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "pytest-smi: the following arguments are required: COMMAND"),
        (["clear"], "pytest-smi: argument COMMAND: invalid choice: 'clear'"),
        (["clean", "--dry"], "pytest-smi: unrecognized arguments: --dry"),
        (["job", "--mesh=osm"], "pytest-smi job: the following arguments are required: --image"),
    ],
)
def test_a_mistake_is_one_line_and_exit_4(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(told)
    assert said.err.count("\n") == 1
    assert "--help" in said.err


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"pytest-smi {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    module = importlib.import_module(f"pytest_smi.commands.{name.replace('-', '_')}")
    assert " ".join(module.HELP.split()) in said


def test_without_a_cluster_clean_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temp")))
    assert main(["clean", "--kubeconfig=/nonexistent"]) == 3
    assert "name one with --kubeconfig and --context, or add --local" in capsys.readouterr().err
    assert main(["clean", "--local"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"
