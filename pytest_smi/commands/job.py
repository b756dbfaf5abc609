"""`pytest-smi job`: prints a Job that runs the suite inside the cluster, with its account and its rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "Print a Job that runs the suite inside the cluster, as manifests for kubectl apply -f -"
REST = "arguments of pytest after --, e.g. -- --smi-mesh=osm -n 2"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--image", required=True, metavar="IMAGE", help="image with this package: see deploy/Dockerfile"
    )
    parser.add_argument("--namespace", default="default", metavar="NAME", help="namespace of the Job; it must exist")
    parser.add_argument("--profile", metavar="FILE", help="profile of the mesh, to be carried into the pod")
    parser.epilog = f"Takes {REST}"


def run(given: argparse.Namespace) -> int:
    """Print them. Raises MeshError for a profile that is not one."""
    import yaml

    from pytest_smi.cluster.job import job
    from pytest_smi.mesh.profile import load_profile

    text = None
    if given.profile:
        load_profile(str(Path(given.profile).absolute()))
        text = Path(given.profile).read_text("utf-8")
    rest = given.rest[1:] if given.rest[:1] == ["--"] else given.rest
    documents = job(given.namespace, given.image, rest, text)
    print("---\n".join(yaml.safe_dump(json.loads(json.dumps(one)), sort_keys=False) for one in documents), end="")
    return 0
