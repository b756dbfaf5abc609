"""Schemas as OpenAPI publishes them: named components for built-in types, CRD schemas with their metadata filled in.

Built-in schemas refer to each other by identity (types.py); here these references become `$ref`s. The v2 form keeps to
what Swagger 2.0 can say: no nullable, no anyOf/oneOf/not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import types

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.embedded.kubeapi.kinds import Resource

Schema = dict[str, Any]

GVK = "x-kubernetes-group-version-kind"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_META_TYPES = {
    *("ObjectMeta", "ListMeta", "OwnerReference", "ManagedFieldsEntry", "LabelSelector", "LabelSelectorRequirement"),
    "Condition",
}
_FORMATS = {"date-time-micro": "date-time"}
"""Formats that only we know, and what they are to everyone else."""
_NOT_IN_V2 = ("nullable", "anyOf", "oneOf", "allOf", "not")
_HOLD_SCHEMAS = ("anyOf", "oneOf", "allOf")
_OURS = (types.POINTER, types.ALWAYS)
_OF_THE_TYPE = ("type", "properties", "required", *_OURS)
_API_VERSION = "The API version of this object, such as v1 or apps/v1."
_KIND = "The kind of this object."
_META_DESCRIPTION = "Standard object metadata: name, namespace, labels, annotations and what the server keeps."
LIST_META: Schema = {
    "type": "object",
    "description": "Metadata of a list.",
    "properties": {
        "continue": {"type": "string"},
        "remainingItemCount": {"type": "integer", "format": "int64"},
        "resourceVersion": {"type": "string"},
        "selfLink": {"type": "string"},
    },
}


def component_name(resource: Resource, suffix: str = "") -> str:
    """`io.k8s.api.apps.v1.Deployment`, `io.smi-spec.split.v1alpha4.TrafficSplit`: as a real server names them."""
    if not resource.builtin:
        reverse = ".".join(reversed(resource.group.split(".")))
        return f"{reverse}.{resource.version}.{resource.kind}{suffix}"
    return f"{_builtin_prefix(resource.group, resource.version)}{resource.kind}{suffix}"


def gvk(resource: Resource, kind: str = "") -> dict[str, str]:
    """Group, version and kind as the x-kubernetes-group-version-kind extension has them."""
    return {"group": resource.group, "kind": kind or resource.kind, "version": resource.version}


class Components:
    """Collects the named schemas of one document. `prefix` is where references point to; `v2` chooses the dialect."""

    def __init__(self, prefix: str, *, v2: bool = False) -> None:
        self.schemas: dict[str, Schema] = {}
        self._prefix = prefix
        self._v2 = v2

    def ref(self, name: str) -> Schema:
        """A reference to a component."""
        return {"$ref": self._prefix + name}

    def add_kind(self, resource: Resource) -> None:
        """The component of a kind and of its list."""
        name = component_name(resource)
        body = self._convert(resource.schema, _builtin_prefix(resource.group, resource.version), top=True)
        body["type"] = "object"
        body["properties"] = dict(body.get("properties", {})) | self._type_and_metadata("ObjectMeta")
        body[GVK] = [gvk(resource)]
        self.schemas[name] = dict(sorted(body.items()))
        list_kind = resource.list_kind or f"{resource.kind}List"
        self.schemas[component_name(resource, "List")] = {
            "type": "object",
            "required": ["items"],
            "properties": self._type_and_metadata("ListMeta")
            | {"items": {"type": "array", "items": self.ref(name), "description": f"The {resource.plural}."}},
            GVK: [gvk(resource, list_kind)],
        }

    def add_patch(self) -> None:
        """The body of PATCH requests."""
        self.schemas[META + "Patch"] = {"type": "object", "description": "A patch in any of the accepted formats."}

    def _type_and_metadata(self, meta: str) -> dict[str, Schema]:
        self._meta_type(meta)
        metadata = self._referring(META + meta, {"description": _META_DESCRIPTION})
        return {
            "apiVersion": {"type": "string", "description": _API_VERSION},
            "kind": {"type": "string", "description": _KIND},
            "metadata": metadata,
        }

    def _meta_type(self, name: str) -> None:
        if META + name in self.schemas:
            return
        if name == "ListMeta":
            self.schemas[META + name] = LIST_META
        else:
            self._named(name, META)

    def _named(self, name: str, prefix: str) -> Schema:
        """Reference to a built-in type, which is added on first use (before it is walked: types may be recursive)."""
        full = (META if name in _META_TYPES else prefix) + name
        if full not in self.schemas:
            self.schemas[full] = {}
            self.schemas[full].update(self._convert(types.definitions()[name], prefix, top=True))
        return self.ref(full)

    def _referring(self, name: str, extra: Schema) -> Schema:
        if not extra:
            return self.ref(name)
        return extra | (self.ref(name) if self._v2 else {"allOf": [self.ref(name)]})

    def _convert(self, schema: Schema, prefix: str, *, top: bool = False) -> Schema:
        name = "" if top else types.name_of(schema)
        if name:
            self._named(name, prefix)
            kept = {key: value for key, value in schema.items() if key not in _OF_THE_TYPE}
            return self._referring((META if name in _META_TYPES else prefix) + name, kept)
        converted: Schema = {}
        for key, value in schema.items():
            if key in _OURS or (self._v2 and key in _NOT_IN_V2):
                continue
            converted[key] = self._keyword(key, value, prefix)
        if schema.get("format") == "quantity":
            return {"type": "string"}
        if schema.get("x-kubernetes-int-or-string") and "type" not in converted:
            converted |= _INT_OR_STRING_V2 if self._v2 else _INT_OR_STRING_V3
        return converted

    def _keyword(self, key: str, value: Any, prefix: str) -> Any:
        if key == "properties":
            return {name: self._convert(item, prefix) for name, item in value.items()}
        if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            return self._convert(value, prefix)
        if key in _HOLD_SCHEMAS:
            return [self._convert(item, prefix) for item in value]
        return _FORMATS.get(value, value) if key == "format" else value


_INT_OR_STRING_V2: Schema = {"type": "string", "format": "int-or-string"}
_INT_OR_STRING_V3: Schema = {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}


def collect(resources: Iterable[Resource], prefix: str, *, v2: bool = False) -> Components:
    """The components of a set of kinds."""
    components = Components(prefix, v2=v2)
    components.add_patch()
    for resource in resources:
        components.add_kind(resource)
    return components


def _builtin_prefix(group: str, version: str) -> str:
    """Where a real server's Go packages, and so its schema names, are for a built-in group."""
    if group == "apiextensions.k8s.io":
        return f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}."
    if group == "apiregistration.k8s.io":
        return f"io.k8s.kube-aggregator.pkg.apis.apiregistration.{version}."
    return f"io.k8s.api.{group.removesuffix('.k8s.io').split('.')[0] or 'core'}.{version}."
