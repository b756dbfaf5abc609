"""Where the programs of a real control plane are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_smi.embedded.realapi import assets
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


def program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_nothing_named_is_no_assets() -> None:
    assert assets.find({}) is None
    assert assets.find({assets.VARIABLE: ""}) is None


def test_a_folder_with_both_programs(tmp_path: Path) -> None:
    for name in ("etcd", "kube-apiserver"):
        program(tmp_path / name)
    found = assets.find({assets.VARIABLE: str(tmp_path)})
    assert found == assets.Assets(tmp_path / "etcd", tmp_path / "kube-apiserver")


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([], "has no program etcd and no kube-apiserver"),
        (["etcd"], "has no program kube-apiserver"),
        (["kube-apiserver"], "has no program etcd"),
    ],
)
def test_an_incomplete_folder_is_named_with_what_it_lacks(tmp_path: Path, there: list[str], told: str) -> None:
    for name in there:
        program(tmp_path / name)
    with pytest.raises(ClusterError) as refusal:
        assets.find({assets.VARIABLE: str(tmp_path)})
    assert refusal.value.what == f"KUBEBUILDER_ASSETS={tmp_path} {told}"
    assert "unset it" in refusal.value.advice


def test_a_file_that_may_not_be_run_is_no_program(tmp_path: Path) -> None:
    program(tmp_path / "etcd")
    program(tmp_path / "kube-apiserver")
    (tmp_path / "etcd").chmod(0o644)
    with pytest.raises(ClusterError, match="has no program etcd"):
        assets.find({assets.VARIABLE: str(tmp_path)})


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="none is not a folder"):
        assets.find({assets.VARIABLE: str(tmp_path / "none")})
