"""The directory that Envoy watches: each file is replaced as a whole, and only when its content changes."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.envoy_base import certificate_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_smi.embedded.mesh.ca import Authority
    from pytest_smi.embedded.mesh.envoy_base import Resource
    from pytest_smi.embedded.mesh.model import Pod


class Directory:
    """Envoy's configuration files below `path`."""

    def __init__(self, path: Path, authority: Authority) -> None:
        self.path = path
        self._authority = authority
        self._tls = path / "tls"
        self._written: dict[str, str] = {}
        self._certified: dict[tuple[str, str], str] = {}
        self._tls.mkdir(parents=True, exist_ok=True)
        (self._tls / "ca.crt").write_bytes(authority.pem)

    def write(self, files: Mapping[str, list[Resource]]) -> list[str]:
        """Write the files that changed, in the order given; returns their names. Envoy acts in the same order."""
        changed = []
        for name, resources in files.items():
            text = json.dumps(resources, separators=(",", ":"))
            if self._written.get(name) != text:
                self._written[name] = text
                version = hashlib.sha256(text.encode()).hexdigest()[:16]
                self._replace(f"{name}.json", f'{{"version_info":"{version}","resources":{text}}}')
                changed.append(name)
        return changed

    def certify(self, pods: Iterable[Pod]) -> None:
        """Give each meshed pod a certificate, and take those of pods that have gone."""
        meshed = {pod.key: pod for pod in pods if pod.meshed}
        for key in self._certified.keys() - meshed.keys():
            del self._certified[key]
            for file in certificate_files(self._tls, key):
                file.unlink(missing_ok=True)
        for key, pod in meshed.items():
            if self._certified.get(key) != pod.account:
                self._certified[key] = pod.account
                certificate, secret = certificate_files(self._tls, key)
                cert_pem, key_pem = self._authority.for_pod(pod)
                certificate.write_bytes(cert_pem)
                secret.touch(mode=0o600)
                secret.write_bytes(key_pem)

    def _replace(self, name: str, text: str) -> None:
        temporary = self.path / f".{name}"
        temporary.write_text(text)
        os.replace(temporary, self.path / name)
