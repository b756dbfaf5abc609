"""What metrics tests begin with: the API, and traffic for it to tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pytest_smi import Item, Load, Metrics, Smi, Target, Workload, assert_allowed

Told = Callable[[], list[Item]]


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


@pytest.fixture
def pouring(kettle: Workload, served: Workload) -> Iterator[Load]:
    """The kettle calls the teapot steadily while the test runs."""
    with Load(kettle.get(served)) as load:
        yield load


@pytest.fixture
def told(metrics: Metrics, kettle: Workload, teapot: Workload, pouring: Load) -> Told:
    """What is told of one flow in all ways of asking: each call gives the items of objects, lists and edges."""

    def everything() -> list[Item]:
        return [
            metrics.get("deployments", teapot.name),
            *metrics.listing("pods").of(teapot.pod.name),
            *metrics.edges("pods", teapot.pod.name).items,
            *metrics.edges("pods", kettle.pod.name).items,
        ]

    return everything


@pytest.fixture
def teapots(smi: Smi, metrics: Metrics, kettle: Workload, china: Workload, glass: Workload, clay: Workload) -> Target:
    """The root Service of splits; the kettle may reach all that it selects."""
    if "trafficsplits" not in {entry["name"] for entry in metrics.resources()}:
        smi.lacks("metrics", "the API does not offer trafficsplits")
    smi.allow(kettle, to=[china, glass, clay])
    return smi.scene.service("teapots", smi.namespace)
