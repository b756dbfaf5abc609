"""The embedded cluster on a real kube-apiserver."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_smi.embedded.realapi import assets
from pytest_smi.errors import ClusterError
from tests.embedded.cluster_process import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def programs() -> assets.Assets:
    """The programs that the environment names; without them every test here fails."""
    try:
        found = assets.find(os.environ)
    except ClusterError as error:
        pytest.fail(error.what)
    if found is None:
        pytest.fail(f"{assets.VARIABLE} names no folder with etcd and kube-apiserver")
    return found


@pytest.fixture(scope="module")
def cluster(programs: assets.Assets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster on them."""
    running = Cluster(tmp_path_factory.mktemp("realapi") / "state")
    yield running
    assert running.close() == 0
