"""How long a whole run takes with one process and with two, and whether both give the same verdicts.

Run: python tests/bench/run_times.py [release]   (default: all)
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(release: str, workers: str, folder: Path) -> tuple[float, dict[str, str], float]:
    """One run: seconds, verdict of each instance, and the median seconds from applied to enforced."""
    results = folder / f"results-{workers}.json"
    command = [sys.executable, "-m", "pytest", "--smi-mesh=reference", f"--smi-release={release}", "-n", workers, "-q"]
    began = time.perf_counter()
    subprocess.run([*command, f"--smi-results={results}"], check=False, capture_output=True, cwd=folder)
    took = time.perf_counter() - began
    instances = json.loads(results.read_text())["instances"]
    times = sorted(i["convergence_seconds"] for i in instances if i["convergence_seconds"] is not None)
    return took, {i["key"]: i["verdict"] for i in instances}, times[len(times) // 2] if times else 0.0


def main() -> None:
    """Measure and print."""
    release = sys.argv[1] if len(sys.argv) > 1 else "all"
    with tempfile.TemporaryDirectory() as folder:
        (one, verdicts_one, median), (two, verdicts_two, _) = (run(release, n, Path(folder)) for n in ("0", "2"))
    differing = {key for key in verdicts_one | verdicts_two if verdicts_one.get(key) != verdicts_two.get(key)}
    print(f"-n 0: {one:.1f} s   -n 2: {two:.1f} s   ratio {two / one:.2f}   instances {len(verdicts_one)}")
    print(f"verdicts that differ: {sorted(differing) or 'none'}   applied to enforced, median: {median * 1000:.0f} ms")


if __name__ == "__main__":
    main()
