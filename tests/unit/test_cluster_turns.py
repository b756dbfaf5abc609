"""Turns on a shared cluster: side by side, or alone."""

from __future__ import annotations

import threading
from pathlib import Path

from pytest_smi.cluster.turns import Turns


def test_tests_go_side_by_side(tmp_path: Path) -> None:
    with Turns(tmp_path).taken(), Turns(tmp_path).taken():
        pass  # the second would wait for ever otherwise


def test_one_that_must_be_alone_waits_for_all_others_and_keeps_new_ones_out(tmp_path: Path) -> None:
    told: list[str] = []
    waits, inside = threading.Event(), threading.Event()

    def alone() -> None:
        waits.set()
        with Turns(tmp_path).taken(alone=True):
            told.append("alone")
            inside.set()

    def another() -> None:
        with Turns(tmp_path).taken():
            told.append("another")

    first = Turns(tmp_path).taken()
    threads = [threading.Thread(target=alone), threading.Thread(target=another)]
    with first:
        threads[0].start()
        assert waits.wait(5)
        while not _held(tmp_path / "smi-gate"):
            pass
        threads[1].start()
        told.append("first")
    for thread in threads:
        thread.join(5)
    assert told == ["first", "alone", "another"]


def _held(gate: Path) -> bool:
    import fcntl

    with gate.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
