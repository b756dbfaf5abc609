"""The directory that Envoy watches: each file is replaced as a whole, and only when its content changes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.envoy_base import certificate_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_smi.embedded.mesh.ca import Authority
    from pytest_smi.embedded.mesh.envoy_base import Resource
    from pytest_smi.embedded.mesh.model import Pod, PodKey

_KEPT_SECONDS = 30.0


class Directory:
    """Envoy's configuration files below `path`."""

    def __init__(self, path: Path, authority: Authority) -> None:
        self.path = path
        self._authority = authority
        self._tls = path / "tls"
        self._written: dict[str, str] = {}
        self._certified: dict[PodKey, str] = {}
        self._gone: dict[PodKey, float] = {}
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
                whole = f'{{"version_info":"{version}","resources":{text}}}'
                _replace(self.path / f"{name}.json", whole.encode())
                changed.append(name)
        return changed

    def certify(self, pods: Iterable[Pod]) -> None:
        """Give each meshed pod a certificate, and take those of pods that went some time ago."""
        meshed = {pod.key: pod for pod in pods if pod.meshed}
        for key in self._certified.keys() - meshed.keys():
            del self._certified[key]
            self._gone[key] = time.monotonic()
        for key, pod in meshed.items():
            self._gone.pop(key, None)
            if self._certified.get(key) != pod.account:
                self._certified[key] = pod.account
                for file, pem in zip(certificate_files(self._tls, key), self._authority.for_pod(pod), strict=True):
                    _replace(file, pem)
        self._forget()

    def _forget(self) -> None:
        # Envoy may still be reading what we wrote a moment ago, in which the pod was there.
        for key in [key for key, went in self._gone.items() if time.monotonic() - went > _KEPT_SECONDS]:
            del self._gone[key]
            for file in certificate_files(self._tls, key):
                file.unlink(missing_ok=True)


def _replace(file: Path, data: bytes) -> None:
    """Write a file that only we may read, so that a reader sees the old or the new one, never a part."""
    temporary = file.with_name(f".{file.name}")
    temporary.touch(mode=0o600)
    temporary.write_bytes(data)
    os.replace(temporary, file)
