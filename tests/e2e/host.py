"""The one setting of the host itself that a cluster needs: how many inotify instances a user may have."""

from __future__ import annotations

from pathlib import Path

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_WANTED = 1024  # a sidecar takes one for each of its threads, all sidecars run as one user, and Linux allows 128
_BEFORE = Path("/run/pytest-smi-e2e.inotify")  # of the host, whose clusters share the setting


def widen() -> None:
    """Raise the limit where it is lower, and remember what it was until `restore`."""
    found = int(_LIMIT.read_text())
    if found >= _WANTED:
        return
    _BEFORE.write_text(str(found))
    _LIMIT.write_text(str(_WANTED))


def restore() -> None:
    """Put back what `widen` found, unless somebody has changed it since. For when the last cluster has ended."""
    if not _BEFORE.exists():
        return
    if int(_LIMIT.read_text()) == _WANTED:
        _LIMIT.write_text(_BEFORE.read_text())
    _BEFORE.unlink()
