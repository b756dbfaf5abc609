"""A cluster with a mesh that somebody else runs: there before the run under test, and afterwards as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_smi.cluster.api import Api
from pytest_smi.cluster.embedded import EmbeddedCluster
from pytest_smi.mesh.lifecycle import Mesh
from pytest_smi.mesh.profile import load_profile

PROFILE = """
name = "mine"
[versions]
access = ["v1alpha3"]
specs = ["v1alpha4"]
split = ["v1alpha2"]
[settle]
seconds = 10.0
[onboarding]
pod_annotations = { "embedded.pytest-smi.dev/sidecar" = "true" }
"""
_PASSING = {"Event"}  # come and go by themselves
_CHANGING = ("resourceVersion", "managedFields")


@contextmanager
def standing_mesh(folder: Path) -> Iterator[EmbeddedCluster]:
    """The embedded cluster with the reference mesh, as somebody else's would be."""
    found = EmbeddedCluster()
    try:
        found.wait()
        mesh = Mesh(load_profile("reference"), found, folder)
        try:
            mesh.wait()
            yield found
        finally:
            mesh.close()
    finally:
        found.close()


def flags(folder: Path, kubeconfig: Path | None) -> list[str]:
    """Writes the profile of that mesh into the folder; the flags with which a run there judges it."""
    (folder / "mine.toml").write_text(PROFILE)
    return ["--smi-mesh=./mine.toml", "--smi-cluster=kubeconfig", f"--smi-kubeconfig={kubeconfig}"]


def snapshot(api: Api) -> dict[str, str]:
    """Every object of every kind: its path, and what somebody has written into it (no status)."""
    found = {}
    groups = api.get("/apis")["groups"]
    for root in ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]:
        for one in api.get(root)["resources"]:
            if "/" in one["name"] or not {"list", "delete"} <= set(one["verbs"]) or one["kind"] in _PASSING:
                continue  # what cannot be deleted is no object but a measurement
            for obj in (api.find(f"{root}/{one['name']}") or {}).get("items", []):
                meta = obj["metadata"]
                found[f"{root}/{one['name']} {meta.get('namespace', '')}/{meta['name']}"] = _written(obj)
    return found


def _written(obj: dict[str, Any]) -> str:
    meta = {name: value for name, value in obj["metadata"].items() if name not in _CHANGING}
    rest = {name: value for name, value in obj.items() if name not in ("metadata", "status")}
    if meta.get("namespace") == "kube-system" and "leaseDurationSeconds" in rest.get("spec", {}):
        rest = {}  # the sign of life of a part of Kubernetes
    return json.dumps({**rest, "metadata": meta}, sort_keys=True)
