"""Container images without a registry: OCI archives put together from files of this host, for `ctr images import`."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.folders import cache
from tests.e2e.trouble import E2eError

_PLATFORM = {"x86_64": "amd64", "aarch64": "arm64"}
_FOLDERS = {"tmp": 0o1777, "etc": 0o755, "run": 0o755, "var": 0o755, "dev": 0o755, "proc": 0o755, "sys": 0o755}
_TYPE = "application/vnd.oci.image"


@dataclass
class Image:
    """One image: its full name with tag, the files in it (path in the image -> file here), and how it runs."""

    name: str
    files: dict[str, Path] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, file: Path | str) -> None:
        """Put a file at a path; an ELF program or library brings the libraries that it is linked with."""
        source = Path(file).resolve()
        self.files[path] = source
        for library in libraries(source):
            self.files.setdefault(library, Path(library).resolve())

    def add_tree(self, path: str, folder: Path, *, without: frozenset[str] = frozenset()) -> None:
        """Put a folder at a path, leaving out entries of those names at any depth."""
        for where, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name not in without)
            at = Path(path) / Path(where).relative_to(folder)
            for name in sorted(set(names) - without):
                self.add(str(at / name), Path(where) / name)

    def archive(self) -> Path:
        """The image as an OCI archive in the cache, made now if its content is new."""
        folder = cache() / "images"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{re.sub(r'[^a-z0-9.]+', '-', self.name)}-{self._key()}.tar"
        if not target.exists():
            unfinished = target.with_suffix(f".{os.getpid()}")
            _write(unfinished, self.name, self._layer(), self._config())
            unfinished.rename(target)
        return target

    def _key(self) -> str:
        stats = {path: (str(file), file.stat().st_size, file.stat().st_mtime_ns) for path, file in self.files.items()}
        content = [self.name, stats, self.links, self.texts, self._config()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def _config(self) -> dict[str, Any]:
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        return {
            "Entrypoint": list(self.command),
            "Env": [f"{key}={value}" for key, value in {**path, **self.environment}.items()],
        }

    def _layer(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as layer:
            for name, mode in _FOLDERS.items():
                layer.addfile(_entry(name, tarfile.DIRTYPE, mode))
            for path, file in sorted(self.files.items()):
                # World-readable whatever it is here: containers run as users of their own.
                mode = 0o755 if os.access(file, os.X_OK) else 0o644
                entry = _entry(path, tarfile.REGTYPE, mode)
                entry.size, entry.mtime = file.stat().st_size, int(file.stat().st_mtime)
                with file.open("rb") as content:
                    layer.addfile(entry, content)
            for path, text in sorted(self.texts.items()):
                entry = _entry(path, tarfile.REGTYPE, 0o644)
                entry.size = len(text.encode())
                layer.addfile(entry, io.BytesIO(text.encode()))
            for path, target in sorted(self.links.items()):
                entry = _entry(path, tarfile.SYMTYPE, 0o777)
                entry.linkname = target
                layer.addfile(entry)
        return buffer.getvalue()


def libraries(file: Path) -> list[str]:
    """The shared libraries of an ELF file, by the paths under which the loader finds them; empty for other files."""
    with file.open("rb") as opened:
        if opened.read(4) != b"\x7fELF":
            return []
    done = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False)
    if "not found" in done.stdout:
        raise E2eError(f"{file} needs libraries that this host lacks:\n{done.stdout}")
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE)


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode = kind, mode
    return entry


def _write(target: Path, name: str, layer: bytes, config: dict[str, Any]) -> None:
    """An OCI image layout with one layer, as a tar file."""
    packed = gzip.compress(layer, 1, mtime=0)
    about = {
        "architecture": _PLATFORM[os.uname().machine],
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blob = json.dumps(about).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": {"mediaType": f"{_TYPE}.config.v1+json", "digest": _digest(blob), "size": len(blob)},
            "layers": [
                {"mediaType": f"{_TYPE}.layer.v1.tar+gzip", "digest": _digest(packed), "size": len(packed)},
            ],
        }
    ).encode()
    listed = {
        "mediaType": f"{_TYPE}.manifest.v1+json",
        "digest": _digest(manifest),
        "size": len(manifest),
        "annotations": {"io.containerd.image.name": name},
    }
    index = json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode()
    blobs = {f"blobs/sha256/{_digest(one).removeprefix('sha256:')}": one for one in (packed, blob, manifest)}
    with tarfile.open(target, "w") as archive:
        for path, content in {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **blobs}.items():
            entry = _entry(path, tarfile.REGTYPE, 0o644)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
