"""Control groups: one of its own for the pods of each node, since kubelets delete what they do not know."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path

from tests.e2e.folders import state
from tests.e2e.trouble import until

_ROOT = Path("/sys/fs/cgroup")


def _ours() -> str:
    """The group of the cluster with this state folder: other users' clusters on this host have others."""
    return f"pytest-smi-e2e-{zlib.crc32(str(state()).encode()):08x}"


def of(node: str) -> str:
    """The name of a node's group, as kubelet's `cgroupRoot` takes it."""
    return f"/{_ours()}/{node}"


def make(node: str) -> None:
    """Make the node's group in every hierarchy (version 1), or in the one there is (version 2)."""
    for top in _hierarchies():
        for group in (top / _ours(), top / _ours() / node):
            group.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):  # version 1 gives a new group none, and then refuses processes
                if top != _ROOT and (group / name).exists():
                    (group / name).write_text((group.parent / name).read_text())
        if top == _ROOT:
            for group in (top, top / _ours(), top / _ours() / node):
                _delegate(group)


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [top for top in sorted(_ROOT.iterdir()) if top.is_dir() and not top.is_symlink() and top.name != "unified"]


def _delegate(group: Path) -> None:
    for controller in (group / "cgroup.controllers").read_text().split():
        with suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def remove() -> None:
    """Remove our groups; their processes have ended."""
    for top in (*_hierarchies(), _ROOT / "unified"):  # runc makes groups in that one too
        until(lambda top=top: _removed(top / _ours()), 30, f"the control groups under {top / _ours()} to be empty")  # type: ignore[misc]


def _removed(group: Path) -> bool:
    if not group.exists():
        return True
    for folder, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)
    return not group.exists()
