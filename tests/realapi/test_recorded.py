"""A real API server still answers the stories as its answers are recorded, and judges a mesh as ours does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.embedded.differential import servers
from tests.embedded.differential.difference import differences
from tests.embedded.differential.story import stories
from tests.embedded.run_process import PytestRun

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smi.embedded.realapi.assets import Assets

CHOSEN = "--smi-requirement=TA-001,TA-004,TS-001,TS-007"


def test_the_recorded_answers_are_those_of_the_server(programs: Assets, tmp_path: Path) -> None:
    with servers.real(programs, tmp_path) as player:
        if player.version() != servers.recorded_version():
            pytest.fail(f"recorded of {servers.recorded_version()}, and this is {player.version()}: record again")
        found = [
            one
            for story in stories()
            for one in differences(story.name, servers.recorded(story.name), servers.play(player, story))
        ]
    assert not found, "\n".join(map(str, found))


def test_verdicts_are_the_same_on_both_servers(programs: Assets, tmp_path: Path) -> None:
    verdicts = []
    for name, named in (("real", str(programs.etcd.parent)), ("ours", "")):
        folder = tmp_path / name
        folder.mkdir()
        run = PytestRun(folder, CHOSEN, "-n0", env={"KUBEBUILDER_ASSETS": named})
        assert run.status in (0, 1), run.said
        verdicts.append(run.verdicts())
    assert verdicts[0] == verdicts[1]
    assert set(verdicts[0].values()) <= {"pass", "observation"}
