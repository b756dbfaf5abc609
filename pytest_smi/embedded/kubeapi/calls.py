"""One request on one resource, with its options read and checked."""

import re
from dataclasses import dataclass, field
from typing import Any

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import Request, Response, User, encode_json
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.negotiation import Accepted
from pytest_smi.embedded.kubeapi.routing import Target
from pytest_smi.embedded.kubeapi.values import unsupported_value

_VALIDATION = ("", "Ignore", "Strict", "Warn")


@dataclass(slots=True)
class Call:
    """A request together with the resource it addresses and the options that every write takes."""

    request: Request
    target: Target
    resource: Resource
    accepted: Accepted
    dry_run: bool = False
    validation: str = "Warn"
    manager: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def user(self) -> User:
        """Who asks."""
        return self.request.user

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name of the object addressed."""
        return self.target.namespace, self.target.name

    def warn(self, text: str) -> None:
        """Send `text` to the user as a Warning header."""
        if text not in self.warnings:
            self.warnings.append(text)

    def answer(self, code: int, value: object) -> Response:
        """`value` as the answer, with the warnings collected so far."""
        headers = {"content-type": "application/json"}
        if self.warnings:
            headers["warning"] = ", ".join(f"299 - {_quoted(text)}" for text in self.warnings)
        return Response(code, encode_json(value), headers)

    def missing(self) -> status.ApiError:
        """The 404 for the object addressed."""
        return status.not_found(self.resource.plural, self.target.name, self.resource.group)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def default_manager(request: Request) -> str:
    """The field manager of a client that names none: its user agent up to the first slash."""
    agent = request.headers.get("user-agent", "unknown").split("/", 1)[0]
    return re.sub(r"[^\x20-\x7e]", "", agent)[:128] or "unknown"


def read_options(call: Call, options_kind: str, body: dict[str, Any] | None = None) -> None:
    """Fill in dryRun, fieldValidation and fieldManager. Raises ApiError (422) for values that do not exist."""
    request = call.request
    runs = request.query.get("dryRun") or (body or {}).get("dryRun") or []
    causes = [unsupported_value("dryRun", value, ["All"]) for value in runs if value != "All"]
    wanted = request.param("fieldValidation")
    if wanted not in _VALIDATION:
        causes.append(unsupported_value("fieldValidation", wanted, list(_VALIDATION)))
    if causes:
        raise status.invalid(options_kind, "meta.k8s.io", "", causes)
    call.dry_run = bool(runs)
    call.validation = wanted or "Warn"
    call.manager = request.param("fieldManager") or default_manager(request)
