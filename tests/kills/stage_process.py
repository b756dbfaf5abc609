"""The stage as a process of its own, so that the runs of the suite in it meet no other pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class StageProcess:
    """Starts with the first order; after trouble it is started anew with the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.log = folder / "stage.log"

    def judge(self, fault: str, requirements: Sequence[str], *arguments: str) -> list[dict[str, Any]]:
        """The instances of these requirements, judged against the mesh with a fault."""
        return self._order(fault=fault, requirements=list(requirements), arguments=arguments)

    def record(self, requirements: Sequence[str], path: Path) -> list[dict[str, Any]]:
        """The instances of these requirements, judged against the sound mesh, with a recording."""
        return self._order(record=str(path), requirements=list(requirements))

    def _order(self, **order: Any) -> list[dict[str, Any]]:
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{json.dumps(order)}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            self.close()
            raise AssertionError(f"the stage ended at {order}:\n{self.log.read_text()[-3000:]}")
        instances: list[dict[str, Any]] = json.loads(answer)
        if any(one["verdict"] == "error" for one in instances):
            self.close()
        return instances

    def _start(self) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with self.log.open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.kills.stage"],
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def close(self) -> None:
        """End it, and with it the cluster."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.communicate()  # closes its standard input, and waits
