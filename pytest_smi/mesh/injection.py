"""Whether a pod shows that it is in the mesh: proved from what the API server has of it, never assumed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smi.mesh.schema import Injection


def trouble(pod: Mapping[str, Any], wanted: Injection, *, meshed: bool) -> str:
    """What is wrong with a pod that should (or should not) be in the mesh, in words; empty when nothing is."""
    present: list[str] = []
    absent: list[str] = []
    for what, names, found in _marks(pod, wanted):
        for name in names:
            (present if name in found else absent).append(f"{what} {name}")
    where = f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
    if meshed and absent:
        return f"{where} is not in the mesh: it has no {', no '.join(absent)}"
    if not meshed and present:
        return f"{where} should stay outside the mesh, but has {', '.join(present)}"
    return ""


def _marks(pod: Mapping[str, Any], wanted: Injection) -> list[tuple[str, tuple[str, ...], set[str]]]:
    spec, meta = pod["spec"], pod["metadata"]
    containers = {one["name"] for part in ("containers", "initContainers") for one in spec.get(part) or ()}
    return [
        ("container", wanted.containers, containers),
        ("label", wanted.labels, set(meta.get("labels") or ())),
        ("annotation", wanted.annotations, set(meta.get("annotations") or ())),
    ]
