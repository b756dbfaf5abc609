"""The end of a run in the terminal: a table per area, what failed and why, and how the run ended. Pure text.

A line is a tuple of segments, each a text with pytest's markup (`{"red": True}`): joined they are at most `width` wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_smi.evidence import Verdict
from pytest_smi.report.results import summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_smi.report.exit import Exit
    from pytest_smi.report.ledger import Problem
    from pytest_smi.report.record import Result

Segment = tuple[str, Mapping[str, bool]]
Line = tuple[Segment, ...]

_PLAIN: Mapping[str, bool] = {}
_BOLD = {"bold": True}
_COLOURS: dict[Verdict, Mapping[str, bool]] = {
    Verdict.PASS: {"green": True},
    Verdict.FAIL: {"red": True, "bold": True},
    Verdict.ERROR: {"red": True},
    Verdict.UNSUPPORTED: {"yellow": True},
    Verdict.KNOWN_FAILURE: {"yellow": True},
    Verdict.OBSERVATION: {"cyan": True},
    Verdict.DISABLED: {"yellow": True},
}
_ALWAYS = (Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.UNSUPPORTED, Verdict.OBSERVATION)
_TELL_EACH = (Verdict.FAIL, Verdict.ERROR, Verdict.KNOWN_FAILURE)
_MOST_LISTED = 40
_GAP = 2


def header_line(suite_version: str, release: str, mesh: str, cluster: str, extra: str = "") -> str:
    """One line for pytest's header, e.g. `smi: suite 0.1.0, SMI 0.6.0, mesh reference on embedded`."""
    line = f"smi: suite {suite_version}, SMI {release}, mesh {mesh} on {cluster}"
    return f"{line}, {extra}" if extra else line


def summary_lines(
    results: Sequence[Result],
    exit: Exit,
    *,
    problems: Iterable[Problem] = (),
    width: int = 100,
    files: Mapping[str, str] | None = None,
) -> list[Line]:
    """The whole summary; `files` names what was written (`results` -> path). `width` above 100 is not used."""
    width = max(40, min(width, 100))
    lines = [*_table(results), ()] if results else []
    listed = [*_listed(results, width), *_problems(problems, width)]
    lines += [*listed, ()] if listed else []
    lines += _unsupported(results, width)
    lines.append(_ending(exit))
    lines += [((f"{name}: ", _BOLD), (path, _PLAIN)) for name, path in (files or {}).items()]
    return lines


def _table(results: Sequence[Result]) -> list[Line]:
    content = summary(results)
    columns = [verdict for verdict in Verdict if verdict in _ALWAYS or content["total"][verdict.value]]
    head = ["area", "instances", *(verdict.value for verdict in columns), "slowest"]
    rows = [(area, counts) for area, counts in content["areas"].items()]
    body = [_cells(name, counts, columns) for name, counts in [*rows, ("total", content["total"])]]
    widths = [
        max(len(row[column][0]) for row in [[(one, _PLAIN) for one in head], *body]) for column in range(len(head))
    ]
    lines = [_row([(one, _BOLD) for one in head], widths)]
    lines += [_row(row, widths) for row in body[:-1]]
    rule = "-" * (sum(widths) + _GAP * (len(widths) - 1))
    return [*lines, ((rule, _PLAIN),), _row(body[-1], widths)]


def _cells(name: str, counts: dict[str, Any], columns: Sequence[Verdict]) -> list[Segment]:
    numbers = [(counts[one.value], _COLOURS[one]) for one in columns]
    slowest = counts["slowest_convergence"]
    return [
        (name, _PLAIN),
        (str(counts["instances"]), _PLAIN),
        *((str(number), markup if number else _PLAIN) for number, markup in numbers),
        (f"{slowest['seconds'] * 1000:.0f} ms" if slowest else "-", _PLAIN),
    ]


def _row(cells: Sequence[Segment], widths: Sequence[int]) -> Line:
    first = (cells[0][0].ljust(widths[0]), cells[0][1])
    rest = [
        (" " * (_GAP + width - len(words)) + words, markup)
        for (words, markup), width in zip(cells[1:], widths[1:], strict=True)
    ]
    return (first, *rest)


def _listed(results: Sequence[Result], width: int) -> list[Line]:
    """One line for each instance that a reader must look at, the worst verdict first."""
    telling = sorted(
        (one for one in results if one.verdict in _TELL_EACH), key=lambda one: _TELL_EACH.index(one.verdict)
    )
    lines = [_one(result, width) for result in telling[:_MOST_LISTED]]
    if len(telling) > _MOST_LISTED:
        lines.append(((f"… and {len(telling) - _MOST_LISTED} more", _PLAIN),))
    return lines


def _one(result: Result, width: int) -> Line:
    label = f"{result.verdict.value.upper()} "
    violated = result.verdict is Verdict.FAIL and result.exception is not None
    told = result.instance.statement if violated else result.message
    return _fitted((label, _COLOURS[result.verdict]), f"{result.instance.key} ", told, width)


def _problems(problems: Iterable[Problem], width: int) -> list[Line]:
    red = _COLOURS[Verdict.ERROR]
    return [_fitted(("ERROR ", red), f"{one.nodeid} " if one.nodeid else "", one.message, width) for one in problems]


def _unsupported(results: Sequence[Result], width: int) -> list[Line]:
    """Which features are missing, and how many instances each of them took away: none is skipped without a name."""
    features: dict[str, int] = {}
    for result in results:
        if result.verdict is Verdict.UNSUPPORTED:
            name = result.feature or "(unnamed)"
            features[name] = features.get(name, 0) + 1
    if not features:
        return []
    told = ", ".join(f"{name} ({number})" for name, number in sorted(features.items()))
    return [_fitted(("unsupported: ", _COLOURS[Verdict.UNSUPPORTED]), "", told, width), ()]


def _ending(exit: Exit) -> Line:
    """The reason is never cut: it may be all that is told, and end in what to do."""
    markup = {"green": True, "bold": True} if exit.status == 0 else {"red": True, "bold": True}
    return ((f"exit {exit.status}: ", markup), (exit.reason, _PLAIN))


def _fitted(label: Segment, name: str, words: str, width: int) -> Line:
    """Label, name and the first line of `words`, cut to the width."""
    told = " ".join((words.strip().splitlines() or [""])[0].split())
    room = max(width - len(label[0]) - len(name), 0)
    told = told if len(told) <= room else told[: max(room - 1, 0)] + "…" * (room > 0)
    return (label, (name[: width - len(label[0])], _BOLD), (told, _PLAIN))
