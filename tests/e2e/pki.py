"""Certificates of one cluster, and the kubeconfig files that carry them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from pytest_smi.embedded.kubeapi.tls import KeyPair, new_authority

SERVER_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
)


@dataclass(frozen=True)
class Pki:
    """A fresh authority and what it signs; files are written to `folder`."""

    folder: Path
    server: str

    def make(self, addresses: tuple[str, ...], nodes: dict[str, str]) -> None:
        """Make everything: the API server's, the administrator's and the nodes' certificates, and kubeconfigs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        authority = new_authority("pytest-smi e2e")
        authority.write(self.folder, "ca")
        authority.issue("kube-apiserver", dns=SERVER_NAMES, addresses=addresses).write(self.folder, "apiserver")
        authority.issue("service accounts").write(self.folder, "sa")
        admin = authority.issue("admin", organizations=["system:masters"], client=True)
        admin.write(self.folder, "admin")
        self._kubeconfig("admin", authority.cert_pem, admin)
        for node, address in nodes.items():
            authority.issue(node, dns=[node], addresses=[address]).write(self.folder, f"{node}-kubelet")
            client = authority.issue(f"system:node:{node}", organizations=["system:nodes"], client=True)
            self._kubeconfig(node, authority.cert_pem, client)

    def file(self, name: str) -> str:
        """The path of a file by its name, e.g. `ca.crt` or `admin.conf`."""
        return str(self.folder / name)

    def _kubeconfig(self, name: str, authority_pem: str, pair: KeyPair) -> None:
        user = {"client-certificate-data": _b64(pair.cert_pem), "client-key-data": _b64(pair.key_pem)}
        cluster = {"server": self.server, "certificate-authority-data": _b64(authority_pem)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "e2e", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name}}],
            "current-context": "e2e",
        }
        file = self.folder / f"{name}.conf"
        file.touch(mode=0o600)
        file.write_text(json.dumps(document, indent=1), "utf-8")


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
