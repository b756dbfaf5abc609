"""The cluster's DNS: names of Services under `svc.cluster.local`, over UDP.

Names arrive fully qualified; clients apply the search list `<ns>.svc.cluster.local svc.cluster.local cluster.local`.
There is nothing beyond the cluster: every other name does not exist.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded import dns_message as message
from pytest_smi.embedded.dns_message import Record

if TYPE_CHECKING:
    from pytest_smi.embedded.client import Informer

DOMAIN = "cluster.local"
_SUFFIX = f".svc.{DOMAIN}"
_TTL = 0  # seconds: tests change Services and ask again at once
_MOST_ALIASES = 8

_log = logging.getLogger(__name__)

Objects = Mapping[tuple[str, str], dict[str, Any]]


class Zone:
    """Answers from live copies of Services and EndpointSlices, both keyed by (namespace, name)."""

    def __init__(self, services: Objects, slices: Objects) -> None:
        self._services = services
        self._slices = slices

    def lookup(self, name: str, kind: int) -> tuple[int, list[Record]]:
        """Response code and records for a name in lower case, without the final dot."""
        records: list[Record] = []
        for _ in range(_MOST_ALIASES):
            addresses, alias = self._resolve(name)
            if addresses is None and alias is None:
                return (message.NOERROR if records else message.NXDOMAIN), records
            if alias is None:
                wanted = addresses if kind in (message.A, message.ANY) else []
                return message.NOERROR, records + [Record(name, message.A, address) for address in wanted or []]
            records.append(Record(name, message.CNAME, alias))
            name = alias
        return message.NOERROR, records

    def _resolve(self, name: str) -> tuple[list[str] | None, str | None]:
        """(addresses, None), (None, alias), or (None, None) for a name that does not exist."""
        if not name.endswith(_SUFFIX):
            return None, None
        *host, service_name, namespace = ("", *name.removesuffix(_SUFFIX).split("."))
        service = self._services.get((namespace, service_name))
        if service is None or len(host) > 2:
            return None, None
        spec = service.get("spec", {})
        if spec.get("type") == "ExternalName":
            return None, spec.get("externalName", "").rstrip(".").lower()
        if spec.get("clusterIP", "None") != "None":
            return (None if len(host) == 2 else [spec["clusterIP"]]), None
        found = self._endpoints(namespace, service_name, host[1] if len(host) == 2 else None)
        return (found or (None if len(host) == 2 else [])), None

    def _endpoints(self, namespace: str, service: str, host: str | None) -> list[str]:
        found: dict[str, None] = {}
        for (where, _), part in self._slices.items():
            labels = part["metadata"].get("labels") or {}
            if where != namespace or labels.get("kubernetes.io/service-name") != service:
                continue
            for endpoint in part.get("endpoints") or []:
                if endpoint.get("conditions", {}).get("ready", True) and host in (None, endpoint.get("hostname")):
                    found.update(dict.fromkeys(endpoint["addresses"]))
        addresses = list(found)
        random.shuffle(addresses)  # clients take the first: the load spreads, as with CoreDNS
        return addresses


class DnsServer(asyncio.DatagramProtocol):
    """Serves a zone on one UDP address."""

    def __init__(self, services: Informer, slices: Informer) -> None:
        self._zone = Zone(services.objects, slices.objects)

    async def start(self, host: str) -> int:
        """Listens on a free port of `host`, which is returned."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        """Stops serving."""
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answers one query; what is not a query is refused, what is an answer ignored."""
        if len(data) < 4 or data[2] & 0x80:
            return
        try:
            question = message.read_query(data)
        except message.Malformed as fault:
            _log.info("refused a query of %s: %s", addr, fault)
            self._transport.sendto(message.refusal(data, message.FORMERR), addr)
            return
        code, records = self._zone.lookup(question.name, question.type)
        self._transport.sendto(message.answer(question, code, records, _TTL), addr)

    def error_received(self, exc: Exception) -> None:
        """A client closed its socket before the answer came: nothing to do."""
