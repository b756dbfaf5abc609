"""The comparison with a real API server: what is taken out of answers, where they differ, and what is listed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.differential import listing
from tests.embedded.differential.difference import Difference, differences
from tests.embedded.differential.normal import Normaliser
from tests.embedded.differential.player import Answer

UID = "00000000-0000-0000-0000-00000000000"


def answers(*bodies: Any) -> list[dict[str, Any]]:
    made = [Answer(f"step {number}", 200, "application/json", [], body) for number, body in enumerate(bodies)]
    return Normaliser().answers(made)


def tea(revision: str = "7", uid: str = f"{UID}1", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "tea", "uid": uid, "resourceVersion": revision, **metadata}}


def paths(real: Any, ours: Any) -> list[str]:
    def step(body: Any) -> list[dict[str, Any]]:
        return [{"step": "s", "code": 200, "body": body}]

    return [one.path for one in differences("story", step(real), step(ours))]


def test_two_runs_of_a_story_are_normalised_alike() -> None:
    first = answers(tea(), tea("8"), tea("9", uid=f"{UID}2"))
    assert first == answers(tea("70"), tea("75"), tea("90", uid=f"{UID}9"))
    assert first[1]["body"]["metadata"]["resourceVersion"] == "<revision 2 of tea>"


def test_what_stays_and_what_changes_is_told_apart() -> None:
    assert answers(tea(), tea()) != answers(tea(), tea("8"))
    assert answers(tea(), tea()) != answers(tea(), tea(uid=f"{UID}2"))


def test_times_go_but_for_those_that_stories_write() -> None:
    found = answers({"at": "2026-01-02T03:04:05Z", "then": "2024-01-01T00:00:00Z"})[0]["body"]
    assert found == {"at": "<time>", "then": "2024-01-01T00:00:00Z"}


def test_numbers_of_messages_stay_unless_they_are_revisions() -> None:
    told = {"kind": "Status", "message": "7 is more than 6; not in record (7)"}
    assert answers(tea(), told)[1]["body"]["message"] == "7 is more than 6; not in record (<revision 1 of tea>)"


def test_places_of_differences_are_named() -> None:
    assert paths({"a": [1, 2]}, {"a": [1, 3]}) == ["body.a[1]"]
    assert paths({"a/b": 1}, {}) == ["body[a/b]"]
    assert paths([{"name": "x", "n": 1}], [{"name": "y"}, {"name": "x", "n": 2}]) == ["body[x].n", "body[y]"]
    assert paths([{"name": "x"}, {"name": "y"}, {"name": "z"}], [{"name": "y"}, {"name": "x"}]) == [
        "body[z]",
        "body(order)",
    ]


def test_a_truth_is_no_number_and_equal_is_equal() -> None:
    assert paths({"a": True}, {"a": 1}) == ["body.a"]
    assert paths({"a": {"b": [None]}}, {"a": {"b": [None]}}) == []


def test_steps_that_only_one_side_has_differ() -> None:
    one = [{"step": "a", "code": 200}]
    assert [str(found.step) for found in differences("story", one, [])] == ["story/a"]
    assert [str(found.step) for found in differences("story", [], one)] == ["story/a"]


PAGE = """# Title

Words.

* `story/step` `body.a`
* `*` `*description`
* an ordinary item
"""


def difference(step: str, path: str) -> Difference:
    return Difference(step, path, 1, 2)


def test_what_is_listed_is_no_news_and_what_is_gone_is_told() -> None:
    listed = listing.read(PAGE)
    known, fresh = difference("story/step", "body.a"), difference("story/step", "body.b")
    assert listing.unlisted([known, fresh], listed) == [fresh]
    assert [str(line) for line in listing.outdated([known, fresh], listed)] == ["* `*` `*description`"]
    assert listing.outdated([known, difference("x/y", "body.c.description")], listed) == []


def test_a_line_that_cannot_be_read_is_no_line() -> None:
    with pytest.raises(ValueError, match="cannot read the line"):
        listing.read("* `story/step`\n")
