"""The rules of aggregated ClusterRoles."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.controllers.roles import aggregated


def role(name: str, *resources: str, **labels: str) -> dict[str, Any]:
    rules = [{"apiGroups": [""], "resources": [one], "verbs": ["get"]} for one in resources]
    return {"metadata": {"name": name, "labels": labels}, "rules": rules}


def whole(*selectors: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "whole"}, "aggregationRule": {"clusterRoleSelectors": list(selectors)}}


def resources(rules: list[dict[str, Any]]) -> list[str]:
    return [one for rule in rules for one in rule["resources"]]


def test_rules_come_selector_by_selector_and_by_name_each_once() -> None:
    parts = [role("b", "pods", "nodes", tier="x"), role("a", "pods", tier="x"), role("c", "secrets", tier="y")]
    first, second = {"matchLabels": {"tier": "y"}}, {"matchLabels": {"tier": "x"}}
    assert resources(aggregated(whole(first, second), parts)) == ["secrets", "pods", "nodes"]


def test_a_role_does_not_gain_its_own_rules() -> None:
    own = {**whole({}), "rules": role("x", "pods")["rules"]}
    assert aggregated(own, [own]) == []


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"key": "tier", "operator": "In", "values": ["x", "z"]}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["x"]}, False),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_select_too(expression: dict[str, Any], holds: bool) -> None:
    assert bool(aggregated(whole({"matchExpressions": [expression]}), [role("a", "pods", tier="x")])) is holds
