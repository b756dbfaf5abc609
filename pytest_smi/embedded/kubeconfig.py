"""Reading and writing kubeconfig files."""

import base64
import json
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_smi.errors import ClusterError


@dataclass(frozen=True)
class Access:
    """How to reach an API server, as the current context of a kubeconfig says."""

    server: str
    token: str
    ca_pem: str | None
    client_pem: str | None = None
    verify: bool = True

    def tls(self) -> ssl.SSLContext | None:
        """A TLS context for `server`; None for plain http."""
        if not self.server.startswith("https"):
            return None
        context = ssl.create_default_context(cadata=self.ca_pem or None)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_pem:
            # load_cert_chain reads files only; the file is there just while it reads.
            with tempfile.NamedTemporaryFile("w") as both:
                both.write(self.client_pem)
                both.flush()
                context.load_cert_chain(both.name)
        return context


def read(path: str | Path) -> Access:
    """The current context of the kubeconfig at `path`. Raises ClusterError in one line when it cannot be used."""
    import yaml  # here, because the embedded cluster's own start does without it

    try:
        config = yaml.safe_load(Path(path).read_text())
        current = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], current["cluster"])["cluster"]
        user = _named(config["users"], current["user"])["user"]
        certificate, key = (_pem(user, part, path) for part in ("client-certificate", "client-key"))
        return Access(
            cluster["server"].rstrip("/"),
            user.get("token") or _token_file(user),
            _pem(cluster, "certificate-authority", path),
            f"{certificate}\n{key}" if certificate and key else None,
            not cluster.get("insecure-skip-tls-verify", False),
        )
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as fault:
        what = f"{type(fault).__name__}: {fault}".replace("\n", " ")
        raise ClusterError(f"kubeconfig {path} cannot be used: {what}", "check its current-context") from None


def write(path: Path, *, name: str, server: str, token: str, ca_pem: str) -> None:
    """Writes a kubeconfig (as JSON, which is YAML) that only its owner may read; replaces an older one atomically."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _encode(ca_pem)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "preferences": {},
    }
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(config, file, indent=1)
    draft.replace(path)


def _named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for item in items:
        if item["name"] == name:
            return item
    raise KeyError(name)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _pem(section: Mapping[str, str], part: str, config: str | Path) -> str | None:
    if data := section.get(f"{part}-data"):
        return base64.b64decode(data).decode()
    if file := section.get(part):
        return (Path(config).parent / file).read_text()
    return None


def _token_file(user: Mapping[str, Any]) -> str:
    return Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else ""
