"""What a test holds as `smi`: apply and delete SMI objects in the API version under judgement, and record evidence."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from pytest_smi.cluster.api import Refused, path_to
from pytest_smi.cluster.ownership import labels as owned
from pytest_smi.errors import ManifestRefused
from pytest_smi.evidence import unsupported
from pytest_smi.spec.catalogue import KIND_FEATURES, find
from pytest_smi.spec.kinds import KINDS
from pytest_smi.spec.releases import compatible
from pytest_smi.spec.render import render
from pytest_smi.spec.resources import ANY, Raw, TrafficTarget
from pytest_smi.workload import manifests as m
from pytest_smi.workload.readiness import until_served
from pytest_smi.workload.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_smi.cluster.api import Api
    from pytest_smi.evidence import Case
    from pytest_smi.mesh.lifecycle import Mesh
    from pytest_smi.spec.matches import Match
    from pytest_smi.spec.releases import ApiVersions
    from pytest_smi.spec.resources import Resource, Route
    from pytest_smi.workload.call import Call, Target
    from pytest_smi.workload.scene import Scene
    from pytest_smi.workload.workload import Workload


class Smi:
    """The context of one requirement instance.

    `versions` are the API versions that it writes; `scene` has the workloads; `case` holds the evidence. Objects go to
    the scene's first namespace unless they name another.
    """

    def __init__(
        self, scene: Scene, mesh: Mesh, case: Case, versions: ApiVersions, encoding: Literal["array", "map"]
    ) -> None:
        self.scene = scene
        self.mesh = mesh
        self.case = case
        self.versions = versions
        self.encoding = encoding
        self.settle = mesh.profile.settle
        self.changed_at: float | None = None
        self.applied: dict[str, dict[str, Any]] = {}
        self.granted: dict[tuple[str, str, str, int], Call] = {}
        self.slowest_datagram: float | None = None
        self.last: Call | None = None

    @property
    def api(self) -> Api:
        """The cluster's API, for tests that speak to it themselves."""
        return self.scene.cluster.api

    @property
    def namespace(self) -> str:
        """The scene's first namespace."""
        return self.scene.namespace

    @property
    def namespace2(self) -> str:
        """The scene's second namespace."""
        return self.scene.namespace2

    @property
    def kind(self) -> str | None:
        """The kind under judgement, for requirements about each kind (`api`)."""
        return self.case.instance.kind

    def api_version(self, kind: str) -> str:
        """The `apiVersion` that this instance writes for a kind, e.g. `split.smi-spec.io/v1alpha4`."""
        found = KINDS[kind]
        return found.api_version(str(getattr(self.versions, found.area)))

    def kinds(self) -> list[str]:
        """The kinds that this instance's versions have and the mesh does not declare absent."""
        absent = self.mesh.profile.features.absent
        return [
            kind.kind
            for kind in KINDS.values()
            if getattr(self.versions, kind.area) in kind.versions and KIND_FEATURES.get(kind.kind) not in absent
        ]

    @contextmanager
    def writing(self, **versions: str) -> Iterator[None]:
        """Other API versions for the length of a `with` block, by area: `smi.writing(specs="v1alpha1")`."""
        before = self.versions, self.encoding
        self.versions = replace(self.versions, **versions)
        self.encoding = self.mesh.header_encoding(self.scene.cluster, self.versions.specs)
        try:
            yield
        finally:
            self.versions, self.encoding = before

    def specs_for(self, area: str) -> list[str]:
        """The served specs versions that the documents declare compatible with this instance's version of an area."""
        own = getattr(self.versions, area)
        return [specs for specs in self.mesh.profile.versions.specs if compatible(area, own, specs)]

    def path(self, resource: Resource) -> str:
        """The URL path of a resource that renders to one object."""
        (manifest,) = self.render(resource)
        return path_to(manifest)

    def render(self, *resources: Resource) -> list[dict[str, Any]]:
        """Manifests of resources in this instance's API versions, with the run's label on them."""
        rendered: dict[str, dict[str, Any]] = {}
        for resource in resources:
            for manifest in render(resource, self.versions, namespace=self.namespace, header_encoding=self.encoding):
                manifest["metadata"].setdefault("labels", {}).update(owned(self.scene.run))
                for one in m.splits(manifest, self.mesh.profile.onboarding) if self._splits_tcp else [manifest]:
                    rendered[path_to(one)] = one
        return list(rendered.values())

    @property
    def _splits_tcp(self) -> bool:
        name = self.case.instance.requirement
        return not name or "tcp-split" in find(name).features

    def apply(self, *resources: Resource) -> None:
        """Server-side-apply resources. Raises ManifestRefused (a harness error) when the API server refuses one."""
        refusal = self.refused(*resources)
        if refusal:
            raise ManifestRefused(
                f"the API server refused a manifest of {self.case.instance.key}: {refusal.message}",
                "do the mesh's CRDs serve this API version as its profile says?",
                refusal.status,
            )

    def refused(self, *resources: Resource) -> Refused | None:
        """Like `apply`, for objects that may rightly be refused: returns the refusal, or None when all were taken.

        Raises `Refused` when the API server fails or we lack the right: that says nothing about the object. `Raw` SMI
        objects are created or replaced: server-side apply answers 500 for fields and types that it cannot merge.
        """
        plain = {path_to(one.manifest) for one in resources if isinstance(one, Raw) and one.manifest["kind"] in KINDS}
        for manifest in self.render(*resources):
            meta = manifest["metadata"]
            title = f"{manifest['kind']} {meta['namespace']}/{meta['name']} ({manifest['apiVersion']})"
            with self.case.step("apply", title) as step:
                self.case.manifests.append(manifest)
                try:
                    write = self.api.write if path_to(manifest) in plain else self.api.apply
                    write(manifest)
                except Refused as refusal:
                    if not refusal.concerns_object:  # the server broke down over it, or it is not ours to apply
                        raise
                    step.details["refused"] = {"code": refusal.code, "message": refusal.message}
                    return refusal
                self.applied[path_to(manifest)] = manifest
                self.changed_at = time.monotonic()
        return None

    def tried(self, resource: Raw) -> dict[str, Any] | Refused:
        """What the API server would store of a manifest, or why it refuses it: a dry run, which no mesh sees.

        For objects that a mesh may choke on. Raises `Refused` when the API server fails (5xx).
        """
        (manifest,) = self.render(resource)
        with self.case.step("apply", f"dry run of {manifest['kind']} {manifest['metadata']['name']}") as step:
            self.case.manifests.append(manifest)
            try:
                return self.api.write(manifest, dryRun="All")
            except Refused as refusal:
                if refusal.code >= 500:
                    raise
                step.details["refused"] = {"code": refusal.code, "message": refusal.message}
                return refusal

    def delete(self, *resources: Resource) -> None:
        """Delete resources that this test applied."""
        for manifest in reversed(self.render(*resources)):
            self._delete(path_to(manifest), f"{manifest['kind']} {manifest['metadata']['name']}")

    def delete_all(self) -> bool:
        """Delete everything this test applied, newest first, except what stands; whether there was anything."""
        kept = self.scene.standing.applied if self.scene.standing else ()
        own = [(path, manifest) for path, manifest in self.applied.items() if path not in kept]
        for path, manifest in reversed(own):
            self._delete(path, f"{manifest['kind']} {manifest['metadata']['name']}")
        return bool(own)

    def grant(self, call: Call) -> None:
        """Note a call that was seen allowed: leaving the test waits until it is not served any more."""
        self.granted[call.pod.name, call.target.host, call.request.protocol, call.request.port] = call

    def stand(self, fixture: str) -> None:
        """Let what was applied and seen allowed so far outlive the test, as long as each next one uses the fixture.

        The fixture applies and asserts it for each of them all the same; only the waits fall away. Nothing of it may
        depend on the test. Does nothing for a mesh that has once not gone back to it.
        """
        if self.scene.stands and self.applied:
            calls = tuple(self.granted.values())
            self.scene.standing = Standing(fixture, self.versions, dict(self.applied), calls)

    def _delete(self, path: str, title: str) -> None:
        with self.case.step("apply", f"delete {title}") as step:
            step.details["existed"] = self.api.delete(path)
            self.applied.pop(path, None)
            self.changed_at = time.monotonic()

    def allow(
        self, *clients: Workload, to: list[Workload], name: str = "open", routes: Sequence[Match | Route] = (ANY(),)
    ) -> None:
        """Grant clients all HTTP (or other `routes`) on servers, one TrafficTarget for each in its own namespace.

        For tests about something else than access; on a mesh that serves no access control it does nothing.
        """
        if self.versions.access is None:
            return
        for server in to:
            title = f"{name}-{server.name}"
            self.apply(TrafficTarget(title, list(clients), server, routes, namespace=server.namespace))

    def fresh(self, name: str) -> str:
        """A name that no other test of this run has used: clients may remember where an earlier one led."""
        return f"{name}-{next(self.scene.numbers)}"

    def service(
        self,
        name: str,
        selector: dict[str, str],
        *workloads: Workload,
        ports: list[dict[str, Any]] | None = None,
        namespace: str | None = None,
        **spec: Any,
    ) -> Target:
        """Apply one more Service for this test, and wait until Kubernetes knows its endpoints.

        `workloads` are those whose application may answer for it; `spec` holds further fields of its spec, e.g.
        `clusterIP="None"`.
        """
        where = namespace or self.namespace
        onboarding = self.mesh.profile.onboarding
        wanted = m.services(name, where, self.scene.run, selector, onboarding, ports)
        self.apply(*(Raw({**one, "spec": {**one["spec"], **spec}}) for one in wanted))
        for one in wanted if selector else ():
            until_served(self.scene.cluster, where, one["metadata"]["name"], selector, *workloads)
        return self.scene.target(name, where, *workloads)

    @contextmanager
    def deployed(self, *wanted: m.Deployed) -> Iterator[list[Workload]]:
        """More workloads for the length of a `with` block, ready when it begins and gone when it ends."""
        with self.case.step("apply", f"deploy {', '.join(one.name for one in wanted)}"):
            added = self.scene.add(*wanted)
            self.scene.wait(*added)
        try:
            yield added
        finally:
            self.scene.remove(*added)

    @contextmanager
    def scaled(self, workload: Workload, replicas: int) -> Iterator[None]:
        """Another number of replicas for the length of a `with` block."""
        before = workload.replicas
        try:
            workload.scale(replicas)
            yield
        finally:
            workload.scale(before)

    def observe(self, name: str, value: Any) -> None:
        """Record what was seen where the spec is silent (level `open`); never a verdict."""
        self.case.observations[name] = value

    def lacks(self, feature: str, why: str) -> NoReturn:
        """End the test as *unsupported*: the mesh turns out not to have a feature (one of the catalogue's FEATURES)."""
        import pytest

        pytest.skip(unsupported(feature, why))

    def workload(self, name: str) -> Workload:
        """A workload of the scene by name."""
        return self.scene.workload(name)
