"""The scale subresource: replicas of a Deployment, ReplicaSet or custom resource as an autoscaling/v1 Scale."""

from dataclasses import replace as copy
from typing import Any

from pytest_smi.embedded.kubeapi import decoding, negotiation, patches, selectors, status, types
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.http import Response
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.patching import JSON_PATCH, MERGE_PATCH, STRATEGIC
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.values import invalid_value
from pytest_smi.embedded.kubeapi.writes import update_object

Object = dict[str, Any]

_SCALE = Resource("autoscaling", "v1", "Scale", "scales", "scale", True)


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _selector_text(obj: Object, resource: Resource) -> str:
    assert resource.scale is not None
    if path := resource.scale["selector"]:
        return str(_at(obj, path) or "")
    parts = []
    for item in selectors.requirements((obj.get("spec") or {}).get("selector")):
        values = ",".join(item.values)
        one = {"exists": item.key, "absent": f"!{item.key}"}.get(item.operator)
        if one is None:
            same = item.operator == "in" and len(item.values) == 1
            one = f"{item.key}={values}" if same else f"{item.key} {item.operator} ({values})"
        parts.append(one)
    return ",".join(parts)


def _scale_of(obj: Object, resource: Resource) -> Object:
    assert resource.scale is not None
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    found: Object = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": _at(obj, resource.scale["spec"]) or 0},
        "status": {"replicas": _at(obj, resource.scale["status"]) or 0},
    }
    if text := _selector_text(obj, resource):
        found["status"]["selector"] = text
    return found


def _with_replicas(obj: Object, resource: Resource, replicas: int) -> Object:
    assert resource.scale is not None
    result: Object = clone(obj)
    *parents, last = resource.scale["spec"].strip(".").split(".")
    node = result
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = replicas
    return result


async def get(state: State, call: Call) -> Response:
    """The present scale."""
    obj = await state.converter.view(state.record(call), call.resource)
    return call.answer(200, _scale_of(obj, call.resource))


async def _store(state: State, call: Call, wanted: Object) -> Response:
    record = state.record(call)
    old = await state.converter.view(record, call.resource)
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise status.bad_request(f"Scale.spec.replicas: cannot unmarshal {replicas!r} into a value of type int32")
    if replicas < 0:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid("Scale", "autoscaling", call.target.name, [cause])
    new = _with_replicas(old, call.resource, replicas)
    if revision := (wanted.get("metadata") or {}).get("resourceVersion"):
        new["metadata"]["resourceVersion"] = revision
    plain = copy(call, target=copy(call.target, subresource=""))
    result = await update_object(state, plain, record, old, decoding.normalise(new, plain))
    return call.answer(200, _scale_of(result, call.resource))


async def replace(state: State, call: Call) -> Response:
    """PUT a Scale."""
    read_options(call, "UpdateOptions")
    body = negotiation.load(call.request)
    return await _store(state, call, decoding.check_identity(body.value, _SCALE))


async def patch(state: State, call: Call) -> Response:
    """PATCH the Scale."""
    read_options(call, "PatchOptions")
    kind = negotiation.media_type(call.request)
    if kind not in (JSON_PATCH, MERGE_PATCH, STRATEGIC):
        raise status.unsupported_media_type([JSON_PATCH, MERGE_PATCH, STRATEGIC])
    obj = await state.converter.view(state.record(call), call.resource)
    current, body = _scale_of(obj, call.resource), negotiation.load_json(call.request.body).value
    try:
        if kind == JSON_PATCH:
            wanted = patches.json_patch(current, body)
        else:
            wanted = patches.strategic_merge(current, body, types.definitions()["Scale"])
    except patches.PatchError as error:
        raise status.bad_request(f"error decoding patch: {error}") from None
    if not isinstance(wanted, dict):
        raise status.bad_request("the patch leaves no Scale")
    return await _store(state, call, wanted)


HANDLERS = {"get": get, "update": replace, "patch": patch}
