"""A results.json to be kept among docs/results: whole where something is to be seen, short where all is well.

`python -m pytest_smi.catalog.publish RESULTS.json PUBLISHED.json`. It is still a valid results.json. Left out are the
manifests and steps of what passed, what the mesh said of itself, and where the run kept its files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def shortened(results: dict[str, Any]) -> dict[str, Any]:
    """The results without what only somebody at that machine can use."""
    places = {"results": None, "kubeconfig": None}
    settings = {**results["settings"], **places}
    return {**results, "settings": settings, "instances": [_shortened(one) for one in results["instances"]]}


def _shortened(instance: dict[str, Any]) -> dict[str, Any]:
    evidence = instance["evidence"]
    if instance["verdict"] in ("pass", "unsupported"):
        return {**instance, "evidence": {**evidence, "manifests": [], "steps": []}}
    return {**instance, "evidence": {**evidence, "steps": [s for s in evidence["steps"] if s["kind"] != "diagnose"]}}


def main(source: str, target: str) -> None:
    """Write the shortened form of one file to another."""
    found = shortened(json.loads(Path(source).read_text("utf-8")))
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
