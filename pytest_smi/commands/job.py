"""`pytest-smi job`: prints a Job that runs the suite inside the cluster, with its account and its rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "Print a Job that runs the suite inside the cluster, as manifests for kubectl apply -f -"
REST = "arguments of pytest after --, e.g. -- -n 2 --smi-requirement=TA-001"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--mesh", required=True, metavar="NAME|FILE", help="the mesh, or the file of its profile")
    parser.add_argument(
        "--image", required=True, metavar="IMAGE", help="image with this package: see deploy/Dockerfile"
    )
    parser.add_argument("--namespace", default="default", metavar="NAME", help="namespace of the Job; it must exist")
    parser.epilog = f"Takes {REST}"


def run(given: argparse.Namespace) -> int:
    """Print them. Raises MeshError for a profile that is not one."""
    import yaml

    from pytest_smi.cluster.job import job
    from pytest_smi.mesh.profile import load_profile
    from pytest_smi.mesh.rights import rights_of

    profile = load_profile(given.mesh)
    rest = given.rest[1:] if given.rest[:1] == ["--"] else given.rest
    own = Path(given.mesh)
    text = own.read_text("utf-8") if own.suffix == ".toml" else None
    named = [] if text else [f"--smi-mesh={given.mesh}"]
    rights = rights_of(profile)
    documents = job(given.namespace, given.image, [*named, *rest], profile=text, rights=rights)
    print("---\n".join(yaml.safe_dump(json.loads(json.dumps(one)), sort_keys=False) for one in documents), end="")
    return 0
