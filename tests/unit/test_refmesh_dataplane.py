"""Which Envoy the reference mesh takes, and what it says when there is none that it can use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pytest_smi.embedded.mesh import dataplane
from pytest_smi.embedded.mesh.dataplane import ENVOY_VARIABLE, Envoy, find_envoy
from pytest_smi.errors import MeshError


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


@pytest.fixture
def everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An Envoy at each place where one may be."""
    found = {name: program(tmp_path / name / "envoy") for name in ("named", "packaged", "path")}
    monkeypatch.setenv(ENVOY_VARIABLE, str(found["named"]))
    monkeypatch.setenv("PATH", str(found["path"].parent))
    monkeypatch.setattr(dataplane, "_packaged", lambda: str(found["packaged"]))
    return found


def test_what_the_variable_names_comes_first_then_the_package_then_the_path(
    everywhere: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_envoy() == everywhere["named"]
    monkeypatch.setenv(ENVOY_VARIABLE, "")
    assert find_envoy() == everywhere["packaged"]
    everywhere["packaged"].unlink()
    assert find_envoy() == everywhere["path"]


@pytest.mark.parametrize("what", ["missing", "folder", "not executable"])
def test_a_variable_that_names_no_program_is_one_line_and_nothing_else_is_taken(
    everywhere: dict[str, Path], what: str
) -> None:
    named = everywhere["named"]
    if what == "not executable":
        named.chmod(0o600)
    else:
        named.unlink()
    if what == "folder":
        named.mkdir()
    with pytest.raises(MeshError) as refusal:
        find_envoy()
    assert refusal.value.what == f"SMI_ENVOY names {named}, which is no executable file"
    assert refusal.value.advice == "name an Envoy in it, or unset SMI_ENVOY"


def test_a_program_for_another_machine_is_one_line(tmp_path: Path) -> None:
    strange = program(tmp_path / "envoy")
    strange.write_bytes(b"\x7fELF\x02\x01\x01\x00" + b"\xff" * 60)
    envoy = Envoy(strange, tmp_path, tmp_path / "envoy.log")
    with pytest.raises(MeshError, match=r"cannot start Envoy .*: Exec format error"):
        asyncio.run(envoy.start())
    asyncio.run(envoy.stop())


@pytest.mark.parametrize("name", ["in", "listener-of-a-pod-in-a-folder-with-a-long-name" * 8], ids=["short", "long"])
def test_a_port_that_is_taken_is_told_whole_however_long_the_line_before_it_is(tmp_path: Path, name: str) -> None:
    log = tmp_path / "envoy.log"
    told = f"Error adding/updating listener(s) {name}: cannot bind '127.0.0.9:8080': Address already in use"
    log.write_text(f"[2026-01-01][1][critical] {told}\n[2026-01-01][1][error] exiting\n")
    with pytest.raises(MeshError) as refusal:
        Envoy(tmp_path, tmp_path, log).check({"listener_manager.lds.update_rejected": 1})
    assert refusal.value.what == "Envoy cannot listen on 127.0.0.9:8080: Address already in use"
