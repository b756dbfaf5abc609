"""The programs of a real control plane, where controller developers have them: the folder KUBEBUILDER_ASSETS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "KUBEBUILDER_ASSETS"
_ADVICE = f"let {VARIABLE} name a folder with etcd and kube-apiserver, or unset it: then this package's own serves"


@dataclass(frozen=True)
class Assets:
    """The two programs."""

    etcd: Path
    kube_apiserver: Path


def find(environment: Mapping[str, str]) -> Assets | None:
    """What the environment names; None when it names nothing. Raises ClusterError when a program is not there."""
    named = environment.get(VARIABLE)
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise ClusterError(f"{VARIABLE}={named} is not a folder", _ADVICE)
    missing = [name for name in ("etcd", "kube-apiserver") if not _is_program(folder / name)]
    if missing:
        raise ClusterError(f"{VARIABLE}={named} has no program {' and no '.join(missing)}", _ADVICE)
    return Assets(folder / "etcd", folder / "kube-apiserver")


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
