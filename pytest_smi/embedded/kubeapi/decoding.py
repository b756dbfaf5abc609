"""From the body of a write to an object of the addressed kind: identity, shape, unknown fields, nulls and defaults."""

from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import go_texts, kinds, numbers, schema, status, typed, types
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.negotiation import Body
from pytest_smi.embedded.kubeapi.scalars import Mismatch
from pytest_smi.embedded.kubeapi.status import ApiError, Cause
from pytest_smi.embedded.kubeapi.strategies import strategy
from pytest_smi.embedded.kubeapi.values import invalid_value, shown

Object = dict[str, Any]


class Unfit(Exception):
    """The object cannot be one of this kind; the text is the decoder's."""


@dataclass(slots=True)
class Decoded:
    """An object ready for admission, with what its schema has against it."""

    obj: Object
    causes: list[Cause]


def refused(resource: Resource, why: str, kind: str = "", version: str = "") -> ApiError:
    """400: what was sent, of `kind` in `version`, is no object of the resource."""
    sent = f'{kind or resource.kind} in version "{version or resource.version}"'
    return status.bad_request(f"{sent} cannot be handled as a {resource.kind}: {why}")


def check_identity(body: Any, resource: Resource, raw: bytes = b"") -> Object:
    """The body as an object of the resource's kind and version, both filled in. Raises ApiError (400, 422).

    `raw` is what was sent, of which a refusal quotes a part.
    """
    if body is None and resource.builtin:
        body = {}
    if not isinstance(body, dict):
        raise status.bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): no object")
    if resource.builtin:
        return _builtin_identity(body, resource)
    for name, field in (("Kind", "kind"), ("apiVersion", "apiVersion")):
        if not body.get(field):
            what = f"the object provided is unrecognized (must be of type {resource.kind})"
            quoted = f" in '{raw.decode('utf-8', 'replace')}' ({go_texts.gist(raw)})"
            raise status.bad_request(f"{what}: Object '{name}' is missing{quoted}")
    if body["apiVersion"] != resource.api_version:
        raise status.bad_request(
            f"the API version in the data ({body['apiVersion']}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if body["kind"] != resource.kind:
        cause = invalid_value("kind", body["kind"], f"must be {resource.kind}")
        raise status.invalid(body["kind"], resource.group, (body.get("metadata") or {}).get("name", ""), [cause])
    return body


def _builtin_identity(body: Object, resource: Resource) -> Object:
    kind, api_version = body.get("kind") or resource.kind, body.get("apiVersion") or resource.api_version
    if (kind, api_version) == (resource.kind, resource.api_version):
        return {**body, "apiVersion": api_version, "kind": kind}
    version = api_version.rpartition("/")[2]
    if kinds.is_builtin(api_version, kind):
        package = resource.group.split(".")[0] or "core"
        why = f"converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"
    else:
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:110"'
    raise refused(resource, why, kind, version)


def decode(body: Body, call: Call) -> Decoded:
    """The object of a body: identified, pruned as fieldValidation says, nulls dropped, defaults filled in."""
    try:
        return normalise(check_identity(body.value, call.resource, call.request.body), call, body.duplicates)
    except Unfit as problem:
        raise refused(call.resource, str(problem)) from None


def normalise(obj: Object, call: Call, duplicates: list[str] | None = None) -> Decoded:
    """Prune, report, default and check an object, which may be changed. Raises Unfit."""
    resource = call.resource
    if call.target.subresource == "status":
        obj = {name: obj[name] for name in ("apiVersion", "kind", "metadata", "status") if name in obj}
    if resource.builtin:
        obj = _typed(obj, call, duplicates or [])
        schema.default(obj, resource.schema)
        # Lists with keys are checked for duplicates by each kind in its own words.
        causes = schema.validate(obj, resource.schema, root=True)
        return Decoded(obj, [cause for cause in causes if cause.reason != "FieldValueDuplicate"])
    obj = _custom(obj, call, duplicates or [])
    schema.default(obj, resource.schema)
    return Decoded(obj, schema.validate(obj, resource.schema, root=True))


def _typed(obj: Object, call: Call, duplicates: list[str]) -> Object:
    resource = call.resource
    try:
        found, unknown = typed.read(obj, resource.schema, resource.kind)
    except Mismatch as problem:
        raise Unfit(str(problem)) from None
    _report(call, duplicates, unknown + strategy(resource.kind, builtin=True).prune(found))
    if (found.get("metadata") or {}).get("managedFields") == []:
        found["metadata"]["managedFields"] = [{}]  # this asks to forget them, which the absent list does not
    return typed.tidy(found, resource.schema)


def _custom(obj: Object, call: Call, duplicates: list[str]) -> Object:
    wanted = types.definitions()["ObjectMeta"]
    found: Any = numbers.plain(obj)
    try:
        meta, lost = typed.read(found.get("metadata") or {}, wanted, "ObjectMeta")
    except Mismatch as problem:
        raise Unfit(str(problem)) from None
    found["metadata"] = typed.tidy(meta, wanted)
    _embedded(found, call.resource.schema, "")
    unknown = [f"metadata.{path}" for path in lost] + schema.prune(found, call.resource.schema, root=True)
    _report(call, duplicates, unknown)
    schema.drop_nulls(found, call.resource.schema)
    result: Object = found
    return result


def _embedded(value: Any, schema_: schema.Schema, path: str) -> None:
    """Read the metadata of objects within the object, as that of any object. Raises Unfit."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _embedded(item, schema_.get("items") or {}, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    if schema_.get(schema.EMBEDDED) and "metadata" in value:
        where, given = schema.child(path, "metadata"), value["metadata"]
        try:
            value["metadata"] = typed.read(given, types.definitions()["ObjectMeta"], "ObjectMeta")[0]
        except Mismatch as problem:
            raise Unfit(f"{where}: Invalid value: {shown(given)}: {problem}") from None
    properties, extra = schema_.get("properties") or {}, schema_.get("additionalProperties")
    for name, item in value.items():
        known = properties.get(name, extra)
        if isinstance(known, dict):
            _embedded(item, known, schema.child(path, name))


def _report(call: Call, duplicates: list[str], unknown: list[str]) -> None:
    """Refuse, report or ignore what was dropped, as fieldValidation says. Raises Unfit."""
    lost = duplicates + [f'unknown field "{path}"' for path in unknown]
    if lost and call.validation == "Strict":
        of_yaml = "yaml: unmarshal errors:\n  " if lost[0].startswith("line ") else ""
        raise Unfit(f"strict decoding error: {of_yaml}{', '.join(lost)}")
    if call.validation == "Warn":
        for text in lost:
            call.warn(text)
