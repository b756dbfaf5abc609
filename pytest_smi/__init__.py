"""pytest-smi: fixtures, assertions and the conformance suite for the Service Mesh Interface.

What a test author imports stands here, and nothing else is public. Names load on first use, because pytest imports
the plugin (and with it this module) in every run of an environment.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from pytest_smi.assertions.access import assert_allowed as assert_allowed
    from pytest_smi.assertions.access import assert_denied as assert_denied
    from pytest_smi.assertions.access import assert_none_gets_through as assert_none_gets_through
    from pytest_smi.assertions.access import is_allowed as is_allowed
    from pytest_smi.assertions.flows import Flow as Flow
    from pytest_smi.assertions.flows import assert_never_allowed as assert_never_allowed
    from pytest_smi.assertions.flows import assert_uninterrupted as assert_uninterrupted
    from pytest_smi.assertions.matrix import assert_every_pod_answers as assert_every_pod_answers
    from pytest_smi.assertions.matrix import assert_matrix as assert_matrix
    from pytest_smi.assertions.matrix import assert_on_one_connection as assert_on_one_connection
    from pytest_smi.assertions.metrics import Answer as Answer
    from pytest_smi.assertions.metrics import Metrics as Metrics
    from pytest_smi.assertions.metrics import assert_answers as assert_answers
    from pytest_smi.assertions.metrics import assert_told as assert_told
    from pytest_smi.assertions.metrics import near as near
    from pytest_smi.assertions.metrics_direct import direct_call as direct_call
    from pytest_smi.assertions.metrics_load import Load as Load
    from pytest_smi.assertions.metrics_load import logged as logged
    from pytest_smi.assertions.plain import assert_accepted as assert_accepted
    from pytest_smi.assertions.plain import assert_comes as assert_comes
    from pytest_smi.assertions.plain import assert_rejected as assert_rejected
    from pytest_smi.assertions.plain import assert_that as assert_that
    from pytest_smi.assertions.shares import are_shared as are_shared
    from pytest_smi.assertions.shares import assert_only as assert_only
    from pytest_smi.assertions.shares import assert_reaches as assert_reaches
    from pytest_smi.assertions.shares import assert_shares as assert_shares
    from pytest_smi.assertions.shares import reached as reached
    from pytest_smi.cluster.api import Refused as Refused
    from pytest_smi.errors import HarnessError as HarnessError
    from pytest_smi.errors import NonConformance as NonConformance
    from pytest_smi.spec.kinds import KINDS as KINDS
    from pytest_smi.spec.metrics import MEASURED as MEASURED
    from pytest_smi.spec.metrics import METRIC_NAMES as METRIC_NAMES
    from pytest_smi.spec.metrics import PERCENTILES as PERCENTILES
    from pytest_smi.spec.metrics import metrics_path as metrics_path
    from pytest_smi.spec.metrics_read import BadMetrics as BadMetrics
    from pytest_smi.spec.metrics_read import Item as Item
    from pytest_smi.spec.metrics_read import Listing as Listing
    from pytest_smi.spec.resources import ANY as ANY
    from pytest_smi.spec.resources import GET as GET
    from pytest_smi.spec.resources import HEAD as HEAD
    from pytest_smi.spec.resources import POST as POST
    from pytest_smi.spec.resources import PUT as PUT
    from pytest_smi.spec.resources import Backend as Backend
    from pytest_smi.spec.resources import HTTPRouteGroup as HTTPRouteGroup
    from pytest_smi.spec.resources import Identity as Identity
    from pytest_smi.spec.resources import IdentityBinding as IdentityBinding
    from pytest_smi.spec.resources import Match as Match
    from pytest_smi.spec.resources import Raw as Raw
    from pytest_smi.spec.resources import Resource as Resource
    from pytest_smi.spec.resources import RouteRef as RouteRef
    from pytest_smi.spec.resources import Rule as Rule
    from pytest_smi.spec.resources import TCPRoute as TCPRoute
    from pytest_smi.spec.resources import TrafficSplit as TrafficSplit
    from pytest_smi.spec.resources import TrafficTarget as TrafficTarget
    from pytest_smi.spec.resources import UDPRoute as UDPRoute
    from pytest_smi.workload.call import Call as Call
    from pytest_smi.workload.call import Target as Target
    from pytest_smi.workload.certificates import certificate_of as certificate_of
    from pytest_smi.workload.manifests import Deployed as Deployed
    from pytest_smi.workload.manifests import port as port
    from pytest_smi.workload.smi import Smi as Smi
    from pytest_smi.workload.workload import Workload as Workload

__version__ = "0.1.0"

_HOMES = {
    "pytest_smi.assertions.access": ("assert_allowed", "assert_denied", "assert_none_gets_through", "is_allowed"),
    "pytest_smi.assertions.flows": ("Flow", "assert_never_allowed", "assert_uninterrupted"),
    "pytest_smi.assertions.matrix": ("assert_every_pod_answers", "assert_matrix", "assert_on_one_connection"),
    "pytest_smi.assertions.metrics": ("Answer", "Metrics", "assert_answers", "assert_told", "near"),
    "pytest_smi.assertions.metrics_direct": ("direct_call",),
    "pytest_smi.assertions.metrics_load": ("Load", "logged"),
    "pytest_smi.assertions.plain": ("assert_accepted", "assert_comes", "assert_rejected", "assert_that"),
    "pytest_smi.assertions.shares": ("are_shared", "assert_only", "assert_reaches", "assert_shares", "reached"),
    "pytest_smi.cluster.api": ("Refused",),
    "pytest_smi.errors": ("HarnessError", "NonConformance"),
    "pytest_smi.spec.kinds": ("KINDS",),
    "pytest_smi.spec.metrics": ("MEASURED", "METRIC_NAMES", "PERCENTILES", "metrics_path"),
    "pytest_smi.spec.metrics_read": ("BadMetrics", "Item", "Listing"),
    "pytest_smi.spec.resources": (
        "ANY",
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "Backend",
        "HTTPRouteGroup",
        "Identity",
        "IdentityBinding",
        "Match",
        "Raw",
        "Resource",
        "RouteRef",
        "Rule",
        "TCPRoute",
        "TrafficSplit",
        "TrafficTarget",
        "UDPRoute",
    ),
    "pytest_smi.workload.call": ("Call", "Target"),
    "pytest_smi.workload.certificates": ("certificate_of",),
    "pytest_smi.workload.manifests": ("Deployed", "port"),
    "pytest_smi.workload.smi": ("Smi",),
    "pytest_smi.workload.workload": ("Workload",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def requirement(identifier: str) -> "pytest.MarkDecorator":
    """Mark a test as the judgement of one SMI requirement, e.g. `@requirement("TA-005")`.

    It is collected once for each API version that carries the requirement. An unknown id is a collection error.
    """
    import pytest

    return pytest.mark.requirement(identifier)


def __getattr__(name: str) -> Any:
    try:
        return getattr(import_module(_HOME[name]), name)
    except KeyError:
        raise AttributeError(f"module 'pytest_smi' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__", "requirement"])
