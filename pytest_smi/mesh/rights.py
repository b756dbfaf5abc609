"""What a run may look at of a mesh that is there already, beyond what every run does: as its profile asks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.cluster.api import plural
from pytest_smi.cluster.rights import RIGHTS, Right

if TYPE_CHECKING:
    from pytest_smi.mesh.profile import Profile

_WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


def rights_of(profile: Profile) -> list[Right]:
    """The rights that a run needs which judges the mesh of this profile."""
    found = list(RIGHTS)
    ready = profile.ready
    if ready.daemonsets:
        names = tuple(name.rpartition("/")[2] for name in ready.daemonsets)
        found.append(Right(("get",), "apps", ("daemonsets",), "whether the mesh is ready", names))
    if ready.webhooks:
        group = "admissionregistration.k8s.io"
        found.append(Right(("get",), group, _WEBHOOKS, "whether the mesh can inject its proxies", ready.webhooks))
    for one in profile.precondition:
        wanted = one.object
        group = wanted.api.rpartition("/")[0]
        right = Right(("get",), group, (plural(wanted.kind),), f"to see that {one.that}", (wanted.name,))
        if not any(_covers(other, right) for other in found):
            found.append(right)
    return found


def _covers(one: Right, other: Right) -> bool:
    """Whether whoever has the one right has the other already."""
    same = one.group == other.group and set(other.resources) <= set(one.resources)
    return same and set(other.verbs) <= set(one.verbs) and (not one.names or set(other.names) <= set(one.names))
