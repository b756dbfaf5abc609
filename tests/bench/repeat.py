"""The same run many times: do all runs give every instance the same verdict, and what does an instance cost?

    python -m tests.bench.repeat [TIMES] [pytest arguments]

Default: 10 runs of `--smi-mesh=reference -n 2`. Exit status 1 when any instance's verdict differs between runs.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_smi.catalog.compare import differences
from pytest_smi.catalog.judged import Judged, read

MESH = ("--smi-mesh=reference", "-n", "2")
QUIET = ("-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
DEAREST = 10


def judged(folder: Path, number: int, arguments: list[str]) -> Judged:
    """One run and what it judged; its time is printed."""
    results = folder / f"{number}.json"
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *(arguments or MESH), *QUIET, f"--smi-results={results}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not results.exists():
        sys.exit(
            f"run {number} left no results (status {done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    told = json.loads(results.read_text())
    print(f"run {number}: {time.monotonic() - began:.1f} s, {told['exit']['reason']}", flush=True)
    return read(results)


def costs(runs: list[Judged]) -> list[tuple[float, str]]:
    """Median seconds of each instance's call over all runs, the dearest first."""
    keys = {key for one in runs for key in one.instances}
    medians = [
        (statistics.median(float(one.instances[key]["seconds"]) for one in runs if key in one.instances), key)
        for key in keys
    ]
    return sorted(medians, reverse=True)


def main() -> int:
    """Run, compare, report."""
    given = sys.argv[1:]
    times = int(given.pop(0)) if given and given[0].isdigit() else 10
    with tempfile.TemporaryDirectory() as folder:
        runs = [judged(Path(folder), number, given) for number in range(1, times + 1)]
    dear = costs(runs)
    print(f"median instance {statistics.median(cost for cost, _ in dear) * 1000:.0f} ms; the dearest:")
    print("\n".join(f"  {cost * 1000:6.0f} ms  {key}" for cost, key in dear[:DEAREST]))
    found = differences(runs)
    print("\n".join(f"{key}: {', '.join(verdicts)}" for key, verdicts in found.items()))
    print(f"{len(found)} of {len(dear)} instances differ over {times} runs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
