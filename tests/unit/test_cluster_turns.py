"""Turns on a shared cluster: side by side, or alone."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

from pytest_smi.cluster.turns import Turns


def test_tests_go_side_by_side(tmp_path: Path) -> None:
    with Turns(tmp_path).taken(), Turns(tmp_path).taken():
        pass  # the second would wait for ever otherwise


def test_one_that_must_be_alone_waits_for_all_others_and_keeps_new_ones_out(tmp_path: Path) -> None:
    told: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def alone() -> None:
        with Turns(tmp_path).taken(alone=True):
            inside.set()
            assert leave.wait(5)
            told.append("alone")

    def another() -> None:
        with Turns(tmp_path).taken():
            told.append("another")

    threads = [threading.Thread(target=alone), threading.Thread(target=another)]
    with Turns(tmp_path).taken():
        threads[0].start()
        with Turns(tmp_path).taken():
            told.append("beside")  # whoever waits to be alone does not hold up others
        assert not inside.is_set()
    assert inside.wait(5)
    threads[1].start()
    assert not _free(tmp_path / "smi-room")
    leave.set()
    for thread in threads:
        thread.join(5)
    assert told == ["beside", "alone", "another"]


def _free(room: Path) -> bool:
    with room.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
