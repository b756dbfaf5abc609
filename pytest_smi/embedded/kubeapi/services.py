"""Services: the addresses they get and the rules that their spec keeps."""

import ipaddress
from typing import Any

from pytest_smi.embedded.kubeapi import naming
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.store import Store
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_SERVICES = ("", "services")
_REQUIRED = "FieldValueRequired"
_OF_ADDRESS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


class AddressesExhausted(Exception):
    """Every address of the service range is taken."""


class ServiceAddresses:
    """Hands out ClusterIPs of one range. What is taken is read from the store, so there is nothing to give back."""

    def __init__(self, cidr: str, store: Store) -> None:
        self._network = ipaddress.ip_network(cidr)
        self._store = store
        self._next = 1

    def contains(self, address: str) -> bool:
        """Whether the address may be asked for by name."""
        try:
            return ipaddress.ip_address(address) in self._network
        except ValueError:
            return False

    def taken(self, address: str) -> bool:
        """Whether a Service has the address already."""
        return address in self._used()

    def _used(self) -> set[str]:
        records = self._store.collection(_SERVICES).records.values()
        return {record.obj.get("spec", {}).get("clusterIP", "") for record in records}

    def allocate(self) -> str:
        """A free address; addresses rotate, so that a deleted Service's one is not reused at once."""
        used = self._used()
        last = self._network.num_addresses - 2
        for _ in range(last):
            address = str(self._network[self._next])
            self._next = self._next % last + 1
            if address not in used:
                return address
        raise AddressesExhausted(f"range {self._network} is full")


def fill_in(obj: Object) -> None:
    """Defaults that depend on other fields."""
    spec = obj["spec"]
    for port in spec.get("ports") or ():
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port", 0)
    if spec.get("type") != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("sessionAffinity") == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")


def start(obj: Object) -> None:
    """A new Service: its families, the list form of its address, and a balancer that has done nothing."""
    obj["status"] = {"loadBalancer": {}}
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    both = spec.get("clusterIP") == "None" and not spec.get("selector")
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")


def carry(new: Object, old: Object) -> None:
    """An update that leaves the address out keeps it; one to ExternalName gives it up."""
    spec, before = new["spec"], old.get("spec") or {}
    if spec.get("type") == "ExternalName":
        if before.get("type") != "ExternalName":
            for field in (*_OF_ADDRESS, "internalTrafficPolicy"):
                spec.pop(field, None)
        return
    for field in _OF_ADDRESS:
        if not spec.get(field) and before.get(field):
            spec[field] = before[field]


def assign_address(obj: Object, addresses: ServiceAddresses, *, dry_run: bool) -> list[Cause]:
    """Give a new Service its ClusterIP, or say why it cannot have the one it asks for."""
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return []
    wanted = spec.get("clusterIP") or ""
    if wanted not in ("", "None"):
        why = ""
        if not addresses.contains(wanted):
            why = "the provided network does not match the current range"
        elif addresses.taken(wanted):
            why = "provided IP is already allocated"
        if why:
            return [invalid_value("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: {why}")]
    if not wanted and not dry_run:
        spec["clusterIP"] = addresses.allocate()
        spec["clusterIPs"] = [spec["clusterIP"]]
    return []


def remarks(obj: Object) -> list[str]:
    """What a user should know: what is ignored, and what this cluster does not give."""
    spec = obj["spec"]
    kind = spec.get("type")
    if kind in ("NodePort", "LoadBalancer"):
        return [
            f"spec.type: {kind} Services get a ClusterIP only: this cluster opens no node ports and balances no load"
        ]
    found = []
    if kind == "ClusterIP" and spec.get("clusterIP") == "None":
        found.append("spec.SessionAffinity is ignored for headless services")
    if kind == "ExternalName" and spec.get("externalIPs"):
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return found


def causes(obj: Object) -> list[Cause]:
    """What is wrong with a Service."""
    spec = obj["spec"]
    found: list[Cause] = []
    ports = spec.get("ports") or []
    if spec.get("type") == "ExternalName":
        found += _external_causes(spec.get("externalName") or "")
    elif not ports and spec.get("clusterIP") != "None":
        found.append(Cause(_REQUIRED, "Required value", "spec.ports"))
    names: set[str] = set()
    pairs: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        found += _port_causes(port, path, several=len(ports) > 1)
        name, pair = port.get("name", ""), (port.get("protocol"), port.get("port"))
        if name and name in names:
            found.append(Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{path}.name"))
        if pair in pairs:
            found.append(Cause("FieldValueDuplicate", f"Duplicate value: {_as_go_has_it(*pair)}", path))
        names.add(name)
        pairs.add(pair)
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address != "None":
            found += address_causes(address, f"spec.clusterIPs[{index}]")
    return found + naming.label_causes(spec.get("selector") or {}, "spec.selector")


def _as_go_has_it(protocol: str, number: int) -> str:
    return f'{{"Name":"","Protocol":"{protocol}","AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}'


def _external_causes(name: str) -> list[Cause]:
    if not name:
        return [Cause(_REQUIRED, "Required value", "spec.externalName")]
    return [invalid_value("spec.externalName", name, text) for text in naming.dns_subdomain(name.removesuffix("."))]


def address_causes(address: str, path: str) -> list[Cause]:
    """An address that is none."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return [invalid_value(path, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    return []


def port_range(value: int, path: str) -> list[Cause]:
    """A port number outside 1 to 65535."""
    return [] if 0 < value < 65536 else [invalid_value(path, value, "must be between 1 and 65535, inclusive")]


def port_causes(target: int | str, path: str) -> list[Cause]:
    """A port, by number or name, that is none."""
    if isinstance(target, int):
        return port_range(target, path)
    return [invalid_value(path, target, text) for text in naming.port_name(target)]


def _port_causes(port: Object, path: str, *, several: bool) -> list[Cause]:
    found = []
    if several and not port.get("name"):
        found.append(Cause(_REQUIRED, "Required value", f"{path}.name"))
    if name := port.get("name"):
        found += [invalid_value(f"{path}.name", name, text) for text in naming.dns_label(name)]
    found += port_range(port.get("port", 0), f"{path}.port")
    found += port_causes(port.get("targetPort", 0), f"{path}.targetPort")
    if protocol := port.get("appProtocol"):
        found += [invalid_value(f"{path}.appProtocol", protocol, text) for text in naming.qualified_name(protocol)]
    return found


def update_causes(new: Object, old: Object) -> list[Cause]:
    """A ClusterIP, once given, stays."""
    before, after = (old.get("spec") or {}).get("clusterIP"), new["spec"].get("clusterIP")
    if before and before != after and new["spec"].get("type") != "ExternalName":
        wanted = new["spec"].get("clusterIPs") or [after or ""]
        return [invalid_value("spec.clusterIPs[0]", wanted, "may not change once set")]
    return []
