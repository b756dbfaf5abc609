"""kind (https://kind.sigs.k8s.io): a cluster whose nodes are containers. From its documentation; not run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.cluster import tool

if TYPE_CHECKING:
    from pathlib import Path

_MAKE_SECONDS = 600.0


class Kind:
    """The kind cluster `name`, its kubeconfig in `config`."""

    provider = "kind"

    def __init__(self, name: str, config: Path) -> None:
        self.name = name
        self.config = config

    def names(self) -> list[str]:
        """The clusters that kind knows: a line each."""
        return tool.run(["kind", "get", "clusters"]).split()

    def make(self) -> None:
        """Make the cluster; returns when its control plane is ready."""
        where = ["--name", self.name, "--kubeconfig", str(self.config)]
        tool.run(["kind", "create", "cluster", *where, "--wait", "300s"], seconds=_MAKE_SECONDS)

    def write_config(self) -> None:
        """Write the kubeconfig, which kind prints."""
        self.config.write_text(tool.run(["kind", "get", "kubeconfig", "--name", self.name]))

    def load(self, image: str) -> None:
        """Copy an image from the container runtime of this machine into the nodes."""
        tool.run(["kind", "load", "docker-image", image, "--name", self.name], seconds=_MAKE_SECONDS)

    def unmake(self) -> None:
        """Remove the cluster; kind takes its entries out of our file only."""
        tool.run(["kind", "delete", "cluster", "--name", self.name, "--kubeconfig", str(self.config)])
