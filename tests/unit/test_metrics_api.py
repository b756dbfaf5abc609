"""The reference mesh's metrics API: which calls it counts for whom, and how it answers what it does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.embedded.kubeapi.status import ApiError
from pytest_smi.embedded.mesh.metrics_api import Asked, parse
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.spec.metrics import MEASURED, ROOT, metrics_path
from pytest_smi.spec.metrics_read import Item, Listing
from tests.unit.metrics_objects import answer, body

PODS = MEASURED["pods"]


def item(folder: Path, plural: str, name: str, space: str = "tea") -> Item:
    return Item(body(Semantics(), folder, metrics_path(plural, space, name)))


def listing(folder: Path, path: str, semantics: Semantics | None = None) -> Listing:
    return Listing(body(semantics or Semantics(), folder, path))


def counts(found: Item) -> tuple[int, int]:
    return found.success, found.failure


def ends(found: Listing) -> list[tuple[str, str, str, int]]:
    return [(one.edge.direction, one.side, one.edge.resource.name, one.total) for one in found.items]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", None),
        ("/", None),
        ("/namespaces", Asked(MEASURED["namespaces"])),
        ("/namespaces/tea", Asked(MEASURED["namespaces"], "", "tea")),
        ("/namespaces/tea/edges", Asked(MEASURED["namespaces"], "", "tea", True)),
        ("/namespaces/tea/pods", Asked(PODS, "tea")),
        ("/namespaces/tea/pods/", Asked(PODS, "tea")),
        ("/namespaces/tea/pods/pot", Asked(PODS, "tea", "pot")),
        ("/namespaces/tea/pods/pot/edges", Asked(PODS, "tea", "pot", True)),
        ("/pods", Asked(PODS)),
        ("/nodes/n", Asked(MEASURED["nodes"], "", "n")),
    ],
)
def test_paths_are_taken_apart(path: str, asked: Asked | None) -> None:
    assert parse(f"{ROOT}{path}") == asked


@pytest.mark.parametrize(
    "path",
    ["/widgets", "/pods/pot", "/namespaces/tea/nodes", "/namespaces/tea/pods/p/edges/x", "/namespaces/tea/pods/p/log"],
)
def test_other_paths_are_not_found(path: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse(f"{ROOT}{path}")
    assert refusal.value.code == 404


def test_a_window_has_its_http_calls_by_outcome(tmp_path: Path) -> None:
    assert counts(item(tmp_path, "pods", "urn-1")) == (8, 0)
    assert counts(item(tmp_path, "pods", "urn-2")) == (1, 1)
    assert counts(item(tmp_path, "pods", "kettle")) == (0, 0), "a client receives nothing"


def test_a_longer_window_can_be_asked_for(tmp_path: Path) -> None:
    found = listing(tmp_path, metrics_path("pods", "tea") + "?t=2s").of("urn-1")[0]
    assert (found.success, found.window) == (9, 2.0)
    for wrong in ("0s", "2", "2h"):
        assert answer(Semantics(), tmp_path, metrics_path("pods", "tea") + f"?t={wrong}").status == 400


def test_percentiles_are_of_the_calls(tmp_path: Path) -> None:
    assert item(tmp_path, "pods", "urn-1").latencies == pytest.approx((0.007, 0.011, 0.011))
    assert item(tmp_path, "deployments", "urn").latencies == pytest.approx((0.007, 0.011, 0.2))


def test_what_contains_pods_is_their_sum(tmp_path: Path) -> None:
    assert counts(item(tmp_path, "deployments", "urn")) == (9, 1)
    assert counts(item(tmp_path, "replicasets", "urn-5d")) == (9, 1)
    assert counts(item(tmp_path, "services", "pots")) == (4, 0)
    assert counts(Item(body(Semantics(), tmp_path, metrics_path("namespaces", name="tea")))) == (13, 1)
    assert counts(Item(body(Semantics(), tmp_path, metrics_path("nodes", name="node-1")))) == (9, 1)


def test_edges_are_between_objects_of_one_kind_that_exchanged_traffic(tmp_path: Path) -> None:
    sent = listing(tmp_path, metrics_path("pods", "tea", "kettle", edges=True))
    pods = [("china", 3), ("glass", 1), ("urn-1", 8), ("urn-2", 2)]
    assert ends(sent) == [("to", "client", name, total) for name, total in pods]
    assert ends(listing(tmp_path, metrics_path("pods", "tea", "urn-1", edges=True))) == [
        ("from", "server", "kettle", 8)
    ]
    assert ends(listing(tmp_path, metrics_path("deployments", "tea", "urn", edges=True))) == []
    assert ends(listing(tmp_path, metrics_path("namespaces", name="tea", edges=True))) == [
        ("from", "server", "tea", 14),
        ("to", "client", "tea", 14),
    ]


def test_a_split_counts_calls_to_its_apex_by_backend(tmp_path: Path) -> None:
    found = listing(tmp_path, metrics_path("trafficsplits", "tea")).items
    told = [(one.backend.apex, one.backend.name, one.backend.weight, one.total) for one in found if one.backend]
    assert told == [("pots", "china", 3, 2), ("pots", "glass", 1, 1)]
    assert {(one.edge.direction, one.side, str(one.edge.resource)) for one in found} == {
        ("from", "client", "everything")
    }
    assert listing(tmp_path, metrics_path("trafficsplits", "tea", "pour")).resource.name == "pour"
    assert listing(tmp_path, metrics_path("trafficsplits", "tea", "pour", edges=True)).items == []


def test_a_selector_chooses_items_and_not_calls(tmp_path: Path) -> None:
    found = listing(tmp_path, metrics_path("pods", "tea") + "?labelSelector=app%3Durn,pot!%3Dyes")
    assert [(one.resource.name, one.total) for one in found.items] == [("urn-1", 8), ("urn-2", 2)]
    assert found.match_labels == {"app": "urn"}
    assert found.raw["selector"]["matchExpressions"] == [{"key": "pot", "operator": "NotIn", "values": ["yes"]}]


def test_kinds_that_the_cluster_does_not_serve_are_empty(tmp_path: Path) -> None:
    for plural in ("statefulsets", "daemonsets", "jobs", "replicationcontrollers"):
        assert listing(tmp_path, metrics_path(plural, "tea")).items == []


def test_lists_say_what_they_list(tmp_path: Path) -> None:
    pods = listing(tmp_path, metrics_path("pods", "tea"))
    assert (pods.resource.kind, pods.resource.namespace, pods.resource.name) == ("Pod", "tea", "")
    assert listing(tmp_path, metrics_path("pods")).resource.namespace == ""
    edges = listing(tmp_path, metrics_path("pods", "tea", "kettle", edges=True))
    assert edges.resource.name == "kettle"
    for one in (*pods.items, *edges.items):
        one.check_fields()
        one.check_kind()


@pytest.mark.parametrize(
    ("path", "method", "code"),
    [
        (metrics_path("pods", "tea", "ghost"), "GET", 404),
        (metrics_path("widgets", "tea"), "GET", 404),
        (metrics_path("pods", "tea"), "POST", 405),
        (metrics_path("pods", "tea", "urn-1"), "DELETE", 405),
        (metrics_path("pods", "tea") + "?watch=true", "GET", 405),
    ],
)
def test_refusals_are_status_objects(tmp_path: Path, path: str, method: str, code: int) -> None:
    found = answer(Semantics(), tmp_path, path, method)
    told: dict[str, Any] = json.loads(found.body)
    assert (found.status, told["kind"], told["code"]) == (code, "Status", code)


def test_the_older_shape_has_no_side_and_writes_null(tmp_path: Path) -> None:
    older = Semantics()
    older.older_metrics = True
    found = listing(tmp_path, metrics_path("deployments", "tea"), older).of("urn")[0]
    assert found.raw["edge"] == {"direction": "from", "resource": None}
    assert {one.get("unit") for one in found.raw["metrics"]} == {"ms", None}
    assert found.latencies == pytest.approx((0.007, 0.011, 0.2))
    offered = body(older, tmp_path, ROOT)["resources"]
    assert [one["name"] for one in offered] == ["namespaces", "pods", "daemonsets", "deployments", "statefulsets"]


def test_only_the_front_proxy_is_trusted() -> None:
    trusts = Semantics().trusts
    assert trusts("front-proxy-client", ("front-proxy-client",))
    assert trusts("anyone", ())
    assert not trusts("kettle", ("front-proxy-client",))
    assert not trusts(None, ())
