"""The mesh's own CRDs: applied at start, left in place at the end, deleted by `--uninstall`."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.errors import MeshError
from pytest_smi.spec.crds import crds
from pytest_smi.spec.metrics import API_SERVICE

if TYPE_CHECKING:
    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.mesh.semantics import Semantics

MANAGER = "pytest-smi-reference-mesh"
OWNER_LABEL = "app.kubernetes.io/managed-by"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAMESPACE = "smi-reference-mesh"
"""Of what makes the metrics an API of the cluster."""

_ESTABLISHED_SECONDS = 20.0
_POLL_SECONDS = 0.005


async def install(client: Client, semantics: Semantics, url: str, ca_pem: bytes) -> None:
    """Apply the CRDs with the conversion webhook at `url`, and wait until they are served.

    Raises MeshError when CRDs of these names belong to somebody else, are refused, or do not come into service.
    """
    wanted = semantics.crds(crds(conversion_url=url, ca_bundle=base64.b64encode(ca_pem).decode()))
    await asyncio.gather(*(_install(client, crd) for crd in wanted))


async def _install(client: Client, crd: dict[str, Any]) -> None:
    name = crd["metadata"]["name"]
    owned = {**crd, "metadata": {**crd["metadata"], "labels": {OWNER_LABEL: MANAGER}}}
    found = await _find(client, name)
    if found is not None and not _ours(found):
        raise MeshError(f"the cluster has a CRD {name} of somebody else", "uninstall the other mesh's CRDs first")
    try:
        await client.patch(f"{_PATH}/{name}", owned, kind="apply", manager=MANAGER)
        async with asyncio.timeout(_ESTABLISHED_SECONDS):
            while not _established(await client.get(f"{_PATH}/{name}")):
                await asyncio.sleep(_POLL_SECONDS)
    except ApiFailure as failure:
        raise MeshError(
            f"the API server refused CRD {name}: {failure.message}", "is it an API server we know?"
        ) from None
    except TimeoutError:
        raise MeshError(
            f"CRD {name} was not established after {_ESTABLISHED_SECONDS:.0f} s", f"kubectl describe crd {name}"
        ) from None


async def uninstall(client: Client) -> list[str]:
    """Delete the CRDs that we installed, and with them all their objects; returns their names.

    What makes the metrics an API of the cluster goes first: without its server, no namespace could be emptied.
    """
    for path in (f"{API_SERVICES}/{API_SERVICE}", f"/api/v1/namespaces/{NAMESPACE}"):
        await _forget(client, path)
    deleted = []
    for crd in crds():
        name = crd["metadata"]["name"]
        found = await _find(client, name)
        if found is not None and _ours(found):
            await client.delete(f"{_PATH}/{name}")
            deleted.append(name)
    return deleted


async def _forget(client: Client, path: str) -> None:
    try:
        if _ours(await client.get(path)):
            await client.delete(path)
    except ApiFailure as failure:
        if failure.code != 404:
            raise MeshError(f"cannot remove {path}: {failure.message}", "check the kubeconfig's rights") from None


async def _find(client: Client, name: str) -> dict[str, Any] | None:
    try:
        return await client.get(f"{_PATH}/{name}")
    except ApiFailure as failure:
        if failure.code == 404:
            return None
        raise MeshError(f"cannot read CRD {name}: {failure.message}", "check the kubeconfig's rights") from None


def _ours(obj: dict[str, Any]) -> bool:
    return (obj["metadata"].get("labels") or {}).get(OWNER_LABEL) == MANAGER


def _established(crd: dict[str, Any]) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
