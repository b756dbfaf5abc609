"""What the plugin costs a pytest run that does not use it: the same run with and without it, in turns.

No other plugin is loaded in either. Prints the shortest and the median of both in milliseconds, their difference and
the ratio. Run: python tests/bench/plugin_cost.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 21
WITH = ("-p", "pytest_smi.plugin")


def seconds(folder: str, *extra: str) -> float:
    """One pytest run over one empty test."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, *extra, folder]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")
        times: dict[str, list[float]] = {"without": [], "with": []}
        for _ in range(ROUNDS):
            times["without"].append(seconds(folder) * 1000)
            times["with"].append(seconds(folder, *WITH) * 1000)
    for name, values in times.items():
        print(f"{name:8} min {min(values):7.1f} ms   median {statistics.median(values):7.1f} ms")
    least = {name: min(values) for name, values in times.items()}
    print(f"cost     {least['with'] - least['without']:.1f} ms, ratio {least['with'] / least['without']:.3f}")


if __name__ == "__main__":
    main()
