"""k3d (https://k3d.io): a k3s cluster whose nodes are containers. From its documentation; not run here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_smi.cluster import tool

if TYPE_CHECKING:
    from pathlib import Path

_MAKE_SECONDS = 600.0


class K3d:
    """The k3d cluster `name`, its kubeconfig in `config`."""

    provider = "k3d"

    def __init__(self, name: str, config: Path) -> None:
        self.name = name
        self.config = config

    def names(self) -> list[str]:
        """The clusters that k3d knows."""
        return [str(one["name"]) for one in json.loads(tool.run(["k3d", "cluster", "list", "-o", "json"]) or "[]")]

    def make(self) -> None:
        """Make the cluster, past the user's kubeconfig; returns when its server is ready."""
        private = ["--kubeconfig-update-default=false", "--kubeconfig-switch-context=false"]
        patience = ["--wait", "--timeout", "300s"]
        tool.run(["k3d", "cluster", "create", self.name, *private, *patience], seconds=_MAKE_SECONDS)

    def write_config(self) -> None:
        """Write the kubeconfig, which k3d prints."""
        self.config.write_text(tool.run(["k3d", "kubeconfig", "get", self.name]))

    def load(self, image: str) -> None:
        """Copy an image from Docker into the nodes."""
        tool.run(["k3d", "image", "import", image, "--cluster", self.name], seconds=_MAKE_SECONDS)

    def unmake(self) -> None:
        """Remove the cluster."""
        tool.run(["k3d", "cluster", "delete", self.name])
