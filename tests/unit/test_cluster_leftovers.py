"""Which leftovers go first, and when a run counts as dead."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from pytest_smi.cluster.lease import SECONDS, seconds_left
from pytest_smi.cluster.leftovers import Leftovers, Thing, namespace
from pytest_smi.cluster.ownership import labels, run_of

NOW = dt.datetime(2026, 11, 25, 12, 0, 0, tzinfo=dt.UTC)


def thing(kind: str, name: str = "x", space: str = "") -> Thing:
    return Thing(f"/{kind}/{name}", kind, space, name, "uid")


def test_what_is_in_a_namespace_of_the_run_goes_with_it() -> None:
    left = Leftovers(
        "1", [thing("Pod", "kettle", "tea-1"), thing("Namespace", "tea-1"), thing("ConfigMap", "c", "other")]
    )
    assert [str(one) for one in left.to_delete()] == ["ConfigMap other/c", "Namespace tea-1"]


def test_what_could_hinder_the_rest_goes_first_and_what_it_may_need_last() -> None:
    kinds = [
        "CustomResourceDefinition",
        "ClusterRole",
        "Namespace",
        "Secret",
        "APIService",
        "MutatingWebhookConfiguration",
    ]
    left = Leftovers("1", [thing(kind, space="other" if kind == "Secret" else "") for kind in kinds])
    assert [one.kind for one in left.to_delete()] == [
        "MutatingWebhookConfiguration",
        "APIService",
        "Secret",
        "Namespace",
        "ClusterRole",
        "CustomResourceDefinition",
    ]


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ({"renewTime": "2026-11-25T11:59:50.000000Z", "leaseDurationSeconds": 40}, 30.0),
        ({"renewTime": "2026-11-25T11:59:00.000000Z", "leaseDurationSeconds": 40}, -20.0),
        ({"renewTime": "yesterday", "leaseDurationSeconds": 40}, -float(SECONDS)),
        ({}, -float(SECONDS)),
    ],
)
def test_a_lease_vouches_for_its_run_until_it_lapses(spec: dict[str, Any], left: float) -> None:
    assert seconds_left({"spec": spec}, NOW) == left


def test_only_objects_with_both_labels_belong_to_a_run() -> None:
    assert run_of({"metadata": {"labels": labels("1f3a")}}) == "1f3a"
    for name in labels("1f3a"):
        rest = {key: value for key, value in labels("1f3a").items() if key != name}
        assert run_of({"metadata": {"labels": rest}}) is None
    assert run_of({"metadata": {}}) is None
    assert run_of({}) is None


def test_a_namespace_is_removed_by_its_path_and_its_uid() -> None:
    found = namespace({"metadata": {"name": "tea-1", "uid": "u"}})
    assert (found.path, found.uid, str(found)) == ("/api/v1/namespaces/tea-1", "u", "Namespace tea-1")
