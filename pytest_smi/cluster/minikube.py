"""minikube (https://minikube.sigs.k8s.io): one machine as a cluster. From its documentation; not run here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_smi.cluster import tool

if TYPE_CHECKING:
    from pathlib import Path

_MAKE_SECONDS = 900.0


class Minikube:
    """The minikube profile `name` (as it calls its clusters), its kubeconfig in `config`."""

    provider = "minikube"

    def __init__(self, name: str, config: Path) -> None:
        self.name = name
        self.config = config

    def names(self) -> list[str]:
        """The profiles that minikube knows, with those that are damaged: they have the name too."""
        listed = json.loads(tool.run(["minikube", "profile", "list", "--output", "json", "--light"]) or "{}")
        return [str(one["Name"]) for kind in ("valid", "invalid") for one in listed.get(kind) or []]

    def make(self) -> None:
        """Start a new profile; returns when all its parts are ready."""
        command = ["minikube", "start", "--profile", self.name, "--wait", "all", "--interactive=false"]
        tool.run(command, seconds=_MAKE_SECONDS, env=self._env)

    def write_config(self) -> None:
        """Have minikube write its entry into our file; it does not print one."""
        tool.run(["minikube", "update-context", "--profile", self.name], env=self._env)

    def load(self, image: str) -> None:
        """Copy an image from the container runtime of this machine into the nodes."""
        tool.run(["minikube", "image", "load", image, "--profile", self.name], seconds=_MAKE_SECONDS)

    def unmake(self) -> None:
        """Remove the profile and its machine."""
        tool.run(["minikube", "delete", "--profile", self.name], env=self._env)

    @property
    def _env(self) -> dict[str, str]:
        """minikube writes to the file that this variable names, and to no other."""
        return {"KUBECONFIG": str(self.config)}
