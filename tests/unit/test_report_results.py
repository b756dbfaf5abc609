from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_smi.errors import HarnessError
from pytest_smi.evidence import Case, Instance, Verdict
from pytest_smi.report import record
from pytest_smi.report.exit import Exit, decide
from pytest_smi.report.ledger import Problem
from pytest_smi.report.results import Run, document, schema, summary, write

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def instance(requirement: str = "TA-005", api: str = "access-v1alpha3", level: str = "must") -> Instance:
    area = api.split("-")[0]
    return Instance(requirement, level, area, "Weights", api, {area: api.split("-")[1]}, "It does")


def judged(one: Instance, kind: Any = "passed", convergence: float | None = None) -> record.Result:
    case = Case(one, convergence=convergence)
    with case.step("apply", "apply it", counts={"403": 3}):
        case.manifests.append({"apiVersion": "v1", "kind": "ConfigMap"})
    phases = [
        record.Phase("setup", "passed"),
        record.Phase("call", kind, "told", "E"),
        record.Phase("teardown", "passed"),
    ]
    return record.result_of(case, f"test_x.py::test[{one.key}]", phases)


def some() -> list[record.Result]:
    return [
        judged(instance("TS-004", "split-v1alpha2"), convergence=0.25),
        judged(instance("TS-004", "split-v1alpha4"), "nonconformance", convergence=1.5),
        judged(instance(), "harness"),
        judged(instance("TA-006"), "unsupported"),
        judged(instance("TA-007", level="open")),
        record.disabled(instance("TA-008"), "t", "not asked for"),
        record.crashed(instance("TA-009"), "u", "worker 'gw0' crashed"),
    ]


def run(**changes: Any) -> Run:
    facts: dict[str, Any] = {
        "suite_version": "0.1.0",
        "release": "0.6.0",
        "started": START,
        "finished": START,
        "mesh": {"name": "reference", "version": "1.40.0", "profile": {"source": "reference", "digest": "sha256:00"}},
        "cluster": {"provider": "embedded", "kubernetes": "v1.31.0", "nodes": [{"name": "node"}]},
        "settings": {"mesh": "reference", "timeout": None},
        "planned": 7,
        **changes,
    }
    return Run(**facts)


def checked(content: dict[str, Any]) -> dict[str, Any]:
    validator = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    validator.validate(json.loads(json.dumps(content)))
    return content


def test_the_schema_is_a_valid_one_and_explains_every_property() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    unexplained: list[str] = []

    def walk(node: Any, path: str) -> None:
        for name, below in node.get("properties", {}).items():
            target = schema()["$defs"][below["$ref"].split("/")[-1]] if "$ref" in below else {}
            if "description" not in {**target, **below}:
                unexplained.append(f"{path}.{name}")
            walk(below, f"{path}.{name}")
        if isinstance(node.get("items"), dict):
            walk(node["items"], f"{path}[]")
        for name, below in node.get("$defs", {}).items():
            walk(below, name)

    walk(schema(), "")
    assert unexplained == []


def test_a_document_with_every_kind_of_verdict_is_as_the_schema_says() -> None:
    results = some()
    content = checked(document(run(), results, decide(results), [Problem("test_y.py", "could not be collected")]))
    assert content["schema_version"] == "1.0"
    assert schema()["$id"].endswith(":1.0")
    assert content["started"] == "2024-05-01T12:00:00.000Z"
    assert content["exit"]["status"] == 1
    assert {one["verdict"] for one in content["instances"]} >= {"pass", "fail", "error", "unsupported", "disabled"}


def test_an_empty_run_is_a_document_too() -> None:
    content = checked(document(run(planned=None), [], decide([])))
    assert content["instances"] == []
    assert content["exit"]["status"] == 5


def test_the_schema_refuses_what_is_not_a_result() -> None:
    content = document(run(), some(), Exit(0, ""))
    content["instances"][0]["verdict"] = "maybe"
    with pytest.raises(jsonschema.ValidationError):
        checked(content)


def test_the_order_in_which_workers_finish_does_not_show() -> None:
    results = some()
    shuffled = random.Random(3).sample(results, len(results))
    assert json.dumps(document(run(), results, Exit(0, ""))) == json.dumps(document(run(), shuffled, Exit(0, "")))
    keys = [one["key"] for one in document(run(), shuffled, Exit(0, ""))["instances"]]
    assert keys == sorted(keys)


def test_counts_per_area_add_up_and_name_the_slowest() -> None:
    content = summary(some())
    assert content["total"]["instances"] == 7
    assert content["areas"]["split"] == {
        "instances": 2,
        **dict.fromkeys((verdict.value for verdict in Verdict), 0),
        "pass": 1,
        "fail": 1,
        "slowest_convergence": {"seconds": 1.5, "key": "TS-004[split-v1alpha4]"},
    }
    assert content["areas"]["access"]["slowest_convergence"] is None
    for name in ["instances", *(verdict.value for verdict in Verdict)]:
        assert content["total"][name] == sum(area[name] for area in content["areas"].values())


@pytest.mark.parametrize(
    ("status", "planned", "complete"), [(0, 7, True), (0, 8, False), (2, 7, False), (0, None, True)]
)
def test_a_run_that_was_cut_short_says_that_it_is_not_complete(
    status: int, planned: int | None, complete: bool
) -> None:
    assert document(run(planned=planned), some(), Exit(status, ""))["complete"] is complete


def test_secrets_and_the_home_directory_stay_at_home() -> None:
    settings = {
        "kubeconfig": f"{Path.home()}/.kube/config",
        "api_token": "hunter2",
        "url": "https://me:hunter2@example.org/x",
        "nested": [{"Password": "hunter2"}],
        "token_unset": None,
    }
    content = document(run(settings=settings), [], Exit(0, ""))["settings"]
    assert "hunter2" not in json.dumps(content)
    assert content["kubeconfig"] == "~/.kube/config"
    assert content["url"] == "https://[redacted]@example.org/x"
    assert content["token_unset"] is None


def test_the_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "new" / "results.json"
    write(target, {"a": "é"})
    write(target, {"a": 2})
    assert json.loads(target.read_text("utf-8")) == {"a": 2}
    assert [entry.name for entry in target.parent.iterdir()] == ["results.json"]


def test_what_cannot_be_serialised_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    write(target, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write(target, {"a": float("nan")})
    assert json.loads(target.read_text("utf-8")) == {"a": 1}


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot write results to .*results\.json: ") as told:
        write(tmp_path / "file" / "results.json", {})
    assert "\n" not in str(told.value)


def test_readers_of_the_file_follow_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        write(tmp_path / "results.json", {})
    finally:
        os.umask(previous)
    assert (tmp_path / "results.json").stat().st_mode & 0o777 == 0o644
