"""The subresource `binding` of pods: a scheduler gives a pod its node, once, and annotates it in the same write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import decoding, negotiation, status
from pytest_smi.embedded.kubeapi.calls import read_options
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.objects import now
from pytest_smi.embedded.kubeapi.schema import clone

if TYPE_CHECKING:
    from pytest_smi.embedded.kubeapi.calls import Call
    from pytest_smi.embedded.kubeapi.http import Response
    from pytest_smi.embedded.kubeapi.state import State

Object = dict[str, Any]
_BINDING = Resource("", "v1", "Binding", "bindings", "binding", True)


async def create(state: State, call: Call) -> Response:
    """POST pods/NAME/binding."""
    read_options(call, "CreateOptions")
    binding = decoding.check_identity(negotiation.load(call.request).value, _BINDING)
    metadata, target = binding.get("metadata") or {}, binding.get("target") or {}
    if metadata.get("name") != call.target.name:
        raise status.bad_request("name in URL does not match name in Binding object")
    record = state.record(call)
    if why := _refusal(record.obj, metadata):
        raise status.conflict("pods/binding", call.target.name, "", why)
    if not call.dry_run:
        state.commit(call.resource, record.key, _bound(record.obj, target.get("name", ""), metadata))
    return call.answer(201, status.success())


def _refusal(pod: Object, wanted: Object) -> str:
    """Why the pod cannot be bound; empty when it can."""
    metadata, name, node = pod["metadata"], pod["metadata"]["name"], (pod.get("spec") or {}).get("nodeName")
    if wanted.get("uid") and wanted["uid"] != metadata["uid"]:
        return f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {metadata['uid']}"
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
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
    return {
        **pod,
        "metadata": metadata,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**observed, "conditions": [*others, scheduled]},
    }
