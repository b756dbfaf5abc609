"""Paths that name no resource: version, health, discovery."""

import platform
from typing import Any

from pytest_smi.embedded.kubeapi import discovery, discovery_lists, status
from pytest_smi.embedded.kubeapi.http import Request, Response, json_response
from pytest_smi.embedded.kubeapi.negotiation import JSON
from pytest_smi.embedded.kubeapi.registry import Registry

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_GROUP_DEPTH = 2
_HEALTH = ("/healthz", "/readyz", "/livez")


def discovery_version(request: Request, *, plain: bool) -> str:
    """The version of aggregated discovery that is wanted, empty for the plain one. Raises ApiError (406).

    `plain` prefers the plain one: what the servers behind APIServices have is not known here; clients then ask them.
    """
    header = request.headers.get("accept", "").replace(" ", "")
    if discovery_lists.KIND not in header:
        return ""
    wanted = header.split(",")
    kinds = {discovery_lists.media_type(version): version for version in discovery_lists.VERSIONS}
    known = [kinds.get(one, "") for one in wanted if one in kinds or one in (JSON, "*/*", "application/*")]
    if not known:
        raise status.not_acceptable([JSON])
    return "" if plain and "" in known else known[0]


class MetaRoutes:
    """Answers them from the registry. `address` is that of the listener which clients should use."""

    def __init__(self, registry: Registry, version: str) -> None:
        self._registry = registry
        self._version = version
        self.address = ""

    def answer(self, request: Request, aggregated: list[tuple[str, str]]) -> Response:
        """The document at the path. Raises ApiError: 404 unknown, 405 anything but reading."""
        path = request.path.rstrip("/") or "/"
        if path == "/version":
            found: Response | None = json_response(200, self._version_info())
        elif path in _HEALTH or path.startswith(tuple(f"{name}/" for name in _HEALTH)):
            found = Response(200, b"ok", {"content-type": "text/plain; charset=utf-8"})
        elif path == "/":
            found = json_response(200, {"paths": self._paths(aggregated)})
        else:
            found = self._discovery(request, path, aggregated)
        if found is None:
            raise status.no_page()
        of_a_group = path.startswith("/apis/") and path.count("/") == _GROUP_DEPTH  # asked for in any way
        if request.method not in ("GET", "HEAD") and not of_a_group:
            raise status.method_not_allowed()
        return found

    def _version_info(self) -> dict[str, str]:
        major, minor, _ = self._version.split(".", 2)
        return {
            "major": major,
            "minor": minor,
            "gitVersion": f"v{self._version}",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": f"python{platform.python_version()}",
            "compiler": "pytest-smi",
            "platform": f"{platform.system().lower()}/{_MACHINES.get(platform.machine(), platform.machine())}",
        }

    def _paths(self, aggregated: list[tuple[str, str]]) -> list[str]:
        groups = discovery.group_versions(self._registry.resources(), aggregated)
        listed = [f"/apis/{group}/{version}" for group, versions in groups.items() for version in versions]
        return sorted(["/api", "/api/v1", "/apis", *listed, *_HEALTH, "/version"])

    def _discovery(self, request: Request, path: str, aggregated: list[tuple[str, str]]) -> Response | None:
        parts = path.strip("/").split("/")
        if path in ("/api", "/apis") and (version := discovery_version(request, plain=bool(aggregated))):
            groups = discovery.group_versions(self._registry.resources(), aggregated)
            wanted = groups if path == "/apis" else {"": ["v1"]}
            document = discovery_lists.document(version, wanted, self._registry.resources())
            return json_response(200, document, {"content-type": discovery_lists.media_type(version)})
        if parts == ["api"]:
            return json_response(200, discovery.legacy_versions(self.address))
        if parts == ["api", "v1"]:
            return self._resource_list("", "v1")
        if parts[0] != "apis" or len(parts) > 3:
            return None
        groups = discovery.group_versions(self._registry.resources(), aggregated)
        if len(parts) == 1:
            return json_response(200, discovery.group_list(groups))
        if parts[1] not in groups:
            return None
        if len(parts) == 2:
            return json_response(200, discovery.group(parts[1], groups[parts[1]]))
        if (found := self._resource_list(parts[1], parts[2])) is None:
            raise status.unknown_path()
        return found

    def _resource_list(self, group: str, version: str) -> Response | None:
        served: list[Any] = [item for item in self._registry.of_group(group) if item.version == version]
        if not served:
            return None
        name = f"{group}/{version}" if group else version
        return json_response(200, discovery.resource_list(name, served))
