"""What a run must be allowed to read of a mesh that is there already, as its profile says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.cluster.api import plural
from pytest_smi.cluster.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_smi.mesh.profile import Profile

_WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


def rights_of(profile: Profile) -> tuple[Right, ...]:
    """Rights beside those of every run: to see that the mesh is ready, and set up for SMI."""
    return tuple(_ready(profile)) + tuple(_preconditions(profile))


def _ready(profile: Profile) -> Iterator[Right]:
    why = f"to see that {profile.title or profile.name} is ready"
    names = tuple(dict.fromkeys(name.rpartition("/")[2] for name in profile.ready.daemonsets))
    if names:
        yield Right(("get",), "apps", ("daemonsets",), why, names)
    if profile.ready.webhooks:
        yield Right(("get",), "admissionregistration.k8s.io", _WEBHOOKS, why, profile.ready.webhooks)


def _preconditions(profile: Profile) -> Iterator[Right]:
    for one in profile.precondition:
        group, _, _ = one.object.api.rpartition("/")
        yield Right(("get",), group, (plural(one.object.kind),), f"to see that {one.that}", (one.object.name,))
