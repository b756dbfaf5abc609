"""The scale subresource: replicas of a Deployment, ReplicaSet or custom resource as an autoscaling/v1 Scale."""

from dataclasses import replace as copy
from typing import Any

from pytest_smi.embedded.kubeapi import apply, decoding, labels, managed, patching, scale_fields, status, types
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.negotiation import load
from pytest_smi.embedded.kubeapi.routing import is_true
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.typed import tidy
from pytest_smi.embedded.kubeapi.values import invalid_value
from pytest_smi.embedded.kubeapi.writes import update_object

Object = dict[str, Any]

_SCALE = Resource("autoscaling", "v1", "Scale", "scales", "scale", True, schema=types.kind_schema("Scale"))
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _selector_text(obj: Object, resource: Resource) -> str:
    assert resource.scale is not None
    if path := resource.scale["selector"]:
        return str(_at(obj, path) or "")
    return ",".join(sorted(map(str, labels.requirements((obj.get("spec") or {}).get("selector")))))


def _scale_of(obj: Object, resource: Resource) -> Object:
    assert resource.scale is not None
    metadata = obj["metadata"]
    found: Object = {
        "kind": "Scale",
        "apiVersion": scale_fields.API_VERSION,
        "metadata": {name: metadata[name] for name in _KEPT if name in metadata},
        "spec": {"replicas": _at(obj, resource.scale["spec"]) or 0},
        "status": {"replicas": _at(obj, resource.scale["status"]) or 0, "selector": _selector_text(obj, resource)},
    }
    return tidy(found, _SCALE.schema)


def _owned(scale: Object, obj: Object, resource: Resource) -> Object:
    """The scale with its managed fields, which are never shown."""
    assert resource.scale is not None
    owned = {**scale, "metadata": dict(scale["metadata"])}
    path = scale_fields.path_of(resource.scale["spec"])
    managed.write(owned, scale_fields.in_scale(managed.read(obj), path))
    return owned


def _with_replicas(obj: Object, scale: Object, resource: Resource) -> Object:
    """The object as the scale wants it, managed fields included."""
    assert resource.scale is not None
    result: Object = clone(obj)
    *parents, last = resource.scale["spec"].strip(".").split(".")
    node = result
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = (scale.get("spec") or {}).get("replicas", 0)
    path = scale_fields.path_of(resource.scale["spec"])
    entries = scale_fields.in_object(managed.read(obj), managed.read(scale), path, resource.api_version)
    managed.write(result, entries)
    return result


async def get(state: State, call: Call) -> Response:
    """The present scale. Raises ApiError (500) for a custom resource that says nothing of replicas."""
    obj = await state.converter.view(state.record(call), call.resource)
    assert call.resource.scale is not None
    path = call.resource.scale["spec"]
    if not call.resource.builtin and _at(obj, path) is None:
        raise status.internal_error(f'the spec replicas field "{path}" does not exist')
    return call.answer(200, _scale_of(obj, call.resource))


async def replace(state: State, call: Call) -> Response:
    """PUT a Scale."""
    read_options(call, "UpdateOptions")
    old = await state.converter.view(state.record(call), call.resource)
    view = _view(call)
    wanted = decoding.decode(load(call.request, "Scale"), view).obj
    return await _store(state, call, wanted, _owned(_scale_of(old, call.resource), old, call.resource))


async def patch(state: State, call: Call) -> Response:
    """PATCH the Scale."""
    kind = patching.check_media_type(call)
    read_options(call, "PatchOptions", patching.option_causes(call, kind))
    old = await state.converter.view(state.record(call), call.resource)
    shown = _scale_of(old, call.resource)
    current, view = _owned(shown, old, call.resource), _view(call)
    if kind == patching.APPLY:
        intent = patching.intent_of(view)
        force = is_true(call.request.param("force"))
        return await _store(state, call, apply.apply(current, intent, view, force=force), current, tracked=True)
    decoded, _ = patching.patched(view, kind, shown, patching.load(view, kind))
    return await _store(state, call, decoded.obj, current)


def _view(call: Call) -> Call:
    """The call as one on the Scale itself."""
    return copy(call, resource=_SCALE)


async def _store(state: State, call: Call, wanted: Object, current: Object, *, tracked: bool = False) -> Response:
    resource, metadata = call.resource, wanted["metadata"]
    if metadata.setdefault("name", call.target.name) != call.target.name:
        raise status.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({call.target.name})"
        )
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if replicas < 0 and resource.builtin:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid("Scale", "autoscaling", call.target.name, [cause])
    if not tracked:
        managed.track_write(wanted, current, _view(call))
    record = state.record(call)
    old = await state.converter.view(record, resource)
    new = _with_replicas(old, wanted, resource)
    if revision := metadata.get("resourceVersion"):
        new["metadata"]["resourceVersion"] = revision
    decoded = decoding.normalise(new, call)
    result = await update_object(state, call, record, old, decoded, tracked=True)
    return call.answer(200, _scale_of(result, resource))


HANDLERS = {"get": get, "update": replace, "patch": patch}
