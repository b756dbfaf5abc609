"""What split tests begin with: the clients may reach every version of the teapot, so that only the split decides."""

from __future__ import annotations

import pytest

from pytest_smi import Smi, Target, Workload


@pytest.fixture
def teapots(smi: Smi, kettle: Workload, cosy: Workload, china: Workload, glass: Workload, clay: Workload) -> Target:
    """The root Service; kettle and cosy may reach all that it selects (without access control they need no grant)."""
    smi.allow(kettle, cosy, to=[china, glass, clay])
    return smi.scene.service("teapots", smi.namespace)
