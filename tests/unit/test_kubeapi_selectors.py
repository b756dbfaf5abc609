"""Label and field selectors."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import selectors


def obj(name: str = "x", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "tea", "labels": labels}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("app=a", {"app": "a"}, {"app": "b"}),
        ("app==a", {"app": "a"}, {}),
        ("app!=a", {}, {"app": "a"}),
        ("app", {"app": ""}, {}),
        ("!app", {}, {"app": "a"}),
        ("app in (a, b)", {"app": "b"}, {"app": "c"}),
        ("app notin (a,b)", {}, {"app": "a"}),
        ("app in (a),tier!=db", {"app": "a"}, {"app": "a", "tier": "db"}),
        ("n>3", {"n": "4"}, {"n": "3"}),
        ("n<3", {"n": "2"}, {"n": "x"}),
        ("tea.example/app=", {"tea.example/app": ""}, {}),
    ],
)
def test_label_selectors(text: str, good: dict[str, str], bad: dict[str, str]) -> None:
    wanted = selectors.parse_labels(text)
    assert selectors.labels_match(wanted, {"metadata": {"labels": good}})
    assert not selectors.labels_match(wanted, {"metadata": {"labels": bad}})


@pytest.mark.parametrize("text", ["a=b,", "=b", "a in b", "a=b c", "a in (b", "a,,b", "-a=b"])
def test_label_selectors_that_cannot_be_read(text: str) -> None:
    with pytest.raises(selectors.SelectorError, match="unable to parse requirement"):
        selectors.parse_labels(text)


def test_field_selectors() -> None:
    matches = selectors.predicate("", "metadata.name=x,status.phase!=Failed", ("status.phase",), builtin=True)
    assert matches(obj())
    assert not matches(obj("y"))


@pytest.mark.parametrize(
    ("selectable", "builtin", "message"),
    [
        (("status.phase",), True, "field label not supported: spec.tea"),
        ((), False, '"spec.tea" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ],
)
def test_unknown_fields_are_refused(selectable: tuple[str, ...], builtin: bool, message: str) -> None:
    with pytest.raises(selectors.SelectorError, match=message):
        selectors.predicate("", "spec.tea=x", selectable, builtin=builtin)


def test_no_selector_selects_everything() -> None:
    assert selectors.predicate("", "", (), builtin=True) is selectors.everything


def test_selector_objects() -> None:
    wanted = selectors.requirements(
        {
            "matchLabels": {"a": "1"},
            "matchExpressions": [
                {"key": "b", "operator": "In", "values": ["2", "3"]},
                {"key": "c", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selectors.labels_match(wanted, obj(a="1", b="3"))
    assert not selectors.labels_match(wanted, obj(a="1", b="3", c=""))


def test_a_selector_object_with_an_unknown_operator_is_refused() -> None:
    with pytest.raises(selectors.SelectorError, match="Brew"):
        selectors.requirements({"matchExpressions": [{"key": "a", "operator": "Brew"}]})


def test_booleans_and_absent_fields_compare_as_text() -> None:
    assert selectors.field_value({"spec": {"unschedulable": True}}, "spec.unschedulable") == "true"
    assert selectors.field_value({}, "spec.nodeName") == ""
