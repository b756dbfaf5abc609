"""Where the server behind an APIService is: from its annotation, or from its Service and what that leads to."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pytest_smi.embedded.kubeapi.reader import Reader

URL_ANNOTATION = "embedded.pytest-smi.dev/url"
DEFAULT_PORT = 443


class Unavailable(Exception):
    """The server cannot be reached; `reason` is that of the condition Available, the text its message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Backend:
    """An address to connect to. `name` is what the certificate must be for; `prefix` comes before every path."""

    host: str
    port: int
    name: str
    secure: bool = True
    verify: bool = True
    ca_pem: str | None = None
    prefix: str = ""


def backend_of(found: dict[str, Any], reader: Reader) -> Backend:
    """The backend of an APIService. Raises Unavailable with the reason that a real aggregator gives."""
    spec = found["spec"]
    verify = not spec.get("insecureSkipTLSVerify", False)
    ca_pem = _ca(spec)
    url = (found["metadata"].get("annotations") or {}).get(URL_ANNOTATION)
    if url:
        return _from_url(url, verify, ca_pem)
    service = spec["service"]
    namespace, name = service.get("namespace", ""), service.get("name", "")
    host, port = _endpoint(reader, namespace, name, service.get("port") or DEFAULT_PORT)
    return Backend(host, port, f"{name}.{namespace}.svc", verify=verify, ca_pem=ca_pem)


def _from_url(url: str, verify: bool, ca_pem: str | None) -> Backend:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unavailable("InvalidURL", f"annotation {URL_ANNOTATION} is not an http or https URL: {url!r}")
    secure = parts.scheme == "https"
    return Backend(parts.hostname, port, parts.hostname, secure, verify, ca_pem, parts.path.rstrip("/"))


def _ca(spec: dict[str, Any]) -> str | None:
    try:
        return base64.b64decode(spec.get("caBundle") or "", validate=True).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        raise Unavailable("InvalidCABundle", "spec.caBundle is not base64 of PEM certificates") from None


def _endpoint(reader: Reader, namespace: str, name: str, port: int) -> tuple[str, int]:
    """An address that the Service leads to: the other name that it is, or one of EndpointSlices, else of Endpoints."""
    what = f'"{name}" in "{namespace}"'
    service = reader.object("", "services", namespace, name)
    if service is None:
        raise Unavailable("ServiceNotFound", f"service/{what} is not present")
    if service["spec"].get("type") == "ExternalName":
        return service["spec"]["externalName"], port
    ports = [item for item in service["spec"].get("ports") or () if item["port"] == port]
    if not ports:
        raise Unavailable("ServicePortError", f"service/{what} is not listening on port {port}")
    port_name = ports[0].get("name", "")
    for address, number in (
        *_slice_addresses(reader, namespace, name, port_name),
        *_plain_addresses(reader, namespace, name, port_name),
    ):
        return address, number
    raise Unavailable(
        "MissingEndpoints", f'endpoints for service/{what} have no addresses with port name "{port_name}"'
    )


def _slice_addresses(reader: Reader, namespace: str, service: str, port_name: str) -> list[tuple[str, int]]:
    found = []
    for item in reader.objects("discovery.k8s.io", "endpointslices", namespace):
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != service:
            continue
        numbers = [port["port"] for port in item.get("ports") or () if (port.get("name") or "") == port_name]
        for endpoint in item.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                found += [(address, number) for address in endpoint["addresses"] for number in numbers]
    return found


def _plain_addresses(reader: Reader, namespace: str, service: str, port_name: str) -> list[tuple[str, int]]:
    endpoints = reader.object("", "endpoints", namespace, service) or {}
    found = []
    for subset in endpoints.get("subsets") or ():
        numbers = [port["port"] for port in subset.get("ports") or () if (port.get("name") or "") == port_name]
        found += [(address["ip"], number) for address in subset.get("addresses") or () for number in numbers]
    return found
