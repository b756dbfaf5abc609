"""One pytest run that judges a mesh: what was asked for, which instances there are, and what came of them.

Created by the plugin only when a mesh is named; everything heavy is imported from here on. On an xdist controller it
keeps the ledger of results; on a worker (or without xdist) it also answers for the instances that are collected.
"""

from __future__ import annotations

import datetime as dt
import signal
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi import __version__
from pytest_smi.errors import ClusterEnded, HarnessError
from pytest_smi.evidence import unsupported
from pytest_smi.processes import Processes
from pytest_smi.report import allure as allure_report
from pytest_smi.report import crash, junit, results, summary
from pytest_smi.report import exit as exit_report
from pytest_smi.report.ledger import Ledger
from pytest_smi.report.redact import redact_text
from pytest_smi.report.trial import Trial
from pytest_smi.settings import TOOLS
from pytest_smi.spec.catalogue import UnknownRequirement, find
from pytest_smi.spec.instances import instances

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.evidence import Instance
    from pytest_smi.mesh.lifecycle import Mesh
    from pytest_smi.mesh.profile import Profile
    from pytest_smi.report.declared import Declared
    from pytest_smi.settings import Settings
    from pytest_smi.workload.scene import Scene

RUN = pytest.StashKey["Run"]()
TRIAL = pytest.StashKey[Trial]()
LAST = pytest.StashKey[bool]()
PARAMETER = "smi"


class Run:
    """The state of a run. `facts`, `mesh` and `scene` are known once the fixtures have them.

    `cluster` is one that was opened before the tests began, if any was.
    """

    def __init__(self, config: pytest.Config, settings: Settings, profile: Profile, declared: Declared) -> None:
        self.config = config
        self.settings = settings
        self.profile = profile
        self.declared = declared
        self.processes = Processes(config)
        self.started = dt.datetime.now(dt.UTC)
        self.facts: dict[str, Any] = {}
        self.ledger = Ledger(self._crashed_in)
        self.exit: exit_report.Exit | None = None
        self.is_worker = hasattr(config, "workerinput")
        self.cluster: Cluster | None = None
        self.mesh: Mesh | None = None
        self.scene: Scene | None = None
        self._diagnosed = False
        self._written: Path | None = None
        self._instances: dict[tuple[str, str], Instance] = {}

    @cached_property
    def allure(self) -> allure_report.Allure:
        """The way into Allure's results (nothing happens without --alluredir); first used once Allure is configured."""
        return allure_report.connect(
            self.config.pluginmanager, facts={"mesh": self.profile.name, "release": self.release}
        )

    @property
    def id(self) -> str:
        """The run's id, the same in all its processes; whatever it creates in a cluster carries it."""
        return self.processes.run

    @property
    def cluster_provider(self) -> str:
        """Where the run happens: the flag, else what the profile says; without the name of a cluster."""
        return (self.settings.cluster or self.profile.cluster).partition(":")[0]

    def open_cluster(self) -> Cluster:
        """The cluster of this run, ready. Raises ClusterError."""
        from pytest_smi.cluster.choose import open_cluster

        name = (self.settings.cluster or self.profile.cluster).partition(":")[2] or None
        where = (self.settings.kubeconfig, self.settings.context)
        return open_cluster(self.cluster_provider, name, self.processes.folder, *where)

    @property
    def release(self) -> str:
        """The release under judgement, for people."""
        return self.settings.release or "newest served"

    def instances_of(self, requirement: str) -> list[Instance]:
        """The instances of a requirement in this run. Raises UnknownRequirement."""
        found = instances(
            find(requirement),
            self.settings.release,
            self.profile.versions.served(),
            self.profile.features.absent,
        )
        self._instances.update({(one.requirement, one.api): one for one in found})
        return found

    def _crashed_in(self, nodeid: str) -> Instance | None:
        """The instance of a node id that this process, a controller, has not collected."""
        folders = (self.config.rootpath, *(Path(one.partition("::")[0]) for one in self.config.args))
        return crash.instance_of(nodeid, folders, self.instances_of)

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make one item of each instance of the test's requirement."""
        marker = metafunc.definition.get_closest_marker("requirement")
        if marker is None or PARAMETER not in metafunc.fixturenames:
            return
        name = str(marker.args[0]) if marker.args else ""
        try:
            apis = [one.api for one in self.instances_of(name)]
        except UnknownRequirement as fault:
            raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {fault}") from None
        metafunc.parametrize(PARAMETER, apis, indirect=True, ids=apis)

    def select(self, items: list[pytest.Item]) -> None:
        """Drop what is not asked for, give each instance its trial, and put what runs alone after all others."""
        kept, dropped = [], []
        for item in items:
            instance = self._instance_of(item)
            wanted = instance is None or self._wanted(instance)
            if wanted and not _is_empty(item):
                kept.append(item)
                if instance:
                    item.stash[TRIAL] = self._trial(instance)
            else:
                dropped.append(item)
        if dropped:
            self.config.hook.pytest_deselected(items=dropped)
            items[:] = kept
        if self.is_worker and self.cluster_provider != "embedded":
            items.sort(key=self._has_to_itself)  # at the end, where no other worker has to wait for its test
        self.facts["planned"] = sum(TRIAL in item.stash for item in items)

    def _instance_of(self, item: pytest.Item) -> Instance | None:
        marker = item.get_closest_marker("requirement")
        callspec = getattr(item, "callspec", None)
        if marker is None or callspec is None or not marker.args:
            return None
        return self._instances.get((str(marker.args[0]), str(callspec.params.get(PARAMETER))))

    def _has_to_itself(self, item: pytest.Item) -> bool:
        trial = item.stash.get(TRIAL, None)
        return trial is not None and self.profile.has_to_itself(trial.case.instance.requirement)

    def _wanted(self, instance: Instance) -> bool:
        ids, levels = self.settings.requirements, self.settings.levels
        return (not ids or instance.requirement in ids) and (not levels or instance.level in levels)

    def _trial(self, instance: Instance) -> Trial:
        source = find(instance.requirement).source or ""
        return Trial(instance, known=self.declared.known_of(instance), allure=self.allure, source=source)

    def begin(self, item: pytest.Item) -> None:
        """Start the trial of an item; one that is disputed or that the mesh declares absent ends here."""
        trial = item.stash.get(TRIAL, None)
        if trial is None:
            return
        trial.begin()
        disputed = self.declared.disputed_of(trial.case.instance)
        if disputed:
            pytest.skip(f"disputed: {disputed}")
        absent = trial.case.instance.unsupported
        if absent:
            feature, _, why = absent.partition(": ")
            pytest.skip(unsupported(feature, why or "declared absent by the mesh's profile"))

    def take(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Judge one phase; without a scene or a cluster the run stops, instead of failing in every item."""
        exception = _first(call.excinfo.value) if call.excinfo else None
        trial = item.stash.get(TRIAL, None)
        if isinstance(exception, HarnessError):
            report.longrepr = f"{type(exception).__name__}: {exception}"
            if isinstance(exception, ClusterEnded) or (report.when == "setup" and "scene" not in self.facts):
                self.facts["stopped"] = str(exception)
                item.session.shouldfail = f"smi: {exception}"
        if trial:
            trial.take(report, exception, item.user_properties)
            if report.failed and report.when != "teardown":
                self._diagnose(trial)

    def _diagnose(self, trial: Trial) -> None:
        """At the first failure or error in this process, add to its evidence what the mesh says of itself."""
        wanted = self.profile.diagnose
        if self._diagnosed or self.mesh is None or not (wanted.logs or wanted.http):
            return
        self._diagnosed = True
        used = self.scene.used() if self.scene else []
        with trial.case.step("diagnose", f"what {self.profile.name} says of itself") as step:
            found = self.mesh.diagnose(used)
            step.details.update({title: redact_text(said) for title, said in found.items()})

    def judged(self, report: pytest.TestReport) -> None:
        """Enter a report into the ledger; on the controller only."""
        result = self.ledger.add(report)
        junit.amend(self.config, report, result)
        if result is not None and str(report.when) == "???":
            self.allure.crashed(result)

    def finish(self, session: pytest.Session, status: int) -> None:
        """Write the results and decide the exit status."""
        if self.is_worker:
            self.config.workeroutput["smi"] = self.facts  # type: ignore[attr-defined]
            return
        self.exit = exit_report.decide(
            self.ledger.results,
            pytest_status=int(status),
            problems=len(self.ledger.problems),
            others=self.ledger.others,
            other_failures=self.ledger.other_failures,
            planned=self.facts.get("planned"),
            stopped=self.facts.get("stopped", ""),
        )
        junit.add_suite_properties(self.config, self._suite_properties())
        if not session.config.option.collectonly:
            self._write()
            session.exitstatus = self.exit.status
            folder = self.config.getoption("allure_report_dir", None)
            if folder:
                self.allure.write_facts(Path(folder), self._suite_properties())

    def clean_up(self) -> None:
        """Remove what killed workers left (those that ended in order have left nothing), and what was made for all."""
        if self.config.getoption("numprocesses", None) and not self.is_worker:
            from pytest_smi.cluster.embedded import sweep

            sweep()
        for line in self.processes.tidy(self.open_cluster):
            print(line)

    def worker_starts(self, node: Any) -> None:
        """Tell a worker, on the controller, what it has in common with the others."""
        self.processes.tell(node, folder=self.cluster_provider in TOOLS)

    def worker_ended(self, node: Any, error: object) -> None:
        """Take a worker's facts of mesh and cluster, on the controller; one that did not end in order leaves things."""
        self.facts.update(getattr(node, "workeroutput", {}).get("smi", {}))
        if self.cluster_provider != "embedded" and (error or not hasattr(node, "workeroutput")):
            self.processes.lost = True

    def _suite_properties(self) -> dict[str, str]:
        mesh = self.facts.get("mesh", {})
        return {
            "smi.suite": __version__,
            "smi.release": self.release,
            "smi.mesh": self.profile.name,
            "smi.mesh.version": str(mesh.get("version", "unknown")),
        }

    def _write(self) -> None:
        if not self.settings.results or self.exit is None:
            return
        run = results.Run(
            suite_version=__version__,
            release=self.release,
            started=self.started,
            finished=dt.datetime.now(dt.UTC),
            mesh={"name": self.profile.name, **self.facts.get("mesh", {}), **self.facts.get("provision", {})},
            cluster={"provider": self.cluster_provider, **self.facts.get("cluster", {})},
            settings=self.settings.as_dict(),
            planned=self.facts.get("planned"),
        )
        document = results.document(run, self.ledger.results, self.exit, self.ledger.problems)
        try:
            results.write(self.settings.results, document)
            self._written = self.settings.results
        except HarnessError as fault:
            self.exit = exit_report.Exit(exit_report.ERRORS, str(fault))

    def header(self) -> str:
        """The line in pytest's header."""
        extra = [f"fault {self.settings.fault}"] if self.settings.fault else []
        extra += ["forced"] if self.settings.force else []
        return summary.header_line(
            __version__, self.release, self.profile.name, self.cluster_provider, ", ".join(extra)
        )

    def summarize(self, terminal: Any) -> None:
        """Print the summary table."""
        if self.exit is None or terminal.config.option.collectonly:
            return
        terminal.section("SMI conformance")
        files = {"results": str(self._shown(self._written))} if self._written else {}
        for line in summary.summary_lines(self.ledger.results, self.exit, problems=self.ledger.problems, files=files):
            for text, markup in line:
                terminal.write(text, **markup)
            terminal.write_line("")

    def _shown(self, path: Path) -> Path:
        root = self.config.invocation_params.dir
        return path.relative_to(root) if path.is_relative_to(root) else path


def heed_sigterm() -> Callable[[], None]:
    """Let SIGTERM end the run as Ctrl-C does, so that results are written and nothing is left; returns the way back."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return lambda: None

    def no_longer() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return no_longer


def _first(exception: BaseException) -> BaseException:
    """Of several harness errors, as when every fixture of a session finds its cluster gone, the first."""
    if isinstance(exception, BaseExceptionGroup) and exception.subgroup(HarnessError) is not None:
        inner = [_first(one) for one in exception.exceptions]
        if all(isinstance(one, HarnessError) for one in inner):
            return inner[0]
    return exception


def _is_empty(item: pytest.Item) -> bool:
    """Whether pytest made this item only to say that a requirement has no instance in this run."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and not isinstance(callspec.params.get(PARAMETER, ""), str)
