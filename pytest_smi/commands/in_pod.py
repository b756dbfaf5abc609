"""`pytest-smi in-pod`: a run inside the cluster, whose results go into the pod's log, or to Sonobuoy."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "Run pytest in a pod and hand its results out: into the log, or to Sonobuoy"
REST = "arguments of pytest, e.g. --smi-mesh=osm -n 2"
_SONOBUOY = "SONOBUOY_RESULTS_DIR"
# This package is running already; none of its assertions needs rewriting.
_PLAIN = ("-p", "no:cacheprovider", "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: all go to pytest."""
    parser.epilog = f"Takes {REST}"


def run(given: argparse.Namespace) -> int:
    """Run pytest in this process, so that what ends the pod ends the run in order; pytest's exit status."""
    import pytest

    with tempfile.TemporaryDirectory(prefix="smi-results-") as name:
        folder = Path(name)
        files = [f"--smi-results={folder / 'results.json'}", f"--junitxml={folder / 'junit.xml'}"]
        try:
            return int(pytest.main([*_PLAIN, *given.rest, *files]))
        finally:
            _hand_out(folder)


def _hand_out(folder: Path) -> None:
    from pytest_smi.report.parcel import archive, wrap

    where = os.environ.get(_SONOBUOY)
    if not where:
        print(wrap(archive(folder)), flush=True)
        return
    results = Path(where)
    results.mkdir(parents=True, exist_ok=True)
    packed = results / "results.tar.gz"
    packed.write_bytes(archive(folder))
    (results / "done").write_text(str(packed))  # Sonobuoy waits for this file, and takes what it names
