"""The version of the mesh that runs, as its profile says it can be told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_smi.errors import ClusterError
from pytest_smi.mesh.probe import fetch, pods_of

if TYPE_CHECKING:
    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile

UNKNOWN = "unknown"
_TAG = r":([^:@/]+)(?:@[^@]*)?$"


def version_of(cluster: Cluster, profile: Profile) -> str:
    """The mesh's version; `unknown` where the profile does not say how to read it, or what it says is not there.

    A version that cannot be read is no reason to stop: it is a fact for the reader of the results.
    """
    try:
        text = _page(cluster, profile) if profile.version.http else _of_deployment(cluster, profile)
    except ClusterError:
        return UNKNOWN
    pattern = profile.version.pattern or ("" if profile.version.http or profile.version.label else _TAG)
    found = re.search(pattern, text)
    return (found[1] if found and found.re.groups else found[0] if found and pattern else text).strip() or UNKNOWN


def _of_deployment(cluster: Cluster, profile: Profile) -> str:
    wanted = profile.version
    space, _, name = wanted.deployment.rpartition("/")
    path = f"/apis/apps/v1/namespaces/{space or profile.namespace}/deployments/{name}"
    found = cluster.api.find(path) if name else None
    if not found:
        return ""
    if wanted.label:
        return str(found["metadata"].get("labels", {}).get(wanted.label, ""))
    containers = found["spec"]["template"]["spec"]["containers"]
    images = [one["image"] for one in containers if wanted.container in ("", one["name"])]
    return str(images[0]) if images else ""


def _page(cluster: Cluster, profile: Profile) -> str:
    probe = profile.version.http
    assert probe is not None
    pods = pods_of(cluster, profile.namespace, probe.pods)
    return fetch(cluster, profile.namespace, pods[0]["metadata"]["name"], probe.port, probe.path).body if pods else ""
