"""Folders for the state of a run among the temporary files, claimed for as long as their owner lives.

The claim is a lock that the kernel lets go of when its holder ends, however that happens: so leftovers can be told from
what is in use.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLAIM = "in-use"


class Claimed:
    """A fresh folder, `path`, that only we may use and that is known to be in use until this process ends."""

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        unlocked = self.path / f"{_CLAIM}.new"
        self._claim = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self._claim, fcntl.LOCK_EX)
        unlocked.rename(self.path / _CLAIM)  # nobody ever sees it unlocked while we live

    def remove(self) -> None:
        """Delete the folder and give up the claim. Safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._claim >= 0:
            os.close(self._claim)
            self._claim = -1


def folders(prefix: str) -> Iterator[Path]:
    """Every such folder, of this run or another."""
    yield from sorted(Path(tempfile.gettempdir()).glob(f"{prefix}*"))


def is_abandoned(folder: Path) -> bool:
    """Whether the owner of a folder has ended without removing it."""
    try:
        claim = os.open(folder / _CLAIM, os.O_RDWR)
    except OSError:
        return False  # not claimed yet, or another user's
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(claim)
    return True


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock that only one process at a time can hold; waits for it."""
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
