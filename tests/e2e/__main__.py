"""The command line: see `tests/e2e/run --help` and docs/real-cluster.md."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.e2e import cluster, judge
from tests.e2e.trouble import E2eError


def main() -> int:
    """Run one command; returns the exit status."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.do(arguments))
    except E2eError as fault:
        print(f"e2e: {fault}", file=sys.stderr)
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/e2e/run", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for mesh in judge.MESHES.values():
        _judging(commands.add_parser(mesh.name, help=f"judge {mesh.name} on a fresh cluster")).set_defaults(mesh=mesh)
    reference = commands.add_parser("reference", help="judge the reference mesh on a real kube-apiserver")
    reference.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="arguments for pytest, after --")
    reference.set_defaults(do=lambda given: judge.reference(given.pytest))
    up = commands.add_parser("up", help="start a cluster without a mesh, and keep it")
    up.add_argument("--nodes", type=int, default=1, metavar="N")
    up.set_defaults(do=_up)
    commands.add_parser("down", help="end the cluster and remove all that it wrote").set_defaults(do=_down)
    kubectl = commands.add_parser("kubectl", help="kubectl on the running cluster")
    kubectl.add_argument("words", nargs=argparse.REMAINDER)
    kubectl.set_defaults(do=_kubectl)
    return parser


def _judging(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--keep", action="store_true", help="leave the cluster running afterwards")
    command.add_argument("--again", action="store_true", help="use the cluster that is running, and leave it")
    command.add_argument("--nodes", type=int, default=1, metavar="N", help="so many nodes (default: 1)")
    command.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="arguments for pytest, after --")
    command.set_defaults(do=_judge)
    return command


def _judge(arguments: argparse.Namespace) -> int:
    try:
        found = cluster.found() if arguments.again else cluster.up(arguments.nodes)
        judge.prepare(found, arguments.mesh)
        return judge.judge(found, arguments.mesh, arguments.pytest)
    finally:
        if arguments.keep or arguments.again:
            print("e2e: kept; look with tests/e2e/run kubectl get pods -A, end it with tests/e2e/run down")
        else:
            cluster.down()


def _up(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    cluster.up(arguments.nodes)
    print(f"e2e: the cluster is up after {time.monotonic() - began:.0f} s; end it with tests/e2e/run down")
    return 0


def _down(_: argparse.Namespace) -> int:
    cluster.down()
    return 0


def _kubectl(arguments: argparse.Namespace) -> int:
    found = cluster.found()
    command = [*found.first.reaching(), *found.kubectl_command(), *arguments.words]
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
