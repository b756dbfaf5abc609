"""Objects of any kind on a cluster, found by what its API says of itself: a mesh brings kinds of its own."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smi.cluster.api import Refused
from pytest_smi.cluster.waiting import until
from pytest_smi.errors import DeadlineExceeded, MeshError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.cluster.api import Api

Manifest = dict[str, Any]

REMAINS = {
    "APIService": "apiregistration.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "Namespace": "v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
}
"""Cluster-wide kinds of which a mesh may leave something behind, and the API version to find them in."""


class Ref(NamedTuple):
    """Which object; `namespace` is empty for cluster-wide kinds."""

    api: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Objects:
    """Finds, creates and deletes objects of any kind; asks the API once how each kind is called in paths."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._known: dict[tuple[str, str], tuple[str, bool]] = {}

    def served(self, api_version: str, kind: str) -> bool:
        """Whether the API server serves the kind in that version now."""
        return self._resource(api_version, kind) is not None

    def ref(self, manifest: Manifest, namespace: str) -> Ref:
        """Which object a manifest describes; `namespace` is for those of a namespaced kind that name none.

        Raises MeshError for a kind that the cluster does not serve.
        """
        meta = manifest["metadata"]
        resource = self._resource(manifest["apiVersion"], manifest["kind"])
        if resource is None:
            raise MeshError(f"the cluster does not serve {manifest['kind']} of {manifest['apiVersion']}")
        where = str(meta.get("namespace") or namespace) if resource[1] else ""
        return Ref(manifest["apiVersion"], manifest["kind"], where, str(meta["name"]))

    def find(self, ref: Ref) -> Manifest | None:
        """The object, or None when it, or its kind, is not there."""
        path = self.path(ref)
        return self.api.find(path) if path else None

    def path(self, ref: Ref, *, collection: bool = False) -> str | None:
        """The URL path of the object, or of the collection that holds it; None when its kind is not served."""
        resource = self._resource(ref.api, ref.kind)
        if resource is None:
            return None
        plural, namespaced = resource
        space = f"/namespaces/{ref.namespace}" if namespaced and ref.namespace else ""
        return f"{_root(ref.api)}{space}/{plural}" + ("" if collection else f"/{ref.name}")

    def create(self, manifest: Manifest, ref: Ref) -> None:
        """Create the object. Raises Refused, also when it is there already."""
        meta = {**manifest["metadata"], **({"namespace": ref.namespace} if ref.namespace else {})}
        path = self.path(ref, collection=True)
        reply = self.api.request("POST", str(path), {**manifest, "metadata": meta})
        if reply.code >= 400:
            raise Refused(reply.code, reply.body if isinstance(reply.body, dict) else {}, f"creating {ref}")

    def delete(self, refs: Iterable[Ref], seconds: float) -> None:
        """Delete objects, in this order, and wait until all are gone. Raises DeadlineExceeded with those that stay."""
        wanted = [ref for ref in refs if self.path(ref)]
        for ref in wanted:
            self.api.delete(str(self.path(ref)))
        left: list[Ref] = wanted

        def gone() -> bool:
            left[:] = [ref for ref in left if self.find(ref)]
            return not left

        try:
            until(gone, "the mesh to go", "", seconds)
        except DeadlineExceeded:
            names = ", ".join(map(str, left))
            raise DeadlineExceeded(f"waited {seconds:g} s for {names} to be deleted", "see their finalizers") from None

    def matching(self, patterns: Iterable[str]) -> list[Ref]:
        """Cluster-wide objects by `Kind/NAME`, with a kind of REMAINS; NAME may have wildcards."""
        found = []
        for pattern in patterns:
            kind, _, name = pattern.partition("/")
            path = self.path(Ref(REMAINS[kind], kind, "", ""), collection=True)
            names = [str(one["metadata"]["name"]) for one in self.api.list(path)] if path else []
            found += [Ref(REMAINS[kind], kind, "", one) for one in fnmatch.filter(names, name)]
        return found

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """How a kind is called in paths, and whether it is namespaced."""
        known = self._known.get((api_version, kind))
        if known is None:
            found = self.api.find(_root(api_version)) or {}
            for one in found.get("resources", ()):
                if "/" not in one["name"]:
                    self._known[api_version, one["kind"]] = (one["name"], bool(one["namespaced"]))
            known = self._known.get((api_version, kind))
        return known


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
