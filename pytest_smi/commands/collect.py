"""`pytest-smi collect`: takes the results of a run inside the cluster out of its pod's log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "Take results out of the log of a run inside the cluster: kubectl logs job/pytest-smi | pytest-smi collect"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("log", nargs="?", default="-", metavar="FILE", help="the pod's log (default: standard input)")
    parser.add_argument("--out", default=".", metavar="DIR", help="where to write the files (default: here)")


def run(given: argparse.Namespace) -> int:
    """Write the files. Raises HarnessError when the log does not hold them whole."""
    from pytest_smi.errors import HarnessError
    from pytest_smi.report.parcel import unpack, unwrap

    try:
        raw = sys.stdin.buffer.read() if given.log == "-" else Path(given.log).read_bytes()
        files = unpack(unwrap(raw.decode("utf-8", "replace")), Path(given.out))
    except OSError as fault:
        raise HarnessError(
            f"cannot read the log or write the results: {fault}", "give readable and writable paths"
        ) from None
    for path in files:
        print(path)
    return 0
