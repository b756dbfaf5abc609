"""The `paths` part of OpenAPI documents: which operations each resource has, with their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi.openapi_schemas import GVK, META, component_name, gvk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_smi.embedded.kubeapi.kinds import Resource

    Ref = Callable[[str], dict[str, Any]]

JSON = "application/json"
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_WRITE = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_LIST = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)
_DELETE = (("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string"))
_ITEM = (
    ("get", "get", "get", ()),
    ("put", "replace", "update", _WRITE),
    ("patch", "patch", "patch", (*_WRITE, ("force", "boolean"))),
    ("delete", "delete", "delete", _DELETE),
)
_COLLECTION = (
    ("get", "list", "list", _LIST),
    ("post", "create", "create", _WRITE),
    ("delete", "deleteCollection", "deletecollection", (*_LIST, *_DELETE)),
)
_ACTIONS = {"create": "post", "update": "put", "deletecollection": "deletecollection"}


def paths_of(resource: Resource, ref: Ref, *, v2: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every path of a resource with its operations."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = ["namespace"] if resource.namespaced else []
    collection = f"{base}/namespaces/{{namespace}}/{resource.plural}" if scope else f"{base}/{resource.plural}"
    build = _Builder(resource, ref, v2)
    yield collection, build.item(_COLLECTION, scope, component_name(resource, "List"))
    if scope:
        yield f"{base}/{resource.plural}", build.item(_COLLECTION[:1], [], component_name(resource, "List"))
    yield f"{collection}/{{name}}", build.item(_ITEM, [*scope, "name"], component_name(resource))
    if resource.has_status:
        status = build.item(_ITEM[:3], [*scope, "name"], component_name(resource), "Status")
        yield f"{collection}/{{name}}/status", status


class _Builder:
    """Makes path items for one resource in one dialect."""

    def __init__(self, resource: Resource, ref: Ref, v2: bool) -> None:
        self._resource = resource
        self._ref = ref
        self._v2 = v2

    def item(
        self, operations: tuple[tuple[str, str, str, Any], ...], scope: list[str], answer: str, suffix: str = ""
    ) -> dict[str, Any]:
        found: dict[str, Any] = {"parameters": [self._parameter(name, "string", place="path") for name in scope]}
        for method, word, verb, parameters in operations:
            if verb in self._resource.verbs:
                found[method] = self._operation(method, word, verb, parameters, answer, suffix, bool(scope))
        return found

    def _operation(
        self, method: str, word: str, verb: str, parameters: Any, answer: str, suffix: str, scoped: bool
    ) -> dict[str, Any]:
        resource = self._resource
        area = (resource.group.split(".")[0].capitalize() or "Core") + resource.version.capitalize()
        before, after = ("Namespaced", "") if scoped else ("", "ForAllNamespaces")
        if not resource.namespaced:
            before = after = ""
        operation: dict[str, Any] = {
            "operationId": f"{word}{area}{before}{resource.kind}{suffix}{after}",
            "description": f"{word} {resource.kind}",
            "parameters": [self._parameter(name, kind) for name, kind in parameters],
            "x-kubernetes-action": _ACTIONS.get(verb, verb),
            GVK: gvk(resource),
        }
        self._describe_bodies(operation, method, verb, answer)
        return operation

    def _describe_bodies(self, operation: dict[str, Any], method: str, verb: str, answer: str) -> None:
        schema = self._ref(answer) if verb not in ("create", "delete", "deletecollection") else None
        if verb == "create":
            schema = self._ref(component_name(self._resource))
        takes = self._ref(META + "Patch") if method == "patch" else schema if method in ("put", "post") else None
        consumes = PATCH_TYPES if method == "patch" else (JSON,)
        code, text = ("201", "Created") if method == "post" else ("200", "OK")
        if self._v2:
            operation |= {"consumes": list(consumes), "produces": [JSON], "schemes": ["https"]}
            if takes:
                operation["parameters"].append({"name": "body", "in": "body", "required": True, "schema": takes})
            operation["responses"] = {code: {"description": text} | ({"schema": schema} if schema else {})}
            return
        if takes:
            operation["requestBody"] = {"required": True, "content": {kind: {"schema": takes} for kind in consumes}}
        content = {"content": {JSON: {"schema": schema}}} if schema else {}
        operation["responses"] = {code: {"description": text} | content}

    def _parameter(self, name: str, kind: str, place: str = "query") -> dict[str, Any]:
        parameter: dict[str, Any] = {"name": name, "in": place}
        if place == "path":
            parameter["required"] = True
        return parameter | ({"type": kind} if self._v2 else {"schema": {"type": kind}})
