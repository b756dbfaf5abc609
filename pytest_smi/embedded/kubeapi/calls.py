"""One request on one resource, with its options read and checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import Request, Response, User, json_response
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.negotiation import Accepted
from pytest_smi.embedded.kubeapi.routing import Target
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, unsupported_value

_VALIDATION = ("", "Ignore", "Strict", "Warn")
_LONGEST_MANAGER = 128


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
        if text not in self.request.warnings:
            self.request.warnings.append(text)

    def answer(self, code: int, value: object) -> Response:
        """`value` as the answer."""
        return json_response(code, value)

    def missing(self) -> status.ApiError:
        """The 404 for the object addressed."""
        return status.not_found(self.resource.plural, self.target.name, self.resource.group)


def default_manager(request: Request) -> str:
    """The field manager of a client that names none: its user agent up to the first slash."""
    agent = request.headers.get("user-agent", "unknown").split("/", 1)[0]
    return re.sub(r"[^\x20-\x7e]", "", agent)[:128] or "unknown"


def read_options(call: Call, options_kind: str, others: Sequence[Cause] = ()) -> None:
    """Fill in dryRun, fieldValidation and fieldManager. Raises ApiError (422) if they are wrong, or with `others`."""
    request = call.request
    manager, validation = request.param("fieldManager"), request.param("fieldValidation")
    causes = [*others, *_manager_causes(manager), *dry_run_causes(runs := request.query.get("dryRun") or [])]
    if validation not in _VALIDATION:
        causes.append(unsupported_value("fieldValidation", validation, list(_VALIDATION)))
    if causes:
        raise status.invalid(options_kind, "meta.k8s.io", "", causes)
    call.dry_run = bool(runs)
    call.validation = validation or "Warn"
    call.manager = manager or default_manager(request)


def dry_run_causes(runs: list[str]) -> list[Cause]:
    """What is wrong with the values of dryRun."""
    return [unsupported_value("dryRun", runs, ["All"])] if set(runs) - {"All"} else []


def _manager_causes(manager: str) -> list[Cause]:
    causes = []
    if len(manager.encode()) > _LONGEST_MANAGER:
        text = f"Too long: may not be more than {_LONGEST_MANAGER} bytes"
        causes.append(Cause("FieldValueTooLong", text, "fieldManager"))
    for place, sign in enumerate(manager):
        if not sign.isprintable():
            text = f"invalid character U+{ord(sign):04X} (at position {place})"
            causes.append(invalid_value("fieldManager", manager, text))
    return causes
