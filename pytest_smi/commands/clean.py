"""`pytest-smi clean`: removes what dead runs have left, in a cluster and on this machine; never what lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from pytest_smi.cluster.api import Api
    from pytest_smi.cluster.base import Cluster
    from pytest_smi.cluster.leftovers import Leftovers

HELP = "Remove what runs that were killed have left"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig file to use")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig to use")
    parser.add_argument("--local", action="store_true", help="look on this machine only, not in a cluster")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    parser.add_argument("--wait", action="store_true", help="wait until it is certain of every run whether it lives")
    parser.add_argument(
        "--all", action="store_true", help="also of young runs that show no sign of life (a run that starts just now)"
    )


def run(given: argparse.Namespace) -> int:
    """Look, and remove what belongs to runs that are dead. Raises ClusterError."""
    removed = _on_this_machine(given.dry_run)
    if not given.local:
        removed += _in_cluster(_cluster(given), given)
    if not removed:
        print("nothing to remove")
    return 0


def _cluster(given: argparse.Namespace) -> Cluster:
    from pytest_smi.cluster.kubeconfig import KubeconfigCluster
    from pytest_smi.errors import ClusterError

    try:
        return KubeconfigCluster(given.kubeconfig, given.context)
    except ClusterError as fault:
        raise ClusterError(fault.what, "name one with --kubeconfig and --context, or add --local") from None


def _in_cluster(cluster: Cluster, given: argparse.Namespace) -> int:
    from pytest_smi.cluster import leftovers

    api = cluster.api
    found = leftovers.find(api)
    doubtful = [one.alive for one in found.runs if _doubtful(one, given)]
    if given.wait and doubtful:
        seconds = max(doubtful) + 1
        print(f"waiting {seconds:.0f} s for signs of life", flush=True)
        time.sleep(seconds)  # the time that leases still have: those that are valid after it have been renewed
        found = leftovers.find(api)
    _tell_unseen(found.unseen)
    dead = [one for one in found.runs if not _doubtful(one, given)]
    for one in found.runs:
        if one not in dead:
            print(f"left alone: run {one.run}, {len(one.things)} objects: {_why_alive(one)}")
    if dead:
        _remove_meshes(cluster, {one.run for one in dead}, given)
    return sum(_remove(api, one, given.dry_run) for one in dead)


def _remove_meshes(cluster: Cluster, dead: set[str], given: argparse.Namespace) -> None:
    """Meshes that dead runs have installed go as their profiles say; what carries a label goes with the rest."""
    from pytest_smi.mesh.install import remove
    from pytest_smi.mesh.record import records

    for record in records(cluster.api):
        if record.run in dead:
            if not given.dry_run:
                remove(cluster, record, given.context)
            did = "would remove" if given.dry_run else "removed"
            print(f"{did} the mesh {record.profile.name} of run {record.run}, namespace {record.namespace}")


def _doubtful(one: Leftovers, given: argparse.Namespace) -> bool:
    """Whether the run may be alive: by its lease, or because it is so young that it may not have one yet."""
    return one.alive > 0 and (one.lease or not given.all)


def _why_alive(one: Leftovers) -> str:
    if one.lease:
        return f"its lease is valid for another {one.alive:.0f} s"
    return f"it has no lease but is young, and may be starting; certain in {one.alive:.0f} s"


def _remove(api: Api, one: Leftovers, dry_run: bool) -> int:
    from pytest_smi.cluster import leftovers

    since = f"dead for {-one.alive:.0f} s" if one.lease else "without a sign of life"
    print(f"run {one.run}, {since}: {len(one.things)} objects")
    things = one.to_delete()
    if not dry_run:
        things = leftovers.remove(api, things)
    for thing in things:
        print(f"  {'would remove' if dry_run else 'removed'} {thing}")
    if not dry_run:
        leftovers.wait_gone(api, things)
    return len(things)


def _tell_unseen(unseen: dict[str, str]) -> None:
    """What could not be looked at, without a line for each of a hundred kinds."""
    for reason in sorted(set(unseen.values())):
        paths = [path for path, why in unseen.items() if why == reason]
        some = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        print(f"not looked at ({reason}): {some}")


def _on_this_machine(dry_run: bool) -> int:
    """Clusters that dead runs have made with kind, k3d or minikube, and files of embedded clusters."""
    from pytest_smi.cluster import embedded, local
    from pytest_smi.cluster.claim import folders, is_abandoned

    count = 0
    for folder in [one for one in folders(local.PREFIX) if is_abandoned(one)]:
        count += _release(folder, dry_run)
    stale = embedded.abandoned() if dry_run else embedded.sweep()
    if stale:
        print(f"{'would remove' if dry_run else 'removed'} files of {len(stale)} embedded clusters")
    return count + len(stale)


def _release(folder: Path, dry_run: bool) -> int:
    from pytest_smi.cluster import choose, local

    made = local.made_in(folder)
    if dry_run:
        print(f"would remove {' cluster '.join(made) if made else f'the folder {folder}'}")
        return 1
    title = choose.release(folder)
    print(f"removed {title or f'the folder {folder}'}")
    return 1
