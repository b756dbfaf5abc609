"""Metrics, access: Kubernetes' own rights say who may ask for what."""

from typing import Any

import pytest

from pytest_smi import Metrics, Raw, Smi, Workload, assert_answers, metrics_path, requirement

READER = "intruder"


def role(smi: Smi, *resources: str) -> list[Raw]:
    """A Role in the scene's first namespace that grants these resources of the metrics API, bound to the reader."""
    meta = {"name": "traffic-metrics", "namespace": smi.namespace}
    rules = [{"apiGroups": ["metrics.smi-spec.io"], "resources": list(resources), "verbs": ["*"]}]
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": READER, "namespace": smi.namespace}
    reference = {"apiGroup": group, "kind": "Role", "name": "traffic-metrics"}
    binding: dict[str, Any] = {"subjects": [subject], "roleRef": reference}
    return [
        Raw({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": dict(meta), "rules": rules}),
        Raw({"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": dict(meta), **binding}),
    ]


@pytest.fixture
def reader(metrics: Metrics) -> Metrics:
    """The API as a ServiceAccount sees it that has no rights of its own."""
    return metrics.as_account(READER)


@requirement("TM-070")
def test_rights_on_the_group_govern_access(smi: Smi, metrics: Metrics, reader: Metrics, teapot: Workload) -> None:
    """Without a Role everything is forbidden; with the document's first Role everything in its namespace is not."""
    pods, pod = metrics_path("pods", smi.namespace), metrics_path("pods", smi.namespace, teapot.pod.name)
    edges = metrics_path("pods", smi.namespace, teapot.pod.name, edges=True)
    assert_answers(metrics, pods, 200)
    for path in (pods, pod, edges):
        assert_answers(reader, path, 403)
    smi.apply(*role(smi, "*"))
    for path in (pods, pod, edges):
        assert_answers(reader, path, 200)


@requirement("TM-071")
def test_edges_of_pods_can_be_granted_alone(smi: Smi, metrics: Metrics, reader: Metrics, teapot: Workload) -> None:
    """The document's second Role opens the edges of pods, not pods themselves, and not the edges of Deployments."""
    smi.apply(*role(smi, "pods/edges"))
    assert_answers(reader, metrics_path("pods", smi.namespace, teapot.pod.name, edges=True), 200)
    assert_answers(reader, metrics_path("pods", smi.namespace), 403)
    assert_answers(reader, metrics_path("deployments", smi.namespace, teapot.name, edges=True), 403)


@requirement("TM-072")
def test_a_role_counts_in_its_namespace_only(smi: Smi, reader: Metrics) -> None:
    """What it opens in one namespace stays closed in the other."""
    smi.apply(*role(smi, "*"))
    assert_answers(reader, metrics_path("pods", smi.namespace), 200)
    assert_answers(reader, metrics_path("pods", smi.namespace2), 403)
