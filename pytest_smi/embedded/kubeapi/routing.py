"""What a path asks for: `/apis/split.smi-spec.io/v1alpha4/namespaces/tea/trafficsplits/pot/status` taken apart."""

from dataclasses import dataclass

from pytest_smi.embedded.kubeapi.http import Request, User

_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(slots=True, frozen=True)
class Target:
    """The parts of a resource path; `plural` is empty for anything else (discovery, health, OpenAPI)."""

    path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watched: bool = False
    """By the old path for watches, `/api/v1/watch/…`."""


@dataclass(slots=True, frozen=True)
class Attributes:
    """What the authorizer decides on. `is_resource` tells whether the path names a resource."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = False


def parse(path: str) -> Target:
    """Take a path apart; never fails, since what is no resource path is a path of its own."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return Target(path)
    namespace, watched = "", parts[0] == "watch" and len(parts) > 1
    if watched:
        parts = parts[1:]
    in_namespace = parts[0] == "namespaces" and len(parts) > 2
    if in_namespace and not (group == "" and parts[2] in _NAMESPACE_SUBRESOURCES and len(parts) == 3):
        namespace, parts = parts[1], parts[2:]
    name, subresource, rest = [*parts[1:], "", "", ""][:3]
    beyond = "/".join([rest, *parts[4:]])
    return Target(path, group, version, parts[0], namespace, name, subresource, beyond, watched)


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}


def is_true(text: str) -> bool:
    """A boolean query parameter."""
    return text.lower() in ("1", "true", "t")


def verb(request: Request, target: Target) -> str:
    """The API verb of a request on a resource."""
    found = _VERBS.get(request.method, request.method.lower())
    if target.watched and found == "get":
        return "watch"
    if target.name:
        return found
    if found == "get":
        return "watch" if is_true(request.param("watch")) else "list"
    return "deletecollection" if found == "delete" else found


def named_by(field_selector: str) -> str:
    """The name of the only object that a field selector chooses; empty when it may choose others."""
    for term in field_selector.split(","):
        field, _, value = term.replace("==", "=").partition("=")
        if field.strip() == "metadata.name" and value:
            return value.strip()
    return ""


def attributes(request: Request, target: Target) -> Attributes:
    """The facts that authorization decides on."""
    if not target.plural:
        return Attributes(request.user, request.method.lower(), path=target.path)
    namespace, name, wanted = target.namespace, target.name, verb(request, target)
    if not name and wanted in ("list", "watch", "deletecollection"):
        name = named_by(request.param("fieldSelector"))
    if target.plural == "namespaces" and not target.group:
        namespace = name
    return Attributes(
        user=request.user,
        verb=wanted,
        group=target.group,
        version=target.version,
        resource=target.plural,
        subresource=target.subresource,
        namespace=namespace,
        name=name,
        path=target.path,
        is_resource=True,
    )
