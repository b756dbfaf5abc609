"""Whether a mesh is set up for SMI: the preconditions of its profile, and the API versions that it should serve."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi import jsonpath
from pytest_smi.cluster.api import Refused
from pytest_smi.mesh.objects import Objects, Ref
from pytest_smi.spec.kinds import AREAS, KINDS, group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.mesh.profile import Profile
    from pytest_smi.mesh.schema_look import Object, Precondition

_KIND_FEATURES = {"TCPRoute": "tcp-routes", "UDPRoute": "udp", "IdentityBinding": "identity-binding"}


class Finding(NamedTuple):
    """A precondition, whether it holds, and what was found."""

    that: str
    held: bool
    found: str
    advice: str

    def __str__(self) -> str:
        return f"not so: {self.that} ({self.found}): {self.advice}"


def findings(objects: Objects, profile: Profile) -> list[Finding]:
    """Every precondition of the profile, and of every kind in its [versions] that it is served."""
    return [*_served(objects, profile), *(_checked(objects, one, profile.namespace) for one in profile.precondition)]


def judge(values: Sequence[Any], wanted: Precondition) -> bool:
    """Whether the values found in an object are as the precondition says. Pure."""
    if wanted.equals is not None:
        return bool(values) and all(value == wanted.equals for value in values)
    if wanted.differs is not None:
        return all(value != wanted.differs for value in values)
    if wanted.contains:
        return any(re.fullmatch(wanted.contains, str(value)) for value in values)
    if wanted.lacks:
        return not any(re.fullmatch(wanted.lacks, str(value)) for value in values)
    return bool(values)


def ref_of(one: Object, namespace: str) -> Ref:
    """The object that a profile names; `namespace` is the mesh's own."""
    return Ref(one.api, one.kind, one.namespace or namespace, one.name)


def _checked(objects: Objects, wanted: Precondition, namespace: str) -> Finding:
    ref = ref_of(wanted.object, namespace)
    try:
        found = objects.find(ref)
    except Refused as refusal:
        if refusal.code != 403:
            raise
        advice = "grant what `pytest-smi rbac --mesh` prints for this profile"
        return Finding(wanted.that, False, f"{ref} cannot be read: {refusal.reason}", advice)
    if found is None:
        return Finding(wanted.that, False, f"there is no {ref}", wanted.advice)
    values = jsonpath.evaluate(wanted.path, found)
    shown = ", ".join(map(repr, values[:5])) if wanted.path else "it is there"
    return Finding(wanted.that, judge(values, wanted), f"{wanted.path} of {ref}: {shown or 'nothing'}", wanted.advice)


def _served(objects: Objects, profile: Profile) -> list[Finding]:
    """What the profile says the mesh reconciles must be served by the cluster, but for features declared absent."""
    served, absent = profile.versions.served(), profile.features.absent
    wanted = [
        (one.api_version(version), one.kind)
        for one in KINDS.values()
        for version in served[one.area]
        if version in one.versions and _KIND_FEATURES.get(one.kind) not in absent
    ]
    wanted += [(f"{group('metrics')}/{version}", "TrafficMetrics") for version in served["metrics"] if AREAS["metrics"]]
    advice = "install the mesh's SMI extension and CRDs, or take the version out of [versions] of the profile"
    found = [(f"the cluster serves {kind} of {api}", objects.served(api, kind)) for api, kind in wanted]
    return [Finding(that, held, "it does" if held else "it does not", advice) for that, held in found]
