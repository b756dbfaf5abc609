"""The scene's workloads by name, as fixtures of the suite. Who they are is told in `pytest_smi.workload.scene`."""

from __future__ import annotations

import pytest

from pytest_smi import Smi, Workload


@pytest.fixture
def teapot(smi: Smi) -> Workload:
    """The server that access tests protect; alone behind its Service."""
    return smi.workload("teapot")


@pytest.fixture
def kettle(smi: Smi) -> Workload:
    """The client that is usually granted."""
    return smi.workload("kettle")


@pytest.fixture
def cosy(smi: Smi) -> Workload:
    """A second client, and a second server."""
    return smi.workload("cosy")


@pytest.fixture
def intruder(smi: Smi) -> Workload:
    """A client of the mesh whom nobody grants anything."""
    return smi.workload("intruder")


@pytest.fixture
def outsider(smi: Smi) -> Workload:
    """A pod under kettle's ServiceAccount that is not in the mesh, so it has no identity there."""
    return smi.workload("outsider")


@pytest.fixture
def kettle2(smi: Smi) -> Workload:
    """A client whose ServiceAccount is named kettle too, in the second namespace."""
    return smi.workload("kettle2")


@pytest.fixture
def teapot2(smi: Smi) -> Workload:
    """A server whose ServiceAccount is named teapot too, in the second namespace."""
    return smi.workload("teapot2")


@pytest.fixture
def china(smi: Smi) -> Workload:
    """A version of the teapot: a backend of splits."""
    return smi.workload("teapot-china")


@pytest.fixture
def glass(smi: Smi) -> Workload:
    """Another version of the teapot: a backend of splits."""
    return smi.workload("teapot-glass")


@pytest.fixture
def clay(smi: Smi) -> Workload:
    """The third version: behind the root Service, in no split, so it shows where the root's own selector decides."""
    return smi.workload("teapot-clay")
