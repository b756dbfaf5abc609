"""Endpoints and EndpointSlices: what is wrong with them.

Unlike a real server this one takes loopback addresses: all pods of the embedded cluster have one.
"""

import ipaddress
from typing import Any

from pytest_smi.embedded.kubeapi import naming
from pytest_smi.embedded.kubeapi.services import address_causes, port_range
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_REQUIRED = "FieldValueRequired"
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS = 1000, 100, 100


def _special(address: str, path: str) -> list[Cause]:
    """An address that no endpoint can have."""
    found = ipaddress.ip_address(address)
    if found.is_unspecified:
        return [invalid_value(path, address, f"may not be unspecified ({address})")]
    if found.is_link_local:
        return [invalid_value(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    if found.is_multicast:
        text = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        return [invalid_value(path, address, text)]
    return []


def _address(address: str, path: str) -> list[Cause]:
    return address_causes(address, path) or _special(address, path)


def causes(obj: Object) -> list[Cause]:
    """What is wrong with Endpoints."""
    found: list[Cause] = []
    for index, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            found.append(Cause(_REQUIRED, "Required value: must specify `addresses` or `notReadyAddresses`", path))
        for field in ("addresses", "notReadyAddresses"):
            for place, item in enumerate(subset.get(field) or ()):
                found += _endpoint(item, f"{path}.{field}[{place}]")
        ports = subset.get("ports") or []
        for place, port in enumerate(ports):
            found += _port(port, f"{path}.ports[{place}]", several=len(ports) > 1)
    return found


def _endpoint(item: Object, path: str) -> list[Cause]:
    found, address = [], item.get("ip", "")
    wrong = _address(address, f"{path}.ip")
    if address_causes(address, ""):  # said twice, by two checks
        wrong = [invalid_value(f"{path}.ip", address, "must be a valid IP address"), *wrong]
    if name := item.get("hostname"):
        found += [invalid_value(f"{path}.hostname", name, text) for text in naming.dns_label(name)]
    return wrong + found


def _port(port: Object, path: str, *, several: bool) -> list[Cause]:
    name, found = port.get("name", ""), []
    if several and not name:
        found.append(Cause(_REQUIRED, "Required value", f"{path}.name"))
    elif name:
        found += [invalid_value(f"{path}.name", name, text) for text in naming.dns_label(name)]
    return found + port_range(port.get("port", 0), f"{path}.port")


def fill_in_slice(obj: Object) -> None:
    """The name of a port is there even if it is empty."""
    for port in obj.get("ports") or ():
        if port.get("name") is None:
            port["name"] = ""


def slice_causes(obj: Object) -> list[Cause]:
    """What is wrong with an EndpointSlice."""
    found: list[Cause] = []
    for field, most in (("endpoints", _MOST_ENDPOINTS), ("ports", _MOST_PORTS)):
        if len(obj.get(field) or ()) > most:
            found.append(_too_many(field, len(obj[field]), most))
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        found += _slice_endpoint(endpoint, obj.get("addressType", ""), f"endpoints[{index}]")
    return found + _slice_ports(obj.get("ports") or [])


def _too_many(path: str, count: int, most: int) -> Cause:
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {most} items", path)


def _slice_endpoint(endpoint: Object, kind: str, path: str) -> list[Cause]:
    addresses, found = endpoint.get("addresses") or [], []
    if not addresses:
        found.append(Cause(_REQUIRED, "Required value: must contain at least 1 address", f"{path}.addresses"))
    elif len(addresses) > _MOST_ADDRESSES:
        found.append(_too_many(f"{path}.addresses", len(addresses), _MOST_ADDRESSES))
    for place, address in enumerate(addresses):
        where = f"{path}.addresses[{place}]"
        if kind in ("IPv4", "IPv6"):
            wrong = _address(address, where)
            if not wrong and ipaddress.ip_address(address).version != int(kind[-1]):
                wrong = [invalid_value(f"{path}.addresses", address, f"must be an {kind} address")]
            found += wrong
        elif kind == "FQDN":
            found += [invalid_value(where, address, text) for text in naming.dns_subdomain(address)]
    if name := endpoint.get("hostname"):
        found += [invalid_value(f"{path}.hostname", name, text) for text in naming.dns_label(name)]
    return found


def _slice_ports(ports: list[Object]) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name") or ""
        if name:
            found += [invalid_value(f"{path}.name", name, text) for text in naming.dns_label(name)]
        if name in names:
            found.append(Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{path}.name"))
        names.add(name)
        if protocol := port.get("appProtocol"):
            found += [invalid_value(f"{path}.appProtocol", protocol, text) for text in naming.qualified_name(protocol)]
    return found


def slice_update_causes(new: Object, old: Object) -> list[Cause]:
    """The type of the addresses of an EndpointSlice stays."""
    if new.get("addressType") == old.get("addressType"):
        return []
    return [invalid_value("addressType", new.get("addressType", ""), "field is immutable")]


def slice_remarks(obj: Object) -> list[str]:
    """What the user of an EndpointSlice should know."""
    return ["spec.addressType: FQDN endpoints are deprecated"] if obj.get("addressType") == "FQDN" else []
