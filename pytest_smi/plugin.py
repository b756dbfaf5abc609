"""pytest hooks only; imports nothing heavy, because pytest imports this module in every run of an environment.

Nothing happens unless `--smi-mesh` (or its ini twin) names a mesh. Then `pytest_smi.run.Run` does the work.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_smi.fixtures import smi, smi_cluster, smi_mesh, smi_started, smi_turns, smi_workload
from pytest_smi.options import OPTIONS, any_given

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_smi.run import Run

__all__ = ["smi", "smi_cluster", "smi_mesh", "smi_started", "smi_turns", "smi_workload"]

pytest.register_assert_rewrite("pytest_smi.assertions")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flags and their ini twins."""
    group = parser.getgroup("smi", "Service Mesh Interface conformance")
    for option in OPTIONS:
        if option.switch:
            group.addoption(option.flag, dest=option.key, action="store_true", default=None, help=option.help)
        else:
            action = "append" if option.many else "store"
            group.addoption(
                option.flag, dest=option.key, action=action, default=None, metavar=option.metavar, help=option.help
            )
        kind: Literal["args", "string"] = "args" if option.many else "string"
        parser.addini(option.key, option.help, type=kind, default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare what third parties may implement."""
    from pytest_smi import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the settings; without a path on the command line, take the shipped suite as what to run."""
    config.addinivalue_line("markers", "requirement(id): the SMI requirement that this test judges, e.g. TA-005")
    if any_given(config.getoption, config.getini):
        _begin(config)


def _begin(config: pytest.Config) -> None:
    from pytest_smi import run, start
    from pytest_smi.settings import BadSetting, read_settings

    try:
        settings = read_settings(config.getoption, config.getini, config.invocation_params.dir)
        if settings is None:
            return
        profile = start.checked(settings, config)
        declared = start.declarations(settings, config)
    except BadSetting as fault:
        raise pytest.UsageError(str(fault)) from None
    if hasattr(config, "workerinput"):
        # --clean-alluredir is the controller's: a worker that replaces a crashed one would delete what was written.
        config.option.clean_alluredir = False
    config.stash[run.RUN] = run.Run(config, settings, profile, declared)
    config.pluginmanager.register(Judge(config.stash[run.RUN]), "smi-judge")
    if profile.install.method != "reference" and not config.stash[run.RUN].is_worker:
        from pytest_smi.keeper import Keeper

        config.pluginmanager.register(Keeper(config.stash[run.RUN]), "smi-keeper")
    config.add_cleanup(run.heed_sigterm())
    config.add_cleanup(config.stash[run.RUN].clean_up)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(start.suite())]


def _run(config: pytest.Config) -> Run | None:
    """The run's state, or None in a run that judges no mesh; imports nothing then."""
    module = sys.modules.get("pytest_smi.run")
    found: Run | None = config.stash.get(module.RUN, None) if module else None
    return found


def pytest_report_header(config: pytest.Config) -> str | None:
    """One line that says what is judged."""
    run = _run(config)
    return run.header() if run else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each instance of a test's requirement."""
    run = _run(metafunc.config)
    if run:
        run.parametrize(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the requirements and levels that were asked for."""
    run = _run(config)
    if run:
        run.select(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Let the last test of a kept run leave its objects."""
    run = _run(item.config)
    if run:
        item.stash[sys.modules["pytest_smi.run"].LAST] = nextitem is None
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the trial of an instance."""
    run = _run(item.config)
    if run:
        run.begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a phase's outcome into a verdict and its evidence."""
    report = yield
    run = _run(item.config)
    if run:
        run.take(item, call, report)
    return report


class Judge:
    """The hooks that have no config among their arguments; registered only when a mesh is judged."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        """Enter a report into the ledger."""
        outcome = yield
        if not self._run.is_worker:
            self._run.judged(report)
        return outcome

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected."""
        if not self._run.is_worker:
            self._run.ledger.add_collect(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what it has in common with the others."""
        self._run.worker_starts(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take a worker's facts of mesh and cluster."""
        self._run.worker_ended(node, error)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the results and set the exit status."""
    run = _run(session.config)
    if run:
        run.finish(session, exitstatus)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table of verdicts."""
    run = _run(config)
    if run and not run.is_worker:
        run.summarize(terminalreporter)
