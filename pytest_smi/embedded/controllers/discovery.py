"""What the API server serves: asked for over the API, kept until custom resources or aggregated APIs change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.client import ApiFailure, Client

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Served:
    """One resource in its group's preferred version."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def group(self) -> str:
        """The API group; "" for the core."""
        return self.api_version.rpartition("/")[0]


@dataclass(frozen=True)
class Catalogue:
    """All resources, and what of the discovery failed (group versions whose own server does not answer)."""

    resources: tuple[Served, ...]
    failures: tuple[str, ...]

    def named(self, api_version: str, kind: str) -> Served | None:
        """The resource of an owner reference; its version may be another one than the preferred."""
        group = api_version.rpartition("/")[0]
        return next((one for one in self.resources if one.group == group and one.kind == kind), None)


async def discover(client: Client) -> Catalogue:
    """Asks for every group's preferred version."""
    groups = (await client.get("/apis")).get("groups") or []
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    answers = await asyncio.gather(*(_resources(client, version) for version in versions))
    found = [one for answer in answers if answer for one in answer]
    failed = [version for version, answer in zip(versions, answers, strict=True) if answer is None]
    return Catalogue(tuple(found), tuple(failed))


async def _resources(client: Client, version: str) -> list[Served] | None:
    try:
        answer = await client.get(f"/apis/{version}" if "/" in version else f"/api/{version}")
    except (ApiFailure, OSError):
        return None
    return list(_read(version, answer.get("resources") or []))


def _read(version: str, resources: list[dict[str, Any]]) -> Iterable[Served]:
    for one in resources:
        if "/" not in one["name"]:
            yield Served(version, one["name"], one["kind"], one["namespaced"], frozenset(one.get("verbs") or []))
