"""Whose turn it is on a cluster that the workers of a run share: most tests go side by side, some must be alone.

The kernel keeps the locks, so a worker that is killed holds up nobody.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Turns:
    """Turns among all processes that name the same folder."""

    def __init__(self, folder: Path) -> None:
        self._room = folder / "smi-room"

    @contextmanager
    def taken(self, *, alone: bool = False) -> Iterator[None]:
        """Wait for a turn and keep it for the `with` block: `alone`, or beside all others that are not alone.

        Who is not alone goes first: such tests come before the others in every worker's order, so they run out.
        """
        with _lockable(self._room) as room:
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield


@contextmanager
def _lockable(path: Path) -> Iterator[int]:
    """A file to lock; closing it unlocks it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
