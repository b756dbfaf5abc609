"""The comparison page: counts, each mesh's failures with what was observed, and where meshes differ."""

from typing import Any

from pytest_smi.catalog.comparison import comparison_page
from pytest_smi.catalog.judged import Judged

SAID = "TA-005[access-v1alpha3] …\n  expected: denied\n  observed: 3 x 200 in 3 requests\n  likely cause: …"


def judged(mesh: str, **verdicts: tuple[str, str]) -> Judged:
    instances: dict[str, dict[str, Any]] = {
        f"{name.replace('_', '-')}[access-v1alpha3]": {"verdict": verdict, "message": said, "statement": "Says so"}
        for name, (verdict, said) in verdicts.items()
    }
    return Judged(mesh, "1.2", "2026-01-02T03:04:05Z", instances)


OPEN = "the specification leaves this open; seen: "
ONE = judged("osm", TA_001=("pass", ""), TA_005=("fail", SAID), TA_051=("observation", "seen: mode: any"))
TWO = judged("fsm", TA_001=("pass", ""), TA_005=("pass", ""), TA_051=("observation", f"{OPEN}mode: none"))
PAGE = comparison_page([ONE, TWO], "<!-- written -->")


def test_every_run_is_counted() -> None:
    assert "| osm 1.2 | 2026-01-02 | 3 | 1 | 1 | 0 | 0 | 0 | 1 | 0 |" in PAGE


def test_a_failure_is_told_with_what_was_observed() -> None:
    assert "* `TA-005[access-v1alpha3]` Says so. Observed: 3 x 200 in 3 requests" in PAGE
    assert "### fsm 1.2\n\nNothing." in PAGE


def test_only_what_meshes_answer_otherwise_stands_side_by_side() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| TA-")]
    assert [row.split()[1] for row in rows] == ["TA-005", "TA-051"]
    assert rows[0].endswith("| **FAIL** | pass |")
    assert rows[1].endswith("| mode: any | mode: none |")


def test_what_was_tried_in_vain_is_shown_by_what_was_observed() -> None:
    told = f"warning: not done, and not required (level should): {SAID}"
    page = comparison_page([judged("osm", TA_005=("observation", told)), TWO], "")
    assert "| 3 x 200 in 3 requests | pass |" in page
