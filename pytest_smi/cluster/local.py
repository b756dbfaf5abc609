"""A cluster on this machine that a tool makes: taken if it is there, else made for the run and removed after it.

All processes of a run share a folder, which its first process claims. Whoever needs the cluster first makes it; the one
that holds the claim removes it after the last (`release`). Its kubeconfig is a file in that folder and never merged
into the user's.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Protocol

from pytest_smi.cluster.claim import folders, is_abandoned, locked
from pytest_smi.cluster.kubeconfig import KubeconfigCluster
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "smi-cluster-"
NAME = "pytest-smi"
CONFIG = "kubeconfig"
_MADE = "made.json"  # there from before the cluster is made until it is removed


class Tool(Protocol):
    """What a command-line tool does for us, in its own words. Every method raises ClusterError when the tool fails."""

    provider: str
    name: str
    config: Path

    def names(self) -> list[str]:
        """The clusters that the tool knows."""

    def make(self) -> None:
        """Make the cluster and wait until it can be used."""

    def write_config(self) -> None:
        """Write its kubeconfig into `config`, and into no other file."""

    def load(self, image: str) -> None:
        """Load an image of this machine into its nodes."""

    def unmake(self) -> None:
        """Remove the cluster."""


class LocalCluster(KubeconfigCluster):
    """The cluster of a tool. `folder` is what all processes of the run share, and has `tool.config`."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.provider = tool.provider
        self._tool = tool
        self._folder = folder
        with locked(folder / "lock"):
            self._establish()
        self.lasting = not (folder / _MADE).exists()
        super().__init__(str(tool.config))

    def _establish(self) -> None:
        """Make it, once for all processes of the run; an attempt that failed is not repeated by each of them."""
        failed, ready = self._folder / "failed", self._folder / "ready"
        if failed.exists():
            raise ClusterError(*json.loads(failed.read_text()))
        if ready.exists():
            return
        try:
            self._take_or_make()
            self._tool.config.touch(mode=0o600)
            self._tool.write_config()
        except ClusterError as fault:
            failed.write_text(json.dumps([fault.what, fault.advice]))
            raise
        ready.touch()

    def _take_or_make(self) -> None:
        ours, there = self._folder / _MADE, self._tool.name in self._tool.names()
        if there and not ours.exists():
            makers = list(made(self.provider, self._tool.name))
            if not makers:
                return  # somebody's: used, and left
            self._take_over(makers)
        ours.write_text(json.dumps({"provider": self.provider, "name": self._tool.name}))
        if there:  # of a dead run, or of a process of ours that was killed while it made it
            self._tool.unmake()
        self._tool.make()

    def _take_over(self, makers: list[Path]) -> None:
        """Make sure that the runs that have made the cluster are dead, and forget them."""
        if not all(is_abandoned(maker) for maker in makers):
            raise ClusterError(
                f"the {self.provider} cluster {self._tool.name} is of another run that still goes on",
                f"name another: --smi-cluster={self.provider}:{self._tool.name}-2",
            )
        for maker in makers:
            shutil.rmtree(maker, ignore_errors=True)

    def load_image(self, image: str) -> None:
        """Load an image of this machine into the nodes, once for all processes of the run."""
        with locked(self._folder / "lock"):
            done = self._folder / "images"
            if image not in (done.read_text().splitlines() if done.exists() else []):
                self._tool.load(image)
                with done.open("a") as file:
                    file.write(f"{image}\n")


def made(provider: str, name: str) -> Iterator[Path]:
    """Folders of runs that have made this cluster."""
    for folder in folders(PREFIX):
        if made_in(folder) == (provider, name):
            yield folder


def made_in(folder: Path) -> tuple[str, str] | None:
    """Provider and name of the cluster that was made for the run of this folder, None when none was."""
    try:
        told = json.loads((folder / _MADE).read_text())
        return str(told["provider"]), str(told["name"])
    except (OSError, ValueError, KeyError):
        return None
