"""The JSONPath subset of printer columns, and how ages are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pytest_smi import jsonpath
from pytest_smi.embedded.kubeapi import ages

OBJ: dict[str, Any] = {
    "spec": {"service": "s", "backends": [{"service": "a", "weight": 1}, {"service": "b", "weight": 2}]},
    "metadata": {"labels": {"a.b/c": "x"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.service", ["s"]),
        ("$.spec.service", ["s"]),
        ("{.spec.service}", ["s"]),
        (".spec.backends[*].service", ["a", "b"]),
        (".spec.backends[0].weight", [1]),
        (".spec.backends[-1].weight", [2]),
        (".spec.backends[7].weight", []),
        (".metadata.labels.a\\.b/c", ["x"]),
        (".metadata.labels['a.b/c']", ["x"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
        (".none.at.all", []),
    ],
)
def test_expressions(path: str, expected: list[Any]) -> None:
    assert jsonpath.evaluate(path, OBJ) == expected


@pytest.mark.parametrize("path", ["spec", ".spec..service", ".spec[?(@)]", ".spec["])
def test_expressions_outside_the_subset_are_refused(path: str) -> None:
    with pytest.raises(jsonpath.JsonPathError):
        jsonpath.check(path)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (5, "5s"),
        (119, "119s"),
        (200, "3m20s"),
        (900, "15m"),
        (4 * 3600 + 60, "4h1m"),
        (26 * 3600, "26h"),
        (12 * 86400, "12d"),
        (800 * 86400, "2y70d"),
    ],
)
def test_ages_are_written_as_kubectl_writes_them(seconds: int, expected: str) -> None:
    started = datetime.now(UTC) - timedelta(seconds=seconds, milliseconds=100)
    assert ages.age(started.isoformat()) == expected


def test_an_age_that_is_no_time_is_unknown() -> None:
    assert ages.age(None) == "<unknown>"
