"""What counts as a change that a run has left on a real cluster."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.snapshot import Objects, differences, snapshot


def thing(kind: str = "ConfigMap", data: str = "one", **metadata: Any) -> dict[str, Any]:
    meta = {"name": "tea", "namespace": "default", "uid": "1", "resourceVersion": "7", **metadata}
    return {"kind": kind, "metadata": meta, "data": {"key": data}, "status": {"seen": data}}


def taken(*items: dict[str, Any]) -> Objects:
    class Some:
        def kubectl(self, *_: str) -> str:
            return "configmaps\nevents\n"

        def get(self, *arguments: str) -> dict[str, Any]:
            assert arguments == ("--all-namespaces", "--ignore-not-found", "configmaps,events")
            return {"items": items}

    return snapshot(cast(Cluster, Some()))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([], [thing()], ["left behind: ConfigMap default/tea"]),
        ([thing()], [], ["gone: ConfigMap default/tea"]),
        ([thing()], [thing(data="two")], ['changed: ConfigMap default/tea: .data.key was "one", is "two"']),
        (
            [thing()],
            [thing(labels={"by": "us"})],
            ['changed: ConfigMap default/tea: .metadata.labels was null, is {"by": "us"}'],
        ),
    ],
    ids=["new", "gone", "content", "label"],
)
def test_a_change_is_told(before: list[dict[str, Any]], after: list[dict[str, Any]], told: list[str]) -> None:
    assert differences(taken(*before), taken(*after)) == told


@pytest.mark.parametrize(
    "after",
    [
        [thing(resourceVersion="9", uid="2", generation=4)],
        [thing(), thing("Event", name="seen"), thing("Lease", name="held")],
        [thing(), thing("ReplicaSet", name="tea-1", ownerReferences=[{"kind": "Deployment", "name": "tea"}])],
        [thing(annotations={"deployment.kubernetes.io/revision": "2"})],
    ],
    ids=["bookkeeping", "by-controllers", "owned", "revision"],
)
def test_what_controllers_keep_is_no_change(after: list[dict[str, Any]]) -> None:
    assert differences(taken(thing()), taken(*after)) == []
