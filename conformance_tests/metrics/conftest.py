"""What metrics tests begin with: the API, and a kettle that may call the teapot."""

from __future__ import annotations

import pytest

from pytest_smi import Metrics, Smi, Workload, assert_allowed


@pytest.fixture
def metrics(smi: Smi) -> Metrics:
    """The metrics API as the user of this run sees it."""
    return Metrics(smi)


@pytest.fixture
def served(smi: Smi, kettle: Workload, teapot: Workload) -> Workload:
    """The teapot, which the kettle may call and has called."""
    smi.allow(kettle, to=[teapot])
    assert_allowed(kettle.get(teapot))
    return teapot
