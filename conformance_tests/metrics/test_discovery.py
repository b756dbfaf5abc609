"""Metrics, discovery: the API is registered and says what it offers."""

from functools import partial
from typing import Any

from pytest_smi import MEASURED, BadMetrics, Metrics, Smi, assert_comes, assert_that, assert_told, requirement
from pytest_smi.spec.metrics import API_SERVICE, GROUP_VERSION, ROOT


def is_available(metrics: Metrics) -> bool:
    """Whether the APIService's condition says so."""
    conditions = metrics.registration().get("status", {}).get("conditions", [])
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)


@requirement("TM-001")
def test_the_api_is_registered_and_available(smi: Smi, metrics: Metrics) -> None:
    """The API server has an APIService for the group and version, and reaches what is behind it."""
    assert_comes(smi, lambda: is_available(metrics), f"APIService {API_SERVICE} is Available")


@requirement("TM-002")
def test_discovery_is_an_api_resource_list(metrics: Metrics) -> None:
    """With a slash at the end and without; `groupVersion`, where it is given, is the API's own."""

    def is_resource_list(found: dict[str, Any]) -> bool:
        version = found.get("groupVersion", GROUP_VERSION)
        return (found.get("kind"), found.get("apiVersion"), version) == ("APIResourceList", "v1", GROUP_VERSION)

    for path in (ROOT, f"{ROOT}/"):
        expected = f"{path} is an APIResourceList of {GROUP_VERSION}"
        assert_told(metrics, expected, partial(metrics.object, path), is_resource_list)


@requirement("TM-003")
def test_what_is_offered_can_be_got_and_listed(metrics: Metrics) -> None:
    """Every resource is of kind TrafficMetrics, and has the verbs get and list and no other."""

    def are_traffic_metrics(found: list[dict[str, Any]]) -> bool:
        return bool(found) and all(
            (one.get("kind"), sorted(one.get("verbs", []))) == ("TrafficMetrics", ["get", "list"]) for one in found
        )

    assert_told(metrics, "each has kind TrafficMetrics, verbs get and list", metrics.resources, are_traffic_metrics)


@requirement("TM-004")
def test_namespaces_and_nodes_belong_to_no_namespace(metrics: Metrics) -> None:
    """All other resources do, as the objects that they measure."""

    def are_scoped(found: list[dict[str, Any]]) -> bool:
        known = [one for one in found if one.get("name") in MEASURED]
        return bool(known) and all(one.get("namespaced") is MEASURED[one["name"]].namespaced for one in known)

    assert_told(metrics, "`namespaced` is false for namespaces and nodes only", metrics.resources, are_scoped)


@requirement("TM-005")
def test_the_full_list_is_offered(smi: Smi, metrics: Metrics) -> None:
    """All eleven kinds of the document. A mesh that leaves some out says so: they are unsupported."""
    offered = assert_told(metrics, "some of the document's resources are offered", metrics.resources, bool)
    names = {one.get("name") for one in offered}
    smi.observe("offered", sorted(str(name) for name in names))
    assert_that(smi, bool(names & MEASURED.keys()), "resources of the document are offered", names)
    if missing := [name for name in MEASURED if name not in names]:
        smi.lacks("metrics", f"not offered: {', '.join(missing)}")


@requirement("API-030")
def test_the_api_is_discoverable_and_read_only(smi: Smi, metrics: Metrics) -> None:
    """The group is among the API server's, leads to this version, and has no verb that writes."""
    found = smi.api.get("/apis/metrics.smi-spec.io")
    versions = [one["groupVersion"] for one in found.get("versions", [])]
    assert_that(smi, GROUP_VERSION in versions, f"the group has the version {GROUP_VERSION}", versions)
    try:
        verbs = {verb for one in metrics.resources() for verb in one.get("verbs", [])}
    except BadMetrics as wrong:
        assert_that(smi, False, "its resources can be discovered", wrong)
        raise
    assert_that(smi, verbs == {"get", "list"}, "its resources can be read and nothing else", sorted(verbs))
