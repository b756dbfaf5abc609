"""One minimal, valid object of each kind, as the documents show it, and what the live CRD says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smi import KINDS, Resource, Smi

from .bodies import example_of


@pytest.fixture
def example(smi: Smi) -> Resource:
    """The example of the kind under judgement."""
    assert smi.kind is not None
    return example_of(smi, smi.kind)


@pytest.fixture
def definition(smi: Smi) -> dict[str, Any]:
    """The live CRD of the kind under judgement, or an empty object."""
    assert smi.kind is not None
    name = f"{KINDS[smi.kind].plural}.{KINDS[smi.kind].group}"
    return smi.api.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}") or {}


@pytest.fixture
def schema(smi: Smi, definition: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """What the live CRD's schema says of a field in this version: `schema("spec", "backends", "weight")`.

    Lists are stepped into; a field that the schema does not know gives an empty object.
    """
    assert smi.kind is not None
    version = smi.api_version(smi.kind).split("/")[1]
    schemas = {one["name"]: one.get("schema", {}).get("openAPIV3Schema", {}) for one in definition["spec"]["versions"]}

    def said_of(*path: str) -> dict[str, Any]:
        place: dict[str, Any] = schemas.get(version, {})
        for name in path:
            place = place.get("items", place).get("properties", {}).get(name, {})
        return place

    return said_of
