"""The sign of life of a run: a Lease in its namespace, renewed by a thread for as long as the run goes on.

Times are the API server's, as its answers tell them, so that clocks need not agree.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import Refused, path_to
from pytest_smi.cluster.ownership import create, labels
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smi.cluster.api import Api

API_VERSION = "coordination.k8s.io/v1"
NAME = "pytest-smi"
SECONDS = 40  # after which a run that has not renewed its lease is taken for dead
_RENEW_SECONDS = 10.0


class Lease:
    """Held from construction to `close`. `api` belongs to the renewing thread from then on."""

    def __init__(self, api: Api, namespace: str, run: str) -> None:
        meta = {"name": NAME, "namespace": namespace, "labels": labels(run)}
        spec = {"holderIdentity": f"pytest-smi-{run}", "leaseDurationSeconds": SECONDS}
        manifest = {"apiVersion": API_VERSION, "kind": "Lease", "metadata": meta, "spec": {**spec, **_now(api)}}
        create(api, manifest)
        self._api = api
        self._path = path_to(manifest)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="smi-lease", daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_SECONDS):
            try:
                self._api.patch(self._path, {"spec": _now(self._api)})
            except Refused as refusal:
                if refusal.code == 404:  # gone with its namespace
                    return
            except ClusterError:
                continue  # whoever uses the cluster will tell; the next renewal may get through

    def close(self) -> None:
        """Renew it no more. Whoever holds it deletes it with its namespace."""
        self._over.set()


def seconds_left(lease: Mapping[str, Any], now: dt.datetime) -> float:
    """For how long this lease still says that its run is alive; negative: since when it does not."""
    spec = lease.get("spec", {})
    try:
        renewed = dt.datetime.fromisoformat(spec["renewTime"])
        return (renewed - now).total_seconds() + float(spec["leaseDurationSeconds"])
    except (KeyError, TypeError, ValueError):
        return -float(SECONDS)  # not written by us, or by another version: it says nothing


def _now(api: Api) -> dict[str, str]:
    return {"renewTime": api.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
