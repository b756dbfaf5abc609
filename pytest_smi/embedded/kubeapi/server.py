"""The API server: who may ask, what is asked for, and which part of the house answers.

Hooks are plain attributes, set before `start` by whoever composes the process; each may be a function or a coroutine
function. What no route and no hook knows is refused with a Status.
"""

import inspect
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from pytest_smi.embedded.kubeapi import decoding, managed, negotiation, objects, routing, status
from pytest_smi.embedded.kubeapi.bootstrap import first_objects
from pytest_smi.embedded.kubeapi.calls import Call, read_options
from pytest_smi.embedded.kubeapi.http import AnyResponse, HttpServer, Request, Response, User, json_response
from pytest_smi.embedded.kubeapi.kinds import TOKEN_REQUEST, review_resource
from pytest_smi.embedded.kubeapi.meta_routes import MetaRoutes
from pytest_smi.embedded.kubeapi.registry import Registry
from pytest_smi.embedded.kubeapi.resource_routes import ResourceRoutes
from pytest_smi.embedded.kubeapi.routing import Attributes, Target
from pytest_smi.embedded.kubeapi.state import State
from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.kubeapi.typed import tidy

_log = logging.getLogger(__name__)

Object = dict[str, Any]
Authenticate = Callable[[Request], User | Awaitable[User | None] | None]
Authorize = Callable[[Attributes], tuple[bool, str] | Awaitable[tuple[bool, str]]]
Review = Callable[[Object, Request], Object | Awaitable[Object]]
TokenRequest = Callable[[Object, Object, Request], Object | Awaitable[Object]]
Forward = Callable[[Request], AnyResponse | Awaitable[AnyResponse | None] | None]

_ADMIN = User("system:admin", groups=("system:masters", "system:authenticated"))


@dataclass(slots=True, frozen=True)
class PodRequest:
    """A request on a subresource of a pod that exists."""

    request: Request
    pod: Object
    namespace: str
    name: str
    subresource: str


PodHandler = Callable[[PodRequest], AnyResponse | Awaitable[AnyResponse]]


async def settled(value: Any) -> Any:
    """The value of a hook, awaited if need be."""
    return await value if inspect.isawaitable(value) else value


def _refuse(code: int, message: str) -> Response:
    """The Status for bytes that are no request."""
    reason = {413: "RequestEntityTooLarge", 431: "RequestHeaderFieldsTooLarge"}.get(code, "BadRequest")
    return json_response(code, status.status(code, reason, message).status)


class ApiServer:
    """A Kubernetes API server in one event loop.

    `service_cidr` is the range of ClusterIPs; `bookmark_seconds` the interval of bookmarks on idle watches; `history`
    how many changes of each resource a watch can resume over.
    """

    def __init__(
        self,
        service_cidr: str = "127.64.1.0/24",
        *,
        bookmark_seconds: float = 10.0,
        version: str = "1.34.1+pytest-smi",
        history: int = 4096,
    ) -> None:
        self.authenticate: Authenticate = lambda _request: _ADMIN
        self.authorize: Authorize = lambda _attributes: (
            True,
            "",
        )
        self.pod_subresources: dict[str, PodHandler] = {}
        self.reviews: dict[tuple[str, str], Review] = {}
        self.token_request: TokenRequest | None = None
        self.openapi: Forward | None = None
        self.aggregate: Forward | None = None
        self.aggregated_versions: Callable[[], list[tuple[str, str]]] = list
        self.state = State(service_cidr, history)
        self._meta = MetaRoutes(self.state.registry, version)
        self._resources = ResourceRoutes(self.state, bookmark_seconds)
        self._http = HttpServer(self.handle, _refuse)
        first_objects(self.state)

    @property
    def registry(self) -> Registry:
        """What is served."""
        return self.state.registry

    async def start(self, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None) -> int:
        """Listen, and return the port. May be called again for further listeners. Raises OSError."""
        if not self._meta.address:
            self._add_reviews()
        bound = await self._http.listen(host, port, ssl_context)
        if not self._meta.address or ssl_context is not None:
            self._meta.address = f"{host}:{bound}"
        return bound

    async def stop(self) -> None:
        """End every connection and listener."""
        await self._http.close()
        await self.state.webhooks.close()

    def _add_reviews(self) -> None:
        for group, plural in self.reviews:
            resource = review_resource(group, plural)
            if resource is None:
                raise ValueError(f"no such review: {group} {plural}")
            self.registry.add(resource)

    def objects(self, group: str, plural: str, namespace: str | None = None) -> list[Object]:
        """Stored objects, of one namespace or of all; never change them."""
        return self.state.objects(group, plural, namespace)

    def object(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        """One stored object; never change it."""
        record = self.state.store.get((group, plural), namespace, name)
        return record.obj if record else None

    def last_change(self, group: str, plural: str) -> int:
        """The revision of the last change of a resource."""
        return self.state.store.collection((group, plural)).last_change

    async def handle(self, request: Request) -> AnyResponse:
        """Answer one request; never raises but for cancellation."""
        try:
            return await self._answer(request)
        except ApiError as error:
            if error.text:
                return Response(error.code, error.text.encode(), {"content-type": "text/plain; charset=utf-8"})
            return json_response(error.code, error.status)
        except Exception as error:
            _log.exception("%s %s", request.method, request.target)
            failure = status.internal_error(f"{type(error).__name__}: {error}")
            return json_response(failure.code, failure.status)

    async def _answer(self, request: Request) -> AnyResponse:
        target = routing.parse(request.path)
        user = await settled(self.authenticate(request))
        if user is None:
            raise status.unauthorized()
        request.user = user
        await self._check_allowed(routing.attributes(request, target))
        if self.aggregate is not None and request.path.startswith("/apis/"):
            answer = await settled(self.aggregate(request))
            if answer is not None:
                return cast("AnyResponse", answer)
        if not target.plural:
            return await self._answer_meta(request)
        return await self._answer_resource(request, target)

    async def _check_allowed(self, attributes: Attributes) -> None:
        allowed, reason = await settled(self.authorize(attributes))
        if allowed:
            return
        suffix = f": {reason}" if reason else ""
        user = f'User "{attributes.user.name}"'
        if not attributes.is_resource:
            text = f'forbidden: {user} cannot {attributes.verb} path "{attributes.path}"{suffix}'
            raise status.status(403, "Forbidden", text, {})
        resource = "/".join(filter(None, [attributes.resource, attributes.subresource]))
        scope = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
        why = f'{user} cannot {attributes.verb} resource "{resource}" in API group "{attributes.group}" {scope}{suffix}'
        raise status.forbidden(attributes.resource, attributes.name, attributes.group, why)

    async def _answer_meta(self, request: Request) -> AnyResponse:
        if request.path.startswith("/openapi/") and self.openapi is not None:
            answer = await settled(self.openapi(request))
            if answer is not None:
                return cast("AnyResponse", answer)
        return self._meta.answer(request, self.aggregated_versions())

    async def _answer_resource(self, request: Request, target: Target) -> AnyResponse:
        resource = self.registry.find(target.group, target.version, target.plural)
        if resource is None and not self.registry.serves(target.group, target.version):
            raise status.no_page()
        if resource is None or target.rest or (target.namespace and not resource.namespaced):
            raise status.unknown_path()
        call = Call(request, target, resource, negotiation.accepted(request))
        if resource.warning:
            call.warn(resource.warning)
        if resource.verbs == ("create",):
            return await self._review(call)
        if target.subresource in self.pod_subresources and resource.key == ("", "pods"):
            pod = self.state.record(call).obj
            if target.subresource == "log" and not pod["spec"].get("nodeName"):
                return Response(204)  # nobody to ask
            wanted = PodRequest(request, pod, target.namespace, target.name, target.subresource)
            return cast("AnyResponse", await settled(self.pod_subresources[target.subresource](wanted)))
        if target.subresource == "token" and resource.key == ("", "serviceaccounts"):
            return await self._token(call)
        if _applies(request) and self.state.store.get(resource.key, *call.key) is None:
            await self._check_allowed(replace(routing.attributes(request, target), verb="create"))
        return await self._resources.answer(call)

    async def _decoded(self, call: Call) -> Object:
        """What was posted to a kind that is answered and not kept, its managed fields included."""
        if call.request.method != "POST":
            raise status.method_not_allowed()
        read_options(call, "CreateOptions")
        obj = decoding.decode(negotiation.load(call.request, call.resource.kind), call).obj
        if call.resource.namespaced:
            objects.settle_namespace(obj, call)
        managed.track_write(obj, None, call)
        return obj

    async def _review(self, call: Call) -> Response:
        answer = await settled(self.reviews[call.resource.key](await self._decoded(call), call.request))
        return call.answer(201, tidy(answer, call.resource.schema))

    async def _token(self, call: Call) -> Response:
        if self.token_request is None:
            raise status.unknown_path()
        account = self.state.record(call).obj
        view = replace(call, resource=TOKEN_REQUEST)
        answer = await settled(self.token_request(account, await self._decoded(view), call.request))
        return call.answer(201, tidy(answer, TOKEN_REQUEST.schema))


def _applies(request: Request) -> bool:
    """Whether this is a server-side apply, which creates what is not there: that takes another right."""
    return request.method == "PATCH" and request.headers.get("content-type", "").startswith("application/apply-patch")
