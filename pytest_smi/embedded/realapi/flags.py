"""The command lines of etcd and kube-apiserver. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Place:
    """Where the programs listen and keep their files: one loopback address, three free ports of it, one folder."""

    host: str
    secure_port: int
    etcd_port: int
    peer_port: int
    folder: Path

    @property
    def etcd_url(self) -> str:
        """For etcd's one client."""
        return f"https://{self.host}:{self.etcd_port}"

    @property
    def server(self) -> str:
        """For everyone else."""
        return f"https://{self.host}:{self.secure_port}"

    def file(self, name: str) -> str:
        """The path of a file in the folder."""
        return str(self.folder / name)


def etcd(place: Place) -> list[str]:
    """One member that listens to holders of our certificates only; what it writes need not survive it."""
    peer = f"https://{place.host}:{place.peer_port}"
    flags = {
        "name": "default",
        "data-dir": place.file("etcd"),
        "listen-client-urls": place.etcd_url,
        "advertise-client-urls": place.etcd_url,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "unsafe-no-fsync": "true",
        "enable-grpc-gateway": "false",
        "log-level": "warn",
    }
    for prefix in ("", "peer-"):
        flags |= {
            f"{prefix}cert-file": place.file("etcd.crt"),
            f"{prefix}key-file": place.file("etcd.key"),
            f"{prefix}trusted-ca-file": place.file("ca.crt"),
            f"{prefix}client-cert-auth": "true",
        }
    return _written(flags)


def kube_apiserver(place: Place, service_cidr: str) -> list[str]:
    """An API server with RBAC, static tokens, ServiceAccount tokens, aggregation, and our node as its kubelet."""
    flags = {
        "bind-address": place.host,
        "advertise-address": place.host,
        "secure-port": str(place.secure_port),
        "tls-cert-file": place.file("server.crt"),
        "tls-private-key-file": place.file("server.key"),
        "client-ca-file": place.file("ca.crt"),
        "token-auth-file": place.file("tokens.csv"),
        "authorization-mode": "RBAC",
        "service-account-issuer": ISSUER,
        "service-account-key-file": place.file("accounts.crt"),
        "service-account-signing-key-file": place.file("accounts.key"),
        "service-cluster-ip-range": service_cidr,
        # It would write its own loopback address into Endpoints, which it refuses itself.
        "endpoint-reconciler-type": "none",
        "allow-privileged": "true",
        "profiling": "false",
        "v": "1",
    }
    return _written(flags | _etcd_access(place) | _kubelet_access(place) | _aggregation(place))


def _etcd_access(place: Place) -> dict[str, str]:
    return {
        "etcd-servers": place.etcd_url,
        "etcd-cafile": place.file("ca.crt"),
        "etcd-certfile": place.file("client.crt"),
        "etcd-keyfile": place.file("client.key"),
    }


def _kubelet_access(place: Place) -> dict[str, str]:
    return {
        "kubelet-certificate-authority": place.file("ca.crt"),
        "kubelet-client-certificate": place.file("client.crt"),
        "kubelet-client-key": place.file("client.key"),
        "kubelet-preferred-address-types": "InternalIP",
    }


def _aggregation(place: Place) -> dict[str, str]:
    return {
        "proxy-client-cert-file": place.file("front-proxy.crt"),
        "proxy-client-key-file": place.file("front-proxy.key"),
        "requestheader-client-ca-file": place.file("front-proxy-ca.crt"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    }


def _written(flags: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
