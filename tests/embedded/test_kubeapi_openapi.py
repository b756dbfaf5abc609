"""kubectl explains, validates and applies from the documents that the server publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_smi.spec.crds import crds
from tests.embedded.kubeapi_harness import Cluster, as_json, crd

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("openapi"))
    cluster.start()
    spout = {"type": "object", "properties": {"angle": {"type": "integer", "description": "Degrees."}}}
    manifest = crd(
        spouts={"type": "array", "items": spout, "description": "Where the tea leaves."},
        size={"type": "string", "enum": ["small", "large"]},
    )
    cluster.kubectl("apply", "-f", "-", stdin=as_json(manifest))
    cluster.kubectl("wait", "--for=condition=Established", "crd/pots.tea.example", "--timeout=10s")
    yield cluster
    cluster.stop()


def pot(name: str, **spec: object) -> str:
    return as_json({"apiVersion": "tea.example/v1", "kind": "Pot", "metadata": {"name": name}, "spec": spec})


def test_explain_shows_fields_of_a_custom_kind(cluster: Cluster) -> None:
    text = cluster.kubectl("explain", "pots.spec.spouts").stdout
    assert "Where the tea leaves." in text
    assert "Degrees." in text
    assert "<integer>" in text
    assert "A Pot of tea." in cluster.kubectl("explain", "pot").stdout


def test_explain_follows_references_of_built_in_kinds(cluster: Cluster) -> None:
    assert "containerPort" in cluster.kubectl("explain", "pod.spec.containers.ports").stdout
    assert "template" in cluster.kubectl("explain", "deployment.spec", "--recursive").stdout


def test_strict_validation_refuses_unknown_fields_on_the_server(cluster: Cluster) -> None:
    refusal = cluster.kubectl("create", "--validate=strict", "-f", "-", stdin=pot("a", lid=True), check=False)
    assert refusal.returncode == 1
    assert 'unknown field "spec.lid"' in refusal.stderr
    cluster.kubectl("create", "--validate=strict", "-f", "-", stdin=pot("a", size="small"))


def test_apply_works_on_custom_and_built_in_kinds_twice(cluster: Cluster) -> None:
    config = as_json({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "leaf"}, "data": {"a": "1"}})
    for manifest, name in ((pot("b", size="small"), "pot.tea.example/b"), (config, "configmap/leaf")):
        assert cluster.kubectl("apply", "-f", "-", stdin=manifest).stdout.strip() == f"{name} created"
        assert cluster.kubectl("apply", "-f", "-", stdin=manifest).stdout.strip() == f"{name} unchanged"
    changed = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=pot("b", size="large"))
    assert "serverside-applied" in changed.stdout
    assert cluster.kubectl("get", "pot", "b", "-o", "jsonpath={.spec.size}").stdout == "large"


def test_a_changed_crd_is_explained_anew(cluster: Cluster) -> None:
    assert cluster.kubectl("explain", "pot.spec.colour", check=False).returncode == 1
    manifest = crd(colour={"type": "string", "description": "Glaze."}, size={"type": "string"})
    cluster.kubectl("apply", "-f", "-", stdin=as_json(manifest))
    assert "Glaze." in cluster.kubectl("explain", "pot.spec.colour").stdout


def test_the_smi_kinds_are_explained_in_every_version(cluster: Cluster) -> None:
    for manifest in crds():
        cluster.kubectl("apply", "-f", "-", stdin=as_json(manifest))
    text = cluster.kubectl("explain", "trafficsplit.spec.backends").stdout
    assert "weight" in text
    assert "service" in text
    older = cluster.kubectl("explain", "trafficsplit.spec.backends", "--api-version=split.smi-spec.io/v1alpha1").stdout
    assert "v1alpha1" in older
    assert "rules" in cluster.kubectl("explain", "traffictarget.spec").stdout
