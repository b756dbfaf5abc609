"""`pytest-smi rbac`: prints the least role with which a run works against a mesh that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "Print the least privileges that a run needs, as manifests for kubectl apply -f -"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--namespace", default="default", metavar="NAME", help="namespace of the ServiceAccount")
    parser.add_argument("--mesh", metavar="NAME|FILE", help="also what the profile of this mesh wants to look at")
    parser.add_argument("--account", default="pytest-smi", metavar="NAME", help="name of the ServiceAccount")


def run(given: argparse.Namespace) -> int:
    """Print them. Raises MeshError for a profile that is not as documented."""
    from pytest_smi.cluster.rights import RIGHTS, as_yaml
    from pytest_smi.mesh.profile import load_profile
    from pytest_smi.mesh.rights import rights_of

    rights = rights_of(load_profile(given.mesh)) if given.mesh else RIGHTS
    print(as_yaml(given.namespace, given.account, rights), end="")
    return 0
