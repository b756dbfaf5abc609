"""What split tests begin with: the clients may reach every version of the teapot, so that only the split decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_smi import Smi, Target, TCPRoute, TrafficSplit, Workload, assert_allowed, assert_shares, port


@pytest.fixture
def teapots(smi: Smi, kettle: Workload, cosy: Workload, china: Workload, glass: Workload, clay: Workload) -> Target:
    """The root Service; kettle and cosy may reach all that it selects (without access control they need no grant).

    The grants are in force before the test begins: a mesh may take policies of two areas that come at once otherwise
    than one after the other, and what the test sees must not depend on which of it happened.
    """
    smi.allow(kettle, cosy, to=[china, glass, clay])
    root = smi.scene.service("teapots", smi.namespace)
    assert_allowed(*(client.get(to) for client in (kettle, cosy) for to in (china, glass, clay, root)))
    smi.stand("teapots")
    return root


@pytest.fixture
def streams(smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload) -> Target:
    """The same root, where kettle may open TCP connections too."""
    smi.allow(kettle, to=[china, glass, clay], name="stream", routes=[TCPRoute("any-port")])
    return teapots


@pytest.fixture
def single_port_root(smi: Smi, teapots: Target, china: Workload, glass: Workload, clay: Workload) -> Target:
    """A root over the same pods with port 8080 alone: backends that have no other leave nothing of it unserved."""
    return smi.service(smi.fresh("pots"), {"app": "teapots"}, china, glass, clay, ports=[port(8080)])


@pytest.fixture
def fence(
    smi: Smi, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> Callable[[], None]:
    """Waits until one more, good split of one more Service is in force: then what came before has been read too.

    It also shows that what was applied before it does no harm to others. It gives two of the Service's three pots an
    equal share: without the split all of them answer or, of a mesh that keeps to one for reasons of its own, that one.
    """

    def wait() -> None:
        name = smi.fresh("fence")
        root = smi.service(name, {"app": "teapots"}, china, glass, clay, ports=[port(8080)])
        shares = {china: 1, glass: 1}
        smi.apply(TrafficSplit(name, root, shares))
        assert_shares(kettle.get(root), shares, within=0.25)

    return wait
