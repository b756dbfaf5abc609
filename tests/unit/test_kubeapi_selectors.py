"""Label and field selectors."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.kubeapi import labels, selectors


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
    wanted = labels.parse(text)
    assert labels.match(wanted, {"metadata": {"labels": good}})
    assert not labels.match(wanted, {"metadata": {"labels": bad}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a=b,", "found '', expected: identifier after ','"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a in b", r"unable to parse requirement: found 'b' expected: '\('"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in (b", r"unable to parse requirement: found '', expected: ',' or '\)'"),
        ("a in (b c)", r"unable to parse requirement: found 'c', expected: ',' or '\)'"),
        ("a in (!)", "unable to parse requirement: found '!', expected: ',', or identifier"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("-a=b", 'unable to parse requirement: <nil>: Invalid value: "-a": name part must'),
        ("a==(", r"unable to parse requirement: found '\(', expected: identifier"),
        ("!(", r"unable to parse requirement: found '\(', expected: identifier"),
        ("a>b", r"unable to parse requirement: values\[0\]: Invalid value: \"b\": for 'Gt', 'Lt' operators"),
    ],
)
def test_label_selectors_that_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(labels.SelectorError, match=why):
        labels.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a==b", "a=b"), ("a in (c, b)", "a in (b,c)"), ("!a", "!a"), ("a", "a"), ("a in (,)", "a in ()"), ("a>1", "a>1")],
)
def test_label_selectors_are_shown_as_they_are_asked(text: str, shown: str) -> None:
    assert [str(one) for one in labels.parse(text)] == [shown]


def test_field_selectors() -> None:
    matches = selectors.predicate("", "metadata.name=x,status.phase!=Failed", ("status.phase",), builtin=True)
    assert matches(obj())
    assert not matches(obj("y"))


@pytest.mark.parametrize(
    ("selectable", "builtin", "message"),
    [
        (("status.phase",), True, "field label not supported: spec.tea"),
        ((), True, '"spec.tea" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ((".spec.pot",), False, "field label not supported: spec.tea"),
    ],
)
def test_unknown_fields_are_refused(selectable: tuple[str, ...], builtin: bool, message: str) -> None:
    with pytest.raises(labels.SelectorError, match=message):
        selectors.predicate("", "spec.tea=x", selectable, builtin=builtin)


def test_no_selector_selects_everything() -> None:
    assert selectors.predicate("", "", (), builtin=True) is selectors.everything


def test_selector_objects() -> None:
    wanted = labels.requirements(
        {
            "matchLabels": {"a": "1"},
            "matchExpressions": [
                {"key": "b", "operator": "In", "values": ["2", "3"]},
                {"key": "c", "operator": "DoesNotExist"},
            ],
        }
    )
    assert labels.match(wanted, obj(a="1", b="3"))
    assert not labels.match(wanted, obj(a="1", b="3", c=""))


def test_a_selector_object_with_an_unknown_operator_is_refused() -> None:
    with pytest.raises(labels.SelectorError, match="Brew"):
        labels.requirements({"matchExpressions": [{"key": "a", "operator": "Brew"}]})


def test_booleans_and_absent_fields_compare_as_text() -> None:
    assert selectors.field_value({"spec": {"unschedulable": True}}, "spec.unschedulable") == "true"
    assert selectors.field_value({}, "spec.nodeName") == ""


def test_a_query_as_an_object() -> None:
    assert labels.selector(labels.parse("a=b,c in (d),e notin (f,g),!h")) == {
        "matchLabels": {"a": "b", "c": "d"},
        "matchExpressions": [
            {"key": "e", "operator": "NotIn", "values": ["f", "g"]},
            {"key": "h", "operator": "DoesNotExist", "values": []},
        ],
    }
