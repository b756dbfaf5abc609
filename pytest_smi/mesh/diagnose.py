"""What a mesh says when a test has failed: logs and pages that its profile names, within bounds of time and size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_smi.errors import ClusterError
from pytest_smi.mesh.probe import fetch, pods_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile
    from pytest_smi.mesh.schema_look import Dump, Logs

Place = tuple[str, str]  # namespace and name of a pod


def diagnose(cluster: Cluster, profile: Profile, used: Sequence[Place] = ()) -> dict[str, str]:
    """Title -> text of all that `[diagnose]` names; `used` are the pods of the scene that the failed test used.

    Never raises for what cannot be had: the reason stands in its place.
    """
    wanted, found = profile.diagnose, dict[str, str]()
    deadline = time.monotonic() + wanted.seconds
    for title, get in _parts(cluster, profile, used):
        left = deadline - time.monotonic()
        if left <= 0:
            found[title] = f"not fetched: all of it took longer than {wanted.seconds:g} s"
            continue
        try:
            found[title] = get(left)
        except ClusterError as fault:
            found[title] = f"could not be fetched: {fault}"
    return found


def _parts(cluster: Cluster, profile: Profile, used: Sequence[Place]) -> Iterator[tuple[str, Callable[[float], str]]]:
    """Each part with its title and the way to get it in so many seconds."""
    limit = profile.diagnose.kilobytes * 1024
    for log in profile.diagnose.logs:
        for place in _places(cluster, profile, log, used):
            yield _title(place, log.container or "log"), _log(cluster, place, log, limit)
    for page in profile.diagnose.http:
        for place in _places(cluster, profile, page, used):
            yield _title(place, f":{page.port}{page.path}"), _page(cluster, place, page, limit)


def _log(cluster: Cluster, place: Place, wanted: Logs, limit: int) -> Callable[[float], str]:
    def get(seconds: float) -> str:
        return _end(cluster.logs(*place, wanted.container or None, lines=wanted.lines), limit)

    return get


def _page(cluster: Cluster, place: Place, wanted: Dump, limit: int) -> Callable[[float], str]:
    def get(seconds: float) -> str:
        page = fetch(cluster, *place, wanted.port, wanted.path, seconds=seconds, limit=limit)
        cut = "\n… (cut)" if len(page.body) >= limit else ""
        return f"{'' if page.status == 200 else f'status {page.status}: '}{page.body[:limit]}{cut}"

    return get


def _places(cluster: Cluster, profile: Profile, wanted: Logs | Dump, used: Sequence[Place]) -> list[Place]:
    """The pods that an entry names, at most as many as the profile allows for each; none when they cannot be listed."""
    most = profile.diagnose.pods
    if wanted.scene:
        return list(used)[:most]
    try:
        pods = pods_of(cluster, profile.namespace, wanted.pods)
    except ClusterError:
        return []
    return [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods[:most]]


def _title(place: Place, what: str) -> str:
    return f"{place[0]}/{place[1]} {what}"


def _end(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"(cut) …{text[-limit:]}"
