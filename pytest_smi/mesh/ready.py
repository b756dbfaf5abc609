"""Whether a mesh is there, whole, and ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.waiting import until
from pytest_smi.errors import ClusterError, DeadlineExceeded, MeshError
from pytest_smi.mesh.probe import fetch, is_ready, pods_of

if TYPE_CHECKING:
    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile
    from pytest_smi.mesh.schema_look import Probe

_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"


class Readiness:
    """What the `[ready]` section of a profile asks for, on one cluster."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self._cluster = cluster
        self._profile = profile
        self._wanted = profile.ready

    def wait(self, *, brought: bool) -> None:
        """Wait until the mesh is ready. `brought`: the run has installed it, so what is missing may still come.

        Raises MeshError for a mesh that is not there, or only half, and DeadlineExceeded with what is not ready.
        """
        if not brought:
            self._refuse_half()
        seconds = self._wanted.seconds
        missing: list[str] = []

        def ready() -> bool:
            missing[:] = self.missing()
            return not missing

        try:
            until(ready, "the mesh", "", seconds)
        except DeadlineExceeded:
            what = f"the {self._profile.name} mesh is not ready after {seconds:g} s: {'; '.join(missing)}"
            raise DeadlineExceeded(what, self._look()) from None

    def missing(self) -> list[str]:
        """What is not as it should be now, in words."""
        wanted = self._wanted
        found = [self._workload("deployments", name) for name in wanted.deployments]
        found += [self._workload("daemonsets", name) for name in wanted.daemonsets]
        found += [self._webhook(name) for name in wanted.webhooks]
        found += [self._answer(probe) for probe in wanted.http]
        return [one for one in found if one]

    def _refuse_half(self) -> None:
        kinds = (("deployments", self._wanted.deployments), ("daemonsets", self._wanted.daemonsets))
        parts = [(plural, name) for plural, names in kinds for name in names]
        absent = [f"{plural[:-1]} {name}" for plural, name in parts if self._find(plural, name) is None]
        title, where = self._profile.title or self._profile.name, self._profile.namespace
        if absent and len(absent) == len(parts):
            raise MeshError(
                f"there is no {title} on this cluster: no {absent[0]} in namespace {where}",
                "install it, or add --smi-install; or name its namespace in a profile that extends this one",
            )
        if absent:
            raise MeshError(
                f"{title} is only half installed: no {', '.join(absent)} in namespace {where}",
                "complete the installation, or remove the mesh and add --smi-install",
            )

    def _find(self, plural: str, name: str) -> dict[str, Any] | None:
        space, _, own = name.rpartition("/")
        return self._cluster.api.find(f"/apis/apps/v1/namespaces/{space or self._profile.namespace}/{plural}/{own}")

    def _workload(self, plural: str, name: str) -> str:
        found = self._find(plural, name)
        if found is None:
            return f"no {plural[:-1]} {name}"
        status = found.get("status", {})
        if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
            return f"{plural[:-1]} {name} is not up to date"
        if plural == "daemonsets":
            ready, wanted = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
        else:
            ready, wanted = status.get("availableReplicas", 0), found["spec"].get("replicas", 1)
            wanted = max(wanted, status.get("replicas", 0))  # old pods of a roll-out count too
        return "" if wanted and ready >= wanted else f"{plural[:-1]} {name} has {ready} of {wanted} pods ready"

    def _webhook(self, name: str) -> str:
        for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            found = self._cluster.api.find(f"{_WEBHOOKS}/{plural}/{name}")
            if found:
                trusted = all(one["clientConfig"].get("caBundle") for one in found.get("webhooks", ()))
                return "" if trusted else f"webhook configuration {name} has no caBundle"
        return f"no webhook configuration {name}"

    def _answer(self, probe: Probe) -> str:
        where = f"port {probe.port}{probe.path} of pods with {probe.pods}"
        try:
            pods = pods_of(self._cluster, self._profile.namespace, probe.pods)
            if not pods or not is_ready(pods[0]):
                return f"no ready pod with {probe.pods}"
            name = pods[0]["metadata"]["name"]
            page = fetch(self._cluster, self._profile.namespace, name, probe.port, probe.path)
        except ClusterError as fault:
            return f"{where}: {fault.what}"
        return "" if page.status == 200 else f"{where} answers {page.status}"

    def _look(self) -> str:
        return f"kubectl get pods -n {self._profile.namespace or 'NAMESPACE'}"
