"""A mesh that the run brings: recorded before it comes, made to deny, and taken away as a whole."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster import leftovers
from pytest_smi.cluster.ownership import create, labels, run_of
from pytest_smi.errors import HarnessError, MeshError
from pytest_smi.mesh.bring import Bringer
from pytest_smi.mesh.look import ref_of
from pytest_smi.mesh.objects import Objects, Ref
from pytest_smi.mesh.programs import Programs, environment
from pytest_smi.mesh.ready import Readiness
from pytest_smi.mesh.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile

_CLEAN = "if that run has ended, pytest-smi clean removes what it left"


def claim(cluster: Cluster, profile: Profile, run: str) -> Record:
    """Make the mesh's namespace and the record of what is about to come. Raises MeshError where a mesh is already."""
    objects = Objects(cluster.api)
    _refuse(objects, profile)
    space = {"name": profile.namespace, "labels": labels(run)}
    create(cluster.api, {"apiVersion": "v1", "kind": "Namespace", "metadata": space})
    record = Record(run, profile)
    try:
        record.save(cluster.api)
    except BaseException:
        cluster.api.delete(f"/api/v1/namespaces/{profile.namespace}")
        raise
    return record


def bring(cluster: Cluster, record: Record, context: str | None = None) -> None:
    """Bring the mesh of a record, and wait until it is ready and denies by default.

    Raises HarnessError; what has come by then is for `remove`.
    """
    with _bringer(cluster, record, context) as bringer:
        bringer.bring()
    Readiness(cluster, record.profile).wait(brought=True)
    _deny(Objects(cluster.api), record)


def remove(cluster: Cluster, record: Record, context: str | None = None) -> None:
    """Take away the mesh of a record, its namespace last. Does all it can before it raises HarnessError."""
    objects, seconds = Objects(cluster.api), record.profile.install.seconds
    troubles: list[str] = []

    def tried(step: Callable[[], object]) -> None:
        try:
            step()
        except HarnessError as trouble:
            troubles.append(str(trouble))

    tried(lambda: _undo_deny(objects, record))
    with _bringer(cluster, record, context) as bringer:
        tried(bringer.take)
    tried(lambda: objects.delete(objects.matching(record.profile.uninstall.remains), seconds))
    if not troubles:  # the record goes with the namespace: whoever tries again needs it
        tried(lambda: _remove_namespace(cluster, record.namespace, seconds))
    if troubles:
        raise MeshError(
            f"the {record.profile.name} mesh of run {record.run} could not be removed: {'; '.join(troubles)}",
            "mend that, then: pytest-smi clean",
        )


def _remove_namespace(cluster: Cluster, name: str, seconds: float) -> None:
    found = cluster.api.find(f"/api/v1/namespaces/{name}")
    if found:
        space = [leftovers.namespace(found)]
        leftovers.remove(cluster.api, space)
        leftovers.wait_gone(cluster.api, space, seconds)


@contextmanager
def _bringer(cluster: Cluster, record: Record, context: str | None) -> Iterator[Bringer]:
    profile = record.profile
    with tempfile.TemporaryDirectory(prefix="smi-install-") as name:
        more = {"SMI_RUN": record.run, "SMI_NAMESPACE": profile.namespace}
        programs = Programs(
            environment(cluster, context, Path(name), more), profile.install.directory, profile.install.seconds
        )
        yield Bringer(Objects(cluster.api), record, programs, Path(name))


def _refuse(objects: Objects, profile: Profile) -> None:
    """Never install over a mesh, or what is left of one: it could not be told apart from ours afterwards."""
    found = objects.find(Ref("v1", "Namespace", "", profile.namespace))
    if found:
        run = run_of(found)
        raise MeshError(
            f"namespace {profile.namespace} is there already{f', made by run {run}' if run else ''}",
            _CLEAN if run else "judge the mesh that is there by leaving out --smi-install, or remove it first",
        )
    left = objects.matching(profile.uninstall.remains)
    if left:
        names = ", ".join(map(str, left[:3])) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        raise MeshError(
            f"the cluster has parts of a mesh already: {names}",
            "judge the mesh that is there by leaving out --smi-install, or remove it first",
        )


def _deny(objects: Objects, record: Record) -> None:
    wanted = record.profile.deny
    if wanted is None:
        return
    ref = ref_of(wanted.object, record.namespace)
    found = objects.find(ref)
    if found is None:
        raise MeshError(f"[deny] {ref} is not there", f"does version {record.profile.install.version} have it?")
    record.undo_deny = reverse(found, wanted.patch)
    record.save(objects.api)
    objects.api.patch(str(objects.path(ref)), wanted.patch)


def _undo_deny(objects: Objects, record: Record) -> None:
    if record.undo_deny is None or record.profile.deny is None:
        return
    ref = ref_of(record.profile.deny.object, record.namespace)
    if objects.find(ref):
        objects.api.patch(str(objects.path(ref)), record.undo_deny)


def reverse(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that brings back what an object had before another merge patch. Pure."""
    undo: dict[str, Any] = {}
    for name, value in patch.items():
        old = before.get(name)
        undo[name] = reverse(old, value) if isinstance(value, dict) and isinstance(old, dict) else old
    return undo
