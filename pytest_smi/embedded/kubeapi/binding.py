"""What is posted to a pod: `binding`, with which a scheduler gives it its node, once, and `eviction`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import decoding, deletes, negotiation, objects, status, types
from pytest_smi.embedded.kubeapi.calls import read_options
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.schema import clone

if TYPE_CHECKING:
    from pytest_smi.embedded.kubeapi.calls import Call
    from pytest_smi.embedded.kubeapi.http import Response
    from pytest_smi.embedded.kubeapi.state import State

Object = dict[str, Any]
_BINDING = Resource("", "v1", "Binding", "bindings", "binding", True, schema=types.kind_schema("Binding"))
_EVICTION = Resource("policy", "v1", "Eviction", "evictions", "eviction", True, schema=types.kind_schema("Eviction"))


def _posted(call: Call, resource: Resource) -> Object:
    read_options(call, "CreateOptions")
    view = replace(call, resource=resource)
    return decoding.decode(negotiation.load(call.request, resource.kind), view).obj


async def bind(state: State, call: Call) -> Response:
    """POST pods/NAME/binding."""
    binding = _posted(call, _BINDING)
    metadata, target = binding["metadata"], binding["target"]
    if metadata.get("name") != call.target.name:
        raise status.bad_request("name in URL does not match name in Binding object")
    if not target.get("name"):
        raise status.status(500, "", "target.name: Required value")
    record = state.record(call)
    objects.check_uid_named(binding, record.obj, call, call.target.namespace)
    if why := _refusal(record.obj):
        raise status.conflict("pods/binding", call.target.name, "", why)
    if not call.dry_run:
        state.commit(call.resource, record.key, _bound(record.obj, target["name"], metadata))
    return call.answer(201, status.success() | {"code": 201})


def _refusal(pod: Object) -> str:
    """Why the pod cannot be bound; empty when it can."""
    metadata, name, node = pod["metadata"], pod["metadata"]["name"], (pod.get("spec") or {}).get("nodeName")
    if metadata.get("deletionTimestamp"):
        return f"pod {name} is being deleted, cannot be assigned to a host"
    return f'pod {name} is already assigned to node "{node}"' if node else ""


def _bound(pod: Object, node: str, wanted: Object) -> Object:
    metadata = clone(pod["metadata"])
    for part in ("annotations", "labels"):
        if wanted.get(part):
            metadata[part] = {**(metadata.get(part) or {}), **wanted[part]}
    observed = pod.get("status") or {}
    others = [one for one in observed.get("conditions") or () if one["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": objects.now()}
    return {
        **pod,
        "metadata": metadata,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**observed, "conditions": [*others, scheduled]},
    }


async def evict(state: State, call: Call) -> Response:
    """POST pods/NAME/eviction: a deletion that a disruption budget could refuse, if there were any here."""
    eviction = _posted(call, _EVICTION)
    if eviction["metadata"].get("name", call.target.name) != call.target.name:
        raise status.bad_request("name in URL does not match name in Eviction object")
    record = state.record(call)
    options = eviction.get("deleteOptions") or {}
    call.dry_run = call.dry_run or bool(options.get("dryRun"))
    deletes.delete_record(state, call, options, record)
    return call.answer(201, status.success() | {"code": 201})
