"""The cluster that runs, for tests that need one."""

from __future__ import annotations

import pytest

from tests.e2e.cluster import Cluster, found
from tests.e2e.judge import MESHES, prepare
from tests.e2e.trouble import E2eError


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The one that runs, with what OSM is made of."""
    try:
        running = found()
    except E2eError as fault:
        pytest.fail(str(fault))
    prepare(running, MESHES["osm"])
    return running
