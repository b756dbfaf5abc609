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
    spec = obj.setdefault("spec", {})
    for port in spec.get("ports") or ():
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port")
    if spec.get("type") != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("sessionAffinity") == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")


def assign_address(obj: Object, addresses: ServiceAddresses, *, dry_run: bool) -> list[Cause]:
    """Give a new Service its ClusterIP, or say why it cannot have the one it asks for."""
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return []
    wanted = spec.get("clusterIP") or ""
    if wanted not in ("", "None"):
        path, problem = "spec.clusterIPs", ""
        if not addresses.contains(wanted):
            problem = f"failed to allocate IP {wanted}: the provided IP is not in the valid range"
        elif addresses.taken(wanted):
            problem = f"failed to allocate IP {wanted}: provided IP is already allocated"
        if problem:
            return [Cause("FieldValueInvalid", f'Invalid value: ["{wanted}"]: {problem}', path)]
    if not wanted and not dry_run:
        wanted = spec["clusterIP"] = addresses.allocate()
    if wanted:
        spec["clusterIPs"] = [wanted]
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    return []


def remark(obj: Object) -> str:
    """What a user should know who asks for more than this cluster gives."""
    kind = obj["spec"].get("type")
    return f"spec.type: {kind} Services get a ClusterIP only: this cluster opens no node ports and has no load balancer"


def carry_address(new: Object, old: Object) -> None:
    """An update that leaves the address out keeps it."""
    spec, before = new["spec"], old.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return
    for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if not spec.get(field) and before.get(field):
            spec[field] = before[field]


def causes(obj: Object) -> list[Cause]:
    """What is wrong with a Service."""
    spec = obj.get("spec") or {}
    found: list[Cause] = []
    ports = spec.get("ports") or []
    if spec.get("type") == "ExternalName":
        if not spec.get("externalName"):
            found.append(Cause(_REQUIRED, "Required value", "spec.externalName"))
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
            text = f'Duplicate value: {{"protocol":"{pair[0]}","port":{pair[1]}}}'
            found.append(Cause("FieldValueDuplicate", text, path))
        names.add(name)
        pairs.add(pair)
    return found + naming.label_causes(spec.get("selector") or {}, "spec.selector")


def port_range(value: int, path: str) -> list[Cause]:
    """A port number outside 1 to 65535."""
    return [] if 0 < value < 65536 else [invalid_value(path, value, "must be between 1 and 65535, inclusive")]


def _port_causes(port: Object, path: str, *, several: bool) -> list[Cause]:
    found = []
    if several and not port.get("name"):
        found.append(Cause(_REQUIRED, "Required value", f"{path}.name"))
    if name := port.get("name"):
        found += [invalid_value(f"{path}.name", name, text) for text in naming.dns_label(name)]
    if "port" in port:
        found += port_range(port["port"], f"{path}.port")
    if isinstance(target := port.get("targetPort"), int):
        found += port_range(target, f"{path}.targetPort")
    return found


def update_causes(new: Object, old: Object) -> list[Cause]:
    """A ClusterIP, once given, stays."""
    before, after = (old.get("spec") or {}).get("clusterIP"), new["spec"].get("clusterIP")
    if before and before != after and new["spec"].get("type") != "ExternalName":
        return [invalid_value("spec.clusterIPs[0]", after or "", "may not change once set")]
    return []
