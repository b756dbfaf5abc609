"""KUBEBUILDER_ASSETS that cannot be used: one clear line, and nothing is left running."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.run_process import FEW, PytestRun

SECONDS = 30.0
WAITS = "#!/bin/sh\nexec sleep 600\n"


def folder(place: Path, **programs: str) -> Path:
    """A folder of programs that are scripts."""
    place.mkdir()
    for name, text in programs.items():
        path = place / name.replace("_", "-")
        path.write_text(text)
        path.chmod(0o755)
    return place


def refusal(state: Path, assets: Path) -> dict[str, str]:
    """What the cluster says when it cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_smi.embedded", "--state", str(state)],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={"KUBEBUILDER_ASSETS": str(assets), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 3
    assert done.stderr == ""
    said: dict[str, str] = json.loads(done.stdout)
    return said


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    assets = folder(tmp_path / "assets", etcd=WAITS)
    said = refusal(tmp_path / "state", assets)
    assert said["error"] == f"KUBEBUILDER_ASSETS={assets} has no program kube-apiserver"


@pytest.mark.parametrize(
    ("programs", "told"),
    [
        (
            {"etcd": "#!/bin/sh\necho no room for data\nexit 7\n", "kube_apiserver": WAITS},
            "etcd has ended with status 7: no room for data",
        ),
        ({"etcd": WAITS, "kube_apiserver": "#!/bin/sh\nexit 1\n"}, "kube-apiserver has ended with status 1: it said "),
        ({"etcd": "no program", "kube_apiserver": WAITS}, "etcd cannot be run: Exec format error"),
    ],
)
def test_a_program_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, programs: dict[str, str], told: str
) -> None:
    said = refusal(tmp_path / "state", folder(tmp_path / "assets", **programs))
    assert told in said["error"]


def test_a_run_on_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    run = PytestRun(tmp_path, FEW, "-n0", env={"KUBEBUILDER_ASSETS": str(tmp_path / "none")})
    assert run.status == 3, run.said
    assert set(run.verdicts().values()) == {"error"}
    assert f"KUBEBUILDER_ASSETS={tmp_path / 'none'} is not a folder" in run.said
    assert "Traceback" not in run.said
    assert run.processes() == {}
