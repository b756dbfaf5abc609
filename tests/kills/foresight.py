"""Which tests a fault can touch: those during which the mesh would have decided something otherwise. Pure.

The data plane does what the policy says, so a test during which every policy was the sound mesh's cannot tell the two
apart. Definitions and conversions are no part of a policy: what a fault changes there reaches the tests that look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pytest_smi.embedded.mesh.compiler import compile_policy
from pytest_smi.embedded.mesh.faults import semantics_of
from pytest_smi.embedded.mesh.metrics_semantics import MetricsSemantics
from pytest_smi.embedded.mesh.model import Policy
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot
from pytest_smi.embedded.mesh.topology import Topology, read
from pytest_smi.spec.crds import crds
from pytest_smi.spec.kinds import STORAGE_VERSION
from tests.kills.recording import replay

# Decisions that no policy shows -> the folder of the tests that show them.
_SEEN_IN = {
    "converted": "api",
    "resumes": "access",
    **{name: "metrics" for name in vars(MetricsSemantics) if not name.startswith("_")},
}
# Kind -> the folders whose tests make objects of it, or try to.
_USERS = {
    "TrafficTarget": {"access", "api", "cross", "metrics", "specs", "split"},
    "IdentityBinding": {"access", "api"},
    "HTTPRouteGroup": {"access", "api", "cross", "metrics", "specs", "split"},
    "TCPRoute": {"access", "api", "cross", "specs", "split"},
    "UDPRoute": {"access", "api", "cross", "specs", "split"},
    "TrafficSplit": {"api", "cross", "metrics", "split"},
}
_Step = tuple[str | None, Snapshot, Policy, Topology]


def touched(fault: str, recordings: Iterable[Path], looked_at: Collection[str]) -> set[str]:
    """Those of the requirements `looked_at` whose tests the fault can touch."""
    if not _decides(fault):
        return set()
    return {one for path in recordings for one in _touched(fault, _steps(path), looked_at)}


def _decides(fault: str) -> bool:
    """Whether a policy can be another one with the fault."""
    kinds = type(semantics_of(fault)).__mro__
    changed = {name for kind in kinds[: kinds.index(Semantics)] for name in vars(kind) if not name.startswith("__")}
    return not {name for name in changed if hasattr(Semantics, name)} <= {*_SEEN_IN, "crds"}


def _touched(fault: str, steps: list[_Step], looked_at: Collection[str]) -> set[str]:
    semantics = semantics_of(fault)
    found: set[str] = set()
    for test, snapshot, sound, topology in steps:
        if test is None or test in found or test not in looked_at:
            semantics.view(snapshot)  # a fault of memory sees everything
        elif compile_policy(snapshot, semantics, topology) != sound:
            found.add(test)
    return found


@cache
def _steps(path: Path) -> list[_Step]:
    found: list[_Step] = []
    sound = Semantics()
    topology: Topology | None = None
    for test, snapshot in replay(path):
        topology = topology if topology and topology.is_of(snapshot) else read(snapshot)
        policy = compile_policy(snapshot, sound, topology)
        if found and found[-1][2] == policy:
            if found[-1][0] == test and _same_but_pods(found[-1][1], snapshot):
                continue  # a pod's status and its like, in which nothing was decided anew
            policy = found[-1][2]  # one copy is enough
        found.append((test, snapshot, policy, topology))
    return found


def _same_but_pods(one: Snapshot, other: Snapshot) -> bool:
    return all(one.objects[kind] is other.objects[kind] for kind in other if kind not in ("Pod", "EndpointSlice"))


def places(fault: str, folders: Iterable[str]) -> set[str]:
    """Those of the suite's folders whose tests see what the fault changes beside policies."""
    semantics = semantics_of(fault)
    found = set().union(*(_seeing(*pair) for pair in zip(crds(), semantics.crds(crds()), strict=True)))
    for name, seen in _SEEN_IN.items():
        if getattr(type(semantics), name) is not getattr(Semantics, name):
            found.add(seen)
    return found & set(folders)


def _seeing(known: dict[str, Any], changed: dict[str, Any]) -> set[str]:
    """Folders whose tests see what is different in the definition of a kind: another schema takes other objects.

    What is foreseen is a run in the newest API versions.
    """
    if _schema(known) != _schema(changed):
        return _USERS[known["spec"]["names"]["kind"]]
    return {"api"} if known != changed else set()


def _schema(definition: dict[str, Any]) -> Any:
    return next(one["schema"] for one in definition["spec"]["versions"] if one["name"] == STORAGE_VERSION)
