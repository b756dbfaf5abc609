"""Around all tests of a run, in its one main process: the cluster is opened, the mesh comes or is looked at, and goes.

Nothing of this happens for the reference mesh, which each process has to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.errors import HarnessError
from pytest_smi.mesh.provision import Provision
from pytest_smi.report.exit import ERRORS
from pytest_smi.report.ledger import Problem

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_smi.run import Run

_NEEDS_MESH = "smi_started"


class Keeper:
    """The hooks around the tests of a run whose mesh is one for all processes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._provision: Provision | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Prepare the mesh before the first test; give it back after the last, when all workers have ended.

        xdist's workers collect meanwhile, and get their first tests when this hook goes on.
        """
        if self._is_wanted(session):
            self._begin(session)
        outcome = yield
        trouble = self._end()
        if trouble:
            self._run.ledger.problems.append(Problem("", trouble))
        return outcome

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Give the mesh back when the tests were cut short: by now workers have been told to end."""
        try:
            return (yield)
        finally:
            trouble = self._end()
            if trouble:
                self._say(f"ERROR {trouble}")
                session.exitstatus = session.exitstatus or ERRORS

    def _is_wanted(self, session: pytest.Session) -> bool:
        config = session.config
        if config.option.collectonly or (session.testsfailed and not config.option.continue_on_collection_errors):
            return False
        distributed = config.getoption("dist", "no") != "no"  # then only workers know the items
        return distributed or any(_NEEDS_MESH in getattr(item, "fixturenames", ()) for item in session.items)

    def _begin(self, session: pytest.Session) -> None:
        """Raises the session's own `Failed` when the mesh cannot be judged: no test begins then."""
        run, settings = self._run, self._run.settings
        try:
            run.cluster = run.open_cluster()
            run.facts["cluster"] = run.cluster.facts()
            self._provision = Provision(run.cluster, run.profile, run.id, settings.context)
            if settings.install:
                self._say(f"installing {run.profile.title or run.profile.name}")
            self._provision.begin(bring=settings.install, force=settings.force)
        except HarnessError as fault:
            run.facts["stopped"] = str(fault)
            session.shouldfail = f"smi: {fault}"
            raise session.Failed(session.shouldfail) from None
        finally:
            run.facts["provision"] = self._provision.facts if self._provision else {}

    def _end(self) -> str:
        """Give back what `_begin` made; what went wrong, in words. Does nothing when called again."""
        try:
            if self._provision:
                self._provision.end()
        except HarnessError as fault:
            return str(fault)
        finally:
            self._provision = None
            if self._run.cluster:
                self._run.cluster.close()
                self._run.cluster = None
        return ""

    def _say(self, words: str) -> None:
        terminal: Any = self._run.config.pluginmanager.get_plugin("terminalreporter")
        if terminal:
            terminal.ensure_newline()
            terminal.write_line(f"smi: {words}")
