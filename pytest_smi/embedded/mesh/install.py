"""The mesh's own CRDs: applied at start, left in place at the end, deleted by `--uninstall`."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.errors import MeshError
from pytest_smi.spec.crds import crds

if TYPE_CHECKING:
    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.mesh.semantics import Semantics

MANAGER = "pytest-smi-reference-mesh"
OWNER_LABEL = "app.kubernetes.io/managed-by"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
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
    found = await find(client, f"{_PATH}/{name}")
    if found is not None and not ours(found):
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
    """Delete the CRDs that we installed, and with them all their objects; returns their names."""
    deleted = []
    for crd in crds():
        name = crd["metadata"]["name"]
        found = await find(client, f"{_PATH}/{name}")
        if found is not None and ours(found):
            await client.delete(f"{_PATH}/{name}")
            deleted.append(name)
    return deleted


async def find(client: Client, path: str) -> dict[str, Any] | None:
    """The object at a path; None when there is none. Raises MeshError when it cannot be read."""
    try:
        return await client.get(path)
    except ApiFailure as failure:
        if failure.code == 404:
            return None
        raise MeshError(f"cannot read {path}: {failure.message}", "check the kubeconfig's rights") from None


def ours(found: dict[str, Any]) -> bool:
    """Whether an object was installed by this mesh."""
    return (found["metadata"].get("labels") or {}).get(OWNER_LABEL) == MANAGER


def _established(crd: dict[str, Any]) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
