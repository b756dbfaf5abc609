"""What is done once in a run, by one process, before any test and after the last: the mesh comes, is looked at, goes.

With xdist that process is the controller: its workers have no tests before `begin` has returned, and none when `end` is
called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.errors import NotConfigured
from pytest_smi.mesh.install import install, remove
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
        self.facts: dict[str, Any] = {}

    def begin(self, *, bring: bool, force: bool) -> None:
        """Install the mesh when asked to (`bring`), and see that it is ready and set up for SMI.

        Raises NotConfigured, unless `force`, and HarnessError for a mesh that is not there or does not come up.
        """
        if bring:
            self._record = install(self._cluster, self._profile, self._run, self._context)
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

    def end(self) -> None:
        """Remove what was installed. Raises HarnessError when some of it stays; calling again tries again."""
        if self._record:
            remove(self._cluster, self._record, self._context)
            self._record = None
