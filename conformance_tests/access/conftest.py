"""Workloads that only access tests need. They are deployed with the first test that asks and stay with the scene."""

from __future__ import annotations

import pytest

from pytest_smi import Deployed, Smi, Workload


@pytest.fixture
def guests(smi: Smi) -> dict[str, Workload]:
    """All of them at once, since pods start side by side: by name."""
    tea = smi.namespace
    wanted = [
        Deployed("kettle-double", tea, service_account="intruder", labels={"app": "kettle"}, service=False),
        Deployed("strainer", tea, service_account="kettle", service=False),
        Deployed("spare-pot", tea, service_account="teapot"),
        Deployed("stray", tea, service_account="default", service=False),
    ]
    return {guest.name: guest for guest in smi.scene.guests(*wanted)}


@pytest.fixture
def double(guests: dict[str, Workload]) -> Workload:
    """Looks like the kettle by name and label, but runs under the intruder's ServiceAccount."""
    return guests["kettle-double"]


@pytest.fixture
def strainer(guests: dict[str, Workload]) -> Workload:
    """Runs under the kettle's ServiceAccount and shares neither name nor label with it."""
    return guests["strainer"]


@pytest.fixture
def spare(guests: dict[str, Workload]) -> Workload:
    """A second Deployment under the teapot's ServiceAccount, behind a Service of its own."""
    return guests["spare-pot"]


@pytest.fixture
def stray(guests: dict[str, Workload]) -> Workload:
    """Its pod names no ServiceAccount, so it runs under `default`."""
    return guests["stray"]
