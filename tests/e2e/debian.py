"""Programs and files that come from the distribution's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.e2e.trouble import E2eError

# What we run or copy into images -> the package that has it.
_NEEDED = {
    "/usr/bin/containerd": "containerd",
    "/usr/sbin/runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "/usr/sbin/iptables-restore": "iptables",
    "/usr/sbin/ip": "iproute2",
    "/usr/bin/busybox": "busybox-static",
    "/usr/bin/curl": "curl",
    "/usr/bin/nsenter": "util-linux",
}


def provide() -> None:
    """Install the packages that are missing. Raises E2eError where that is not possible."""
    if os.geteuid() != 0:
        raise E2eError("this makes network namespaces and starts containers: run it as root")
    missing = sorted({package for file, package in _NEEDED.items() if not Path(file).exists()})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise E2eError(f"install these first (this system has no apt-get): {', '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", *missing]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise E2eError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    absent = sorted(file for file in _NEEDED if not Path(file).exists())
    if absent:
        raise E2eError(f"not where Debian has them, even after installing: {', '.join(absent)}")
