"""What the processes of one run have in common: its id, a folder on this machine, and the duty to tidy up.

Without xdist there is one process. With it, the controller decides and tells its workers, and tidies up what a worker
that was killed could not.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.cluster.claim import Claimed

_TOLD = "smi"


class Processes:
    """This process among those of the run. `run` is the run's id, `worker` this worker's name, empty on its own."""

    def __init__(self, config: pytest.Config) -> None:
        given: dict[str, Any] = getattr(config, "workerinput", {})
        told = given.get(_TOLD, {})
        self.run = str(told.get("run") or secrets.token_hex(3))
        self.worker = str(given.get("workerid", ""))
        self.lost = False
        self._folder = Path(told["folder"]) if told.get("folder") else None
        self._claimed: Claimed | None = None

    def tell(self, node: Any, *, folder: bool) -> None:
        """Tell a worker that is about to start; with `folder`, of the folder that all share."""
        node.workerinput[_TOLD] = {"run": self.run, "folder": str(self.folder()) if folder else ""}

    def folder(self) -> Path:
        """The folder that all processes of the run share; made when it is first asked for."""
        if self._folder is None:
            from pytest_smi.cluster.claim import Claimed
            from pytest_smi.cluster.local import PREFIX

            self._claimed = Claimed(PREFIX)
            self._folder = self._claimed.path
        return self._folder

    def tidy(self, open_cluster: Callable[[], Cluster]) -> Iterator[str]:
        """Remove what is left of the run, on the process that began it; a line for each thing that is worth telling.

        `open_cluster` leads to the cluster where killed workers may have left namespaces.
        """
        if self.worker:
            return
        steps = [lambda: self._after_lost_workers(open_cluster())] if self.lost else []
        for step in (*steps, self._release):
            try:
                yield from filter(None, [step()])
            except HarnessError as fault:
                yield f"smi: not everything is tidied up: {fault}"

    def _after_lost_workers(self, cluster: Cluster) -> str:
        """Remove the scenes of workers that were killed; a mesh of the run has its own way to go."""
        from pytest_smi.cluster import leftovers

        if not cluster.lasting:
            return ""
        left = leftovers.scenes_of(cluster.api, self.run)
        leftovers.remove(cluster.api, left)
        leftovers.wait_gone(cluster.api, left)
        return f"smi: removed what workers have left: {', '.join(map(str, left))}" if left else ""

    def _release(self) -> str:
        """Remove the cluster that was made for the run."""
        if self._claimed:
            from pytest_smi.cluster.choose import release

            release(self._claimed.path)
            self._claimed.remove()
        return ""
