"""Verbs on resources: method, name and subresource decide who does the work."""

from pytest_smi.embedded.kubeapi import binding, deletes, patching, reads, scale, status, watches, writes
from pytest_smi.embedded.kubeapi.calls import Call
from pytest_smi.embedded.kubeapi.http import AnyResponse
from pytest_smi.embedded.kubeapi.routing import verb
from pytest_smi.embedded.kubeapi.state import State

_COLLECTION = {
    "list": reads.list_objects,
    "create": writes.create,
    "deletecollection": deletes.delete_collection,
}
_OBJECT = {"get": reads.get, "update": writes.replace, "patch": patching.patch, "delete": deletes.delete}
_STATUS = {"get": reads.get, "update": writes.replace, "patch": patching.patch}


class ResourceRoutes:
    """Sends calls to their verbs."""

    def __init__(self, state: State, bookmark_seconds: float) -> None:
        self._state = state
        self._bookmark_seconds = bookmark_seconds

    async def answer(self, call: Call) -> AnyResponse:
        """The answer of a verb. Raises ApiError: 404 no such subresource, 405 no such verb."""
        target, resource = call.target, call.resource
        wanted = verb(call.request, target)
        if wanted == "watch" or (wanted == "get" and call.request.param("watch") in ("true", "1")):
            return watches.start(self._state, call, self._bookmark_seconds)
        if target.subresource:
            return await self._subresource(call, wanted)
        if resource.namespaced and not target.namespace and wanted not in ("list", "deletecollection"):
            raise status.method_not_allowed() if not target.name else status.unknown_path()
        if resource.namespaced and not target.namespace and wanted == "deletecollection":
            raise status.method_not_allowed()
        handler = (_OBJECT if target.name else _COLLECTION).get(wanted)
        if handler is None:
            raise status.method_not_allowed()
        return await handler(self._state, call)

    async def _subresource(self, call: Call, wanted: str) -> AnyResponse:
        name = call.target.subresource
        if name not in call.resource.subresources:
            raise status.unknown_path()
        if name == "status":
            handler = _STATUS.get(wanted)
        elif name == "scale":
            handler = scale.HANDLERS.get(wanted)
        elif name == "finalize":
            handler = writes.finalize_namespace if wanted == "update" else None
        elif name == "binding":
            handler = binding.create if wanted == "create" else None
        else:
            raise status.unknown_path()  # a subresource that a hook would serve, and none is there
        if handler is None:
            raise status.method_not_allowed()
        return await handler(self._state, call)
