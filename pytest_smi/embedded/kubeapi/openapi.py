"""The documents under `/openapi/`: what kubectl explains kinds from, and learns that the server validates fields.

Documents are made on demand from the registered kinds and kept until these change. Version 3 is one document for each
group and version; version 2 is a single one, in JSON only.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import Response, encode_json
from pytest_smi.embedded.kubeapi.openapi_paths import paths_of
from pytest_smi.embedded.kubeapi.openapi_schemas import collect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.kubeapi.http import Request
    from pytest_smi.embedded.kubeapi.kinds import Resource
    from pytest_smi.embedded.kubeapi.registry import Registry

JSON = "application/json"
_TITLE = "Kubernetes"


def document_v3(resources: Sequence[Resource], version: str) -> dict[str, Any]:
    """The OpenAPI 3.0 document of the resources of one group and version."""
    components = collect(resources, "#/components/schemas/")
    paths = dict(pair for resource in resources for pair in paths_of(resource, components.ref))
    return {
        "openapi": "3.0.0",
        "info": {"title": _TITLE, "version": version},
        "paths": paths,
        "components": {"schemas": dict(sorted(components.schemas.items()))},
    }


def document_v2(resources: Sequence[Resource], version: str) -> dict[str, Any]:
    """The Swagger 2.0 document of all resources."""
    components = collect(resources, "#/definitions/", v2=True)
    paths = dict(pair for resource in resources for pair in paths_of(resource, components.ref, v2=True))
    return {
        "swagger": "2.0",
        "info": {"title": _TITLE, "version": version},
        "paths": paths,
        "definitions": dict(sorted(components.schemas.items())),
    }


class OpenApi:
    """Answers everything under `/openapi/`; ready for `ApiServer.openapi`."""

    def __init__(self, registry: Registry, version: str = "v1.34.1") -> None:
        self._registry = registry
        self._version = version
        self._documents: dict[str, tuple[list[Resource], str, bytes]] = {}

    def __call__(self, request: Request) -> Response | None:
        """The document that a path names; None (404) when there is none. Raises ApiError (406)."""
        path = request.path.rstrip("/").removeprefix("/openapi/")
        if path == "v3":
            return self._respond(request, *self._index())
        if path == "v2":
            _refuse_protobuf(request)
            return self._respond(request, *self._document("v2", self._registry.resources()))
        if path.startswith("v3/"):
            resources = self._by_path().get(path.removeprefix("v3/"))
            return self._respond(request, *self._document(path, resources)) if resources else Response(404)
        return None

    def _by_path(self) -> dict[str, list[Resource]]:
        """Resources by `api/v1`, `apis/GROUP/VERSION`."""
        found: dict[str, list[Resource]] = {}
        for resource in self._registry.resources():
            path = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
            found.setdefault(path, []).append(resource)
        return found

    def _index(self) -> tuple[str, bytes]:
        paths = {}
        for path, resources in self._by_path().items():
            etag, _ = self._document(f"v3/{path}", resources)
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={etag}"}
        return "", encode_json({"paths": paths})

    def _document(self, key: str, resources: list[Resource]) -> tuple[str, bytes]:
        """Entity tag and body. The tag is new with every change: clients keep a document for ever by its tag."""
        known = self._documents.get(key)
        if known is None or not _same(known[0], resources):
            make = document_v2 if key == "v2" else document_v3
            known = (resources, secrets.token_hex(16), encode_json(make(resources, self._version)))
            self._documents[key] = known
        return known[1], known[2]

    @staticmethod
    def _respond(request: Request, etag: str, body: bytes) -> Response:
        headers = {"content-type": JSON, "vary": "Accept"}
        if etag:
            headers["etag"] = f'"{etag}"'
            if headers["etag"] in request.headers.get("if-none-match", ""):
                return Response(304, b"", headers)
        return Response(200, body, headers)


def _same(one: Sequence[Resource], other: Sequence[Resource]) -> bool:
    """Whether both lists hold the very same objects: a changed CRD registers new ones."""
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _refuse_protobuf(request: Request) -> None:
    accept = request.headers.get("accept", "")
    if accept and not any(kind in accept for kind in ("json", "*/*")):
        raise status.not_acceptable([JSON])
