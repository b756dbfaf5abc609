"""Allure results: labels, live steps, evidence, and the status that our verdict means.

`connect` gives an `Allure` in every run. Without allure-pytest, or without `--alluredir`, it does nothing and imports
nothing. Labels, steps and attachments go through Allure's public API; the status of a finished test can only be set on
the listener's own object, which is looked up with care.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_smi.evidence import Instance, Step, Verdict
from pytest_smi.report.links import spec_url
from pytest_smi.report.plain import plain, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

    from pytest_smi.report.record import Result

#: A violated `must` is a defect; what merely follows from the text, a recommendation and an open question weigh less.
SEVERITIES = {"must": "critical", "implied": "normal", "api": "normal", "should": "minor"}

#: Allure has four statuses for our seven verdicts.
STATUSES = {
    Verdict.PASS: "passed",
    Verdict.OBSERVATION: "passed",
    Verdict.FAIL: "failed",
    Verdict.ERROR: "broken",
    Verdict.KNOWN_FAILURE: "skipped",
    Verdict.UNSUPPORTED: "skipped",
    Verdict.DISABLED: "skipped",
}

_CATEGORIES = [
    {"name": "The mesh does not conform", "matchedStatuses": ["failed"]},
    {"name": "Harness errors (no verdict on the mesh)", "matchedStatuses": ["broken"]},
    {"name": "Known failures", "matchedStatuses": ["skipped"], "messageRegex": "(?s).*known failure.*"},
    {"name": "Unsupported", "matchedStatuses": ["skipped"], "messageRegex": "(?s).*unsupported: .*"},
]


def connect(pluginmanager: pytest.PytestPluginManager, facts: Mapping[str, object] | None = None) -> Allure:
    """The way to Allure of this process; call it once plugins are configured (`pytest_sessionstart` or later).

    `facts` (mesh, release …) become parameters of each test that do not split its history.
    """
    return Allure(pluginmanager.get_plugin("allure_listener"), facts or {})


def labels(instance: Instance) -> list[tuple[str, str]]:
    """The labels that say what an instance is, in Allure's names."""
    return [
        ("epic", "SMI"),
        ("feature", f"{instance.group} {instance.api}"),
        ("story", instance.statement),
        ("as_id", instance.requirement),
        ("severity", SEVERITIES.get(instance.level, "trivial")),
        ("level", instance.level),
        ("api", instance.api),
    ]


class Allure:
    """Tells Allure about the running test. `listener` is allure-pytest's, or None: then every method does nothing."""

    def __init__(self, listener: Any, facts: Mapping[str, object]) -> None:
        self._listener = listener
        self._facts = {name: text(value) for name, value in facts.items()}

    def describe(self, instance: Instance, source: str = "") -> None:
        """Labels, parameters and the link to the specification; `source` is where in the document."""
        if self._listener is None:
            return
        import allure

        for name, value in labels(instance):
            allure.dynamic.label(name, value)
        for group, version in instance.versions.items():
            allure.dynamic.parameter(group, version)
        for name, value in self._facts.items():
            allure.dynamic.parameter(name, value, excluded=True)
        url = spec_url(instance.api)
        if url:
            allure.dynamic.link(url, name=f"{instance.api}: {source}" if source else instance.api)

    @contextmanager
    def step(self, step: Step) -> Iterator[None]:
        """A live step: Allure takes the times itself; what the step showed is attached when it ends."""
        if self._listener is None:
            yield
            return
        import allure

        with allure.step(f"{step.kind}: {step.title}"):
            try:
                yield
            finally:
                if step.details:
                    self._attach_json("details", step.details)

    def conclude(self, result: Result) -> None:
        """Evidence and status of the test that is ending; to be called before its last report leaves pytest."""
        if self._listener is None:
            return
        import allure

        allure.dynamic.label("verdict", result.verdict.value)
        if result.issue and "://" in result.issue:
            allure.dynamic.issue(result.issue)
        if result.evidence["manifests"]:
            import yaml

            body = yaml.safe_dump_all(result.evidence["manifests"], sort_keys=False, allow_unicode=True)
            allure.attach(body, "manifests", allure.attachment_type.YAML)
        if result.evidence["observations"]:
            self._attach_json("observations", result.evidence["observations"])
        self._settle_status(result)

    def crashed(self, result: Result) -> None:
        """Write the result of a test whose worker process died with it; for the controller."""
        if self._listener is None:
            return
        from allure_commons import plugin_manager
        from allure_commons.model2 import Label, StatusDetails, TestResult
        from allure_commons.utils import now, uuid4

        path, _, name = result.nodeid.rpartition("::")
        entry = TestResult(uuid=uuid4(), name=name, fullName=f"{path}#{name}", start=now(), stop=now())
        entry.status = STATUSES[result.verdict]
        entry.statusDetails = StatusDetails(message=result.message)
        pairs = [*labels(result.instance), ("verdict", result.verdict.value)]
        entry.labels = [Label(name=name, value=value) for name, value in pairs]
        plugin_manager.hook.report_result(result=entry)

    def write_facts(self, folder: Path, facts: Mapping[str, object] | None = None) -> None:
        """`environment.properties` and `categories.json` for the report; on the controller, when the run ends.

        `facts` come on top of those of `connect`: by then more is known, e.g. the mesh's version.
        """
        if self._listener is None:
            return
        known = {**self._facts, **(facts or {})}
        lines = [f"{_property_name(name)}={' '.join(text(value).split())}\n" for name, value in known.items()]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "environment.properties").write_text("".join(lines), "utf-8")
        (folder / "categories.json").write_text(json.dumps(_CATEGORIES, indent=2) + "\n", "utf-8")

    def _attach_json(self, name: str, value: object) -> None:
        import allure

        body = json.dumps(plain(value), indent=2, ensure_ascii=False)
        allure.attach(body, name, allure.attachment_type.JSON)

    def _settle_status(self, result: Result) -> None:
        """allure-pytest knows only the exception: to it a bare `assert` is the mesh's fault, which is our error."""
        try:
            test = self._listener.allure_logger.get_test(None)
            status = STATUSES[result.verdict]
            _escape(test)
            if test.status != status or (result.message and test.statusDetails is None):
                from allure_commons.model2 import StatusDetails

                trace = getattr(test.statusDetails, "trace", None)
                test.status, test.statusDetails = status, StatusDetails(message=result.message, trace=trace)
        except AttributeError:
            return


def _escape(executable: Any) -> None:
    """Messages may quote bytes that a mesh sent; Allure's writer stops at what is not UTF-8."""
    details = executable.statusDetails
    if details is not None:
        details.message = details.message and text(details.message)
        details.trace = details.trace and text(details.trace)
    for step in executable.steps:
        _escape(step)


def _property_name(name: str) -> str:
    return name.replace(" ", ".").replace("=", ".").replace(":", ".")
