"""From the body of a write to an object of the addressed kind: shape, unknown fields, nulls and defaults."""

from dataclasses import dataclass
from typing import Any

from pytest_smi.embedded.kubeapi import schema, status, types
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.negotiation import Body
from pytest_smi.embedded.kubeapi.status import ApiError, Cause

Object = dict[str, Any]


def _cannot_be_handled(resource: Resource, why: str) -> ApiError:
    return status.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'
    )


def _shape_error(resource: Resource, cause: Cause) -> ApiError:
    """A value that does not fit the Go type: the decoder fails before validation has its say."""
    wanted = cause.message.rsplit("must be of type ", 1)[-1].split(":", 1)[0]
    found = cause.message.rsplit(": ", 1)[-1].strip('"')
    why = f"json: cannot unmarshal {found} into Go struct field {resource.kind}.{cause.field} of type {wanted}"
    return _cannot_be_handled(resource, why)


def check_identity(body: Any, resource: Resource) -> Object:
    """The body as an object of the resource's kind and version. Raises ApiError (400)."""
    if not isinstance(body, dict):
        raise status.bad_request("the object provided is unrecognized: the body is not an object")
    api_version, kind = body.get("apiVersion"), body.get("kind")
    if not kind:
        raise status.bad_request(f"Object 'Kind' is missing in '{_short(body)}'")
    if not api_version:
        raise status.bad_request(f"Object 'apiVersion' is missing in '{_short(body)}'")
    if api_version != resource.api_version:
        raise status.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        raise status.bad_request(
            f"{kind} in version {resource.version!r} cannot be handled as a {resource.kind}: the kind does not match"
        )
    return body


def _short(body: Object) -> str:
    text = str(body)
    return text if len(text) <= 120 else f"{text[:117]}..."


@dataclass(slots=True)
class Decoded:
    """An object ready for admission, with what its schema has against it."""

    obj: Object
    causes: list[Cause]


def decode(body: Body, call: Call) -> Decoded:
    """The object of a body: identified, pruned as fieldValidation says, nulls dropped, defaults filled in."""
    return normalise(check_identity(body.value, call.resource), call, body.duplicates)


def normalise(obj: Object, call: Call, duplicates: list[str] | None = None) -> Decoded:
    """Prune, report, default and check `obj` in place. Raises ApiError (400) for what cannot be decoded at all."""
    resource = call.resource
    if call.target.subresource == "status":
        for name in obj.keys() - {"apiVersion", "kind", "metadata", "status"}:
            del obj[name]  # a status update has no say in the rest
    prune_and_report(obj, call, duplicates)
    schema.default(obj, resource.schema)
    causes = schema.validate(obj, resource.schema, root=True)
    if resource.builtin:
        for cause in causes:
            if cause.reason == "FieldValueTypeInvalid" or "format int" in cause.message:
                raise _shape_error(resource, cause)
    return Decoded(obj, causes)


def prune_and_report(obj: Object, call: Call, duplicates: list[str] | None = None) -> None:
    """Remove unknown fields and nulls, and refuse, report or ignore them as fieldValidation says. Raises ApiError."""
    resource, metadata_schema = call.resource, types.definitions()["ObjectMeta"]
    if not isinstance(obj.get("metadata"), dict):
        if obj.get("metadata") is not None:
            raise _cannot_be_handled(resource, "json: cannot unmarshal metadata into Go value of type v1.ObjectMeta")
        obj["metadata"] = {}
    unknown = [f'duplicate field "{path}"' for path in duplicates or ()]
    removed = schema.prune(obj["metadata"], metadata_schema, "metadata")
    removed += schema.prune(obj, resource.schema, root=True)
    unknown += [f'unknown field "{path}"' for path in removed]
    if unknown and call.validation == "Strict":
        raise _cannot_be_handled(resource, f"strict decoding error: {', '.join(unknown)}")
    if call.validation == "Warn":
        for text in unknown:
            call.warn(text)
    schema.drop_nulls(obj["metadata"], metadata_schema)
    schema.drop_nulls(obj, resource.schema)
    for cause in schema.validate(obj["metadata"], metadata_schema, "metadata"):
        if cause.reason == "FieldValueTypeInvalid" or "format int" in cause.message:
            raise _shape_error(resource, cause)
