"""The exit status of a run, and the reason in words.

| status | meaning |
|---|---|
| 0 | every instance that was executed conforms (or there is none, and the other tests passed) |
| 1 | at least one instance fails, or a known failure passes (or a test that is no instance failed) |
| 2 | interrupted |
| 3 | no failure, but cluster, mesh or harness kept us from judging at least one instance; not configured for SMI |
| 4 | usage: a flag, profile or requirement id is wrong |
| 5 | nothing was executed: nothing collected, or no instance that is not unsupported or disabled |
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_smi.evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.report.record import Result

CONFORMS, FAILS, INTERRUPTED, ERRORS, USAGE, NOTHING = range(6)

#: Verdicts that say that the mesh was really put to the test.
EXECUTED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.KNOWN_FAILURE, Verdict.OBSERVATION})


@dataclass(frozen=True)
class Exit:
    """How a run ended: the process's exit status and one line on why."""

    status: int
    reason: str


def decide(
    results: Sequence[Result],
    *,
    pytest_status: int = 0,
    problems: int = 0,
    other_failures: int = 0,
    others: int = 0,
    planned: int | None = None,
    stopped: str = "",
) -> Exit:
    """The exit of a run that judged `results`.

    `pytest_status` is what pytest itself would exit with; `problems` counts what broke outside of any instance,
    `others` executed tests that are no instances, `other_failures` those of them that failed, `planned` the collected
    instances, `stopped` what kept the harness from going on.
    """
    count = Counter(result.verdict for result in results)
    executed = sum(count[verdict] for verdict in EXECUTED)
    if pytest_status == USAGE:
        return Exit(USAGE, "usage error")
    if pytest_status == INTERRUPTED and not stopped:  # xdist stops as if it had been interrupted
        return Exit(INTERRUPTED, _interrupted(len(results), planned, problems))
    if count[Verdict.FAIL]:
        return Exit(FAILS, f"{_of(count[Verdict.FAIL], executed, 'instance')} failed{_and_errors(count)}")
    if other_failures:
        return Exit(FAILS, f"{_plural(other_failures, 'test')} beside the instances failed")
    if stopped:
        return Exit(ERRORS, f"{_judged(len(results), planned)}, then {stopped}" if results else stopped)
    errors = count[Verdict.ERROR] + problems
    if errors:
        return Exit(ERRORS, f"{_plural(errors, 'harness error')}: not the mesh's fault, but no verdict either")
    if pytest_status == ERRORS:
        return Exit(ERRORS, "pytest reports an internal error")
    if not executed and (results or planned or not others):
        return Exit(NOTHING, _nothing(count))
    if pytest_status:
        return Exit(pytest_status, f"pytest ended with status {pytest_status}")
    if not executed:
        return Exit(CONFORMS, f"{_plural(others, 'test')} passed, no requirement instance among them")
    return Exit(CONFORMS, _conforms(executed, count))


def _conforms(executed: int, count: Counter[Verdict]) -> str:
    left = [
        f"{count[one]} {one}" for one in (Verdict.KNOWN_FAILURE, Verdict.UNSUPPORTED, Verdict.DISABLED) if count[one]
    ]
    return f"{_plural(executed, 'instance')} executed, none fails" + (f" ({', '.join(left)})" if left else "")


def _and_errors(count: Counter[Verdict]) -> str:
    return f", and {_plural(count[Verdict.ERROR], 'harness error')}" if count[Verdict.ERROR] else ""


def _interrupted(judged: int, planned: int | None, problems: int) -> str:
    cause = f"interrupted by {_plural(problems, 'problem')} outside of the instances" if problems else "interrupted"
    return f"{cause}: {_judged(judged, planned)}"


def _judged(judged: int, planned: int | None) -> str:
    return f"{judged}{f' of {planned}' if planned is not None else ''} instances judged"


def _nothing(count: Counter[Verdict]) -> str:
    if not count:
        return "nothing was executed: no requirement instance was collected"
    parts = ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict if count[verdict])
    return f"nothing was executed: {parts}"


def _of(some: int, total: int, noun: str) -> str:
    return f"{some} of {_plural(total, noun)}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
