"""What is done once in a run, by one process, before any test and after the last: the mesh comes, is looked at, goes.

With xdist that process is the controller: its workers have no tests before `begin` has returned, and none when `end` is
called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.lease import Lease
from pytest_smi.errors import NotConfigured
from pytest_smi.mesh.install import bring as bring_mesh
from pytest_smi.mesh.install import claim, remove
from pytest_smi.mesh.look import findings
from pytest_smi.mesh.objects import Objects
from pytest_smi.mesh.ready import Readiness
from pytest_smi.mesh.version import version_of

if TYPE_CHECKING:
    from pytest_smi.cluster.base import Cluster
    from pytest_smi.mesh.profile import Profile
    from pytest_smi.mesh.record import Record


class Provision:
    """The mesh of one run on one cluster; `run` is the run's id, `context` that of the kubeconfig."""

    def __init__(self, cluster: Cluster, profile: Profile, run: str, context: str | None = None) -> None:
        self._cluster = cluster
        self._profile = profile
        self._run = run
        self._context = context
        self._record: Record | None = None
        self._lease: Lease | None = None
        self.facts: dict[str, Any] = {}

    def begin(self, *, bring: bool, force: bool) -> None:
        """Install the mesh when asked to (`bring`), and see that it is ready and set up for SMI.

        Raises NotConfigured, unless `force`, and HarnessError for a mesh that is not there or does not come up.
        """
        if bring:
            self._bring()
        Readiness(self._cluster, self._profile).wait(brought=bring)
        found = findings(Objects(self._cluster.api), self._profile)
        self.facts = {
            "version": version_of(self._cluster, self._profile),
            "installed": bring,
            "preconditions": [{"that": one.that, "held": one.held, "found": one.found} for one in found],
        }
        failed = [one for one in found if not one.held]
        if failed and not force:
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise NotConfigured(f"{self._profile.name} is not configured for SMI, {failed[0]}{more}")

    def _bring(self) -> None:
        """Install the mesh; the run's sign of life is in its namespace, so that nobody takes it for a leftover."""
        self._record = claim(self._cluster, self._profile, self._run)
        try:
            self._lease = Lease(self._cluster.new_api(), self._profile.namespace, self._run)
            bring_mesh(self._cluster, self._record, self._context)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Remove what was installed. Raises HarnessError when some of it stays."""
        if self._lease:
            self._lease.close()
        record, self._record, self._lease = self._record, None, None
        if record:
            remove(self._cluster, record, self._context)
