"""The loopback addresses of one embedded cluster.

All of 127/8 is usable on Linux without any set-up. A cluster claims a random block of it, so that clusters (of xdist
workers, of several users) live side by side without fixed ports:

* 127.A.B.0/24       addresses of pods, A in 64..127, B even
* 127.A.(B+1).0/24   ClusterIPs of Services, given out by the API server
* 127.(A-63).B.0/24  private addresses: where the process of a pod with a sidecar listens, behind its sidecar
"""

from __future__ import annotations

import errno
import random
import socket
from dataclasses import dataclass

from pytest_smi.errors import ClusterError

_CLAIM_PORT = 61999  # above the ports that Linux gives out by itself
_CLAIM_HOST = 254
_LAST_POD = 250
_ATTEMPTS = 64


@dataclass(frozen=True)
class Block:
    """One block, named by its second octet `a` (64..127) and its third `b` (even)."""

    a: int
    b: int

    @property
    def service_cidr(self) -> str:
        """The network of ClusterIPs."""
        return f"127.{self.a}.{self.b + 1}.0/24"

    @property
    def pod_cidr(self) -> str:
        """The network of pod addresses."""
        return f"127.{self.a}.{self.b}.0/24"

    @property
    def node(self) -> str:
        """The address of the node itself; DNS is served on it."""
        return f"127.{self.a}.{self.b}.{_CLAIM_HOST}"

    def pod_ip(self, number: int) -> str:
        """The address of pod `number`, 1..250."""
        return f"127.{self.a}.{self.b}.{number}"

    def private_address(self, pod_ip: str) -> str:
        """Where the process of the pod with address `pod_ip` listens when a sidecar owns `pod_ip`."""
        return f"127.{self.a - 63}.{self.b}.{pod_ip.rpartition('.')[2]}"


class Claim:
    """A block that is ours until `close`, or until the process ends: a bound socket keeps others off."""

    def __init__(self) -> None:
        for _ in range(_ATTEMPTS):
            self.block = Block(random.randrange(64, 128), random.randrange(0, 256, 2))
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._socket.bind((self.block.node, _CLAIM_PORT))
            except OSError as fault:
                self._socket.close()
                if fault.errno == errno.EADDRINUSE:
                    continue
                raise ClusterError(
                    f"cannot use loopback address {self.block.node}: {fault.strerror}",
                    "the embedded cluster needs Linux, where all of 127.0.0.0/8 is local",
                ) from None
            return
        raise ClusterError(f"{_ATTEMPTS} blocks of loopback addresses tried, all taken", "end other embedded clusters")

    def close(self) -> None:
        """Gives the block back."""
        self._socket.close()


class PodAddresses:
    """Gives out pod addresses, the longest unused first: rules about a pod that has gone must not hit its successor."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._free = [block.pod_ip(number) for number in range(1, _LAST_POD + 1)]
        self._held: dict[str, str] = {}

    def acquire(self, owner: str) -> str:
        """The address of `owner` (a pod's uid), the same each time. Raises ClusterError when none is left."""
        if owner not in self._held:
            if not self._free:
                raise ClusterError(f"all {_LAST_POD} pod addresses are in use", "delete pods")
            self._held[owner] = self._free.pop(0)
        return self._held[owner]

    def release(self, owner: str) -> None:
        """Gives the address of `owner` back, if it has one."""
        if address := self._held.pop(owner, None):
            self._free.append(address)
