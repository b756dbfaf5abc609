from __future__ import annotations

import pytest

from pytest_smi.evidence import Instance, Verdict
from pytest_smi.report.exit import Exit, decide
from pytest_smi.report.ledger import Problem
from pytest_smi.report.record import Result
from pytest_smi.report.summary import Line, header_line, summary_lines


def result(verdict: str, requirement: str = "TA-005", area: str = "access", **own: object) -> Result:
    statement = "A pod whose identity is not among the sources is denied, even on an allowed route"
    instance = Instance(requirement, "must", area, "g", f"{area}-v1alpha3", {}, statement)
    return Result(instance, f"test::{requirement}", Verdict(verdict), **own)  # type: ignore[arg-type]


def text(lines: list[Line]) -> list[str]:
    return ["".join(words for words, _ in line) for line in lines]


SOME = [
    result("pass", convergence_seconds=0.0123),
    result("pass", "TS-001", "split", convergence_seconds=1.5),
    result("fail", "TA-006", exception="NonConformance"),
    result("error", "TA-007", message="in setup: API server gone (start it)\nmore"),
    result("unsupported", "TA-008", feature="udp"),
    result("known-failure", "TA-009", message="known failure, https://example.org/1: served"),
    result("observation", "TA-010"),
]


def test_the_whole_summary_reads_well() -> None:
    assert text(summary_lines(SOME, decide(SOME), files={"results": "build/results.json"})) == [
        "area    instances  pass  fail  error  unsupported  known-failure  observation  slowest",
        "access          6     1     1      1            1              1            1    12 ms",
        "split           1     1     0      0            0              0            0  1500 ms",
        "--------------------------------------------------------------------------------------",
        "total           7     2     1      1            1              1            1  1500 ms",
        "",
        "FAIL TA-006[access-v1alpha3] A pod whose identity is not among the sources is denied, even on an al…",
        "ERROR TA-007[access-v1alpha3] in setup: API server gone (start it)",
        "KNOWN-FAILURE TA-009[access-v1alpha3] known failure, https://example.org/1: served",
        "",
        "unsupported: udp (1)",
        "",
        "exit 1: 1 of 5 instances failed, and 1 harness error",
        "results: build/results.json",
    ]


def test_columns_of_rare_verdicts_appear_only_when_needed() -> None:
    head = text(summary_lines([result("pass")], Exit(0, "")))[0]
    assert "known-failure" not in head
    assert "disabled" not in head
    assert "disabled" in text(summary_lines([result("disabled")], Exit(5, "")))[0]


@pytest.mark.parametrize("width", [40, 72, 100, 300])
def test_no_line_of_prose_is_wider_than_asked_nor_than_100(width: int) -> None:
    long = [result("fail", f"TA-{number:03d}", exception="NonConformance") for number in range(60)]
    problems = [Problem("tests/" + "x" * 200, "y" * 200)]
    lines = text(summary_lines(long, Exit(1, "z" * 300), problems=problems, width=width))
    uncut = ("area", "access", "total", "---", "exit")
    assert max(len(line) for line in lines if not line.startswith(uncut)) <= min(width, 100)


def test_the_reason_of_the_exit_is_never_cut() -> None:
    assert f"exit 3: {'z' * 300}" in text(summary_lines([], Exit(3, "z" * 300), width=40))


def test_the_table_fits_100_columns_with_every_verdict() -> None:
    everything = [result(verdict.value, convergence_seconds=99.999) for verdict in Verdict] * 200
    assert max(len(line) for line in text(summary_lines(everything, Exit(1, "")))) <= 100


def test_many_failures_are_counted_rather_than_listed() -> None:
    lines = text(
        summary_lines(
            [result("fail", f"TA-{number:03d}", exception="NonConformance") for number in range(60)], Exit(1, "")
        )
    )
    assert "… and 20 more" in lines


def test_colour_marks_what_counts_and_nothing_that_is_zero() -> None:
    lines = summary_lines([result("pass")], Exit(0, "all well"))
    segments = [segment for line in lines for segment in line]
    assert ("exit 0: ", {"green": True, "bold": True}) in segments
    assert all(not markup for words, markup in segments if words.strip() == "0")


def test_nothing_executed_still_says_how_it_ended() -> None:
    assert text(summary_lines([], decide([]))) == [
        "exit 5: nothing was executed: no requirement instance was collected"
    ]


def test_the_header_names_suite_release_mesh_and_cluster() -> None:
    assert header_line("0.1.0", "0.6.0", "reference", "embedded") == (
        "smi: suite 0.1.0, SMI 0.6.0, mesh reference on embedded"
    )
    assert header_line("1", "all", "osm", "kind-dev", "fault never-revoke").endswith("on kind-dev, fault never-revoke")
