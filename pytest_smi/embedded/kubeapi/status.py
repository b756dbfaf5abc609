"""Refusals as the API server words them: every one is a v1 `Status` and travels as an `ApiError`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, frozen=True)
class Cause:
    """One reason of an Invalid status: `field` is a path such as `spec.backends[0].weight`."""

    reason: str
    message: str
    field: str = ""

    def sentence(self) -> str:
        """The cause as it stands in the message of the status."""
        return f"{self.field}: {self.message}" if self.field else self.message

    def manifest(self) -> dict[str, str]:
        """The cause as it stands in the details of the status."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A request is refused; `status` is the body to send, or `text` if it is not empty; `code` the HTTP status."""

    def __init__(self, code: int, status: dict[str, Any], text: str = "") -> None:
        super().__init__(status.get("message", ""))
        self.code = code
        self.status = status
        self.text = text


def status(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> ApiError:
    """Any failure, spelled out."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if not reason:
        del body["reason"]
    if details is not None:
        body["details"] = details
    body["code"] = code
    return ApiError(code, body)


def plain(code: int, text: str) -> ApiError:
    """A failure that the real server does not put into a Status, with the line break that it adds."""
    return ApiError(code, {"message": text}, f"{text}\n")


def no_page() -> ApiError:
    """404 for a path of which nothing at all is known."""
    return plain(404, "404 page not found")


def success(details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The Status of a deletion that is complete."""
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    return body


def qualified(resource: str, group: str) -> str:
    """`trafficsplits.split.smi-spec.io`; the core group adds nothing."""
    return f"{resource}.{group}" if group else resource


def _details(name: str, group: str, kind: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    """No object of that name."""
    text = f'{qualified(resource, group)} "{name}" not found'
    return status(404, "NotFound", text, _details(name, group, resource))


def unknown_path() -> ApiError:
    """No such group, version, resource or subresource."""
    return status(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, name: str, group: str = "", *, deleting: bool = False) -> ApiError:
    """Create of a name that is taken, perhaps by an object that is on its way out."""
    text = f'{"object is being deleted: " if deleting else ""}{qualified(resource, group)} "{name}" already exists'
    return status(409, "AlreadyExists", text, _details(name, group, resource))


def conflict(resource: str, name: str, group: str, why: str, causes: Iterable[Cause] = ()) -> ApiError:
    """The object has moved on, or another manager owns the field."""
    details = _details(name, group, resource)
    if listed := [cause.manifest() for cause in causes]:
        details["causes"] = listed
    text = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return status(409, "Conflict", text, details)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def apply_conflict(message: str, causes: Iterable[Cause]) -> ApiError:
    """Server-side apply met fields of other managers."""
    return status(409, "Conflict", message, {"causes": [cause.manifest() for cause in causes]})


def invalid(kind: str, group: str, name: str, causes: Iterable[Cause]) -> ApiError:
    """422 with the causes in the message and in the details."""
    listed = list(causes)
    sentences = list(dict.fromkeys(cause.sentence() for cause in listed))
    text = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    details = _details(name, group, kind) | {"causes": [cause.manifest() for cause in listed]}
    return status(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {text}', details)


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return status(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: nobody we know."""
    return status(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, name: str, group: str, why: str, causes: Iterable[Cause] = ()) -> ApiError:
    """403: known, but not allowed."""
    details = _details(name, group, resource)
    if listed := [cause.manifest() for cause in causes]:
        details["causes"] = listed
    subject = f'{qualified(resource, group)} "{name}"' if name else qualified(resource, group)
    return status(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def method_not_allowed() -> ApiError:
    """405: the resource has no such verb."""
    return status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(offered: Iterable[str]) -> ApiError:
    """406: none of the media types asked for is spoken here."""
    text = f"only the following media types are accepted: {', '.join(offered)}"
    return status(406, "NotAcceptable", text)


def unsupported_media_type(offered: Iterable[str]) -> ApiError:
    """415: the body is in a format that is not read here."""
    text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(offered)}"
    return status(415, "UnsupportedMediaType", text)


def expired(message: str) -> ApiError:
    """410: the history asked for is gone."""
    return status(410, "Expired", message)


def internal_error(message: str) -> ApiError:
    """500: our fault or that of a webhook."""
    text = f"Internal error occurred: {message}"
    return status(500, "InternalError", text, {"causes": [{"message": message}]})


def service_unavailable(message: str) -> ApiError:
    """503: a backend of the API is not there."""
    return status(503, "ServiceUnavailable", message)
