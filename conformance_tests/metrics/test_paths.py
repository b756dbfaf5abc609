"""Metrics, paths: what can be asked, and how what cannot is refused."""

from functools import partial

from pytest_smi import (
    MEASURED,
    Answer,
    BadMetrics,
    Item,
    Listing,
    Load,
    Metrics,
    Smi,
    Workload,
    assert_answers,
    assert_told,
    direct_call,
    metrics_path,
    requirement,
)

ABSENT = "no-such-pot"
REFUSED = (403, 404, 405, 501)


def names_of(smi: Smi, plural: str) -> list[str]:
    """Objects of a kind in the scene's namespace (the namespace itself, any node)."""
    if plural == "namespaces":
        return [smi.namespace]
    found = smi.api.find(MEASURED[plural].collection(smi.namespace)) or {"items": []}
    return [item["metadata"]["name"] for item in found["items"]]


def is_status(answer: Answer) -> bool:
    """Whether a refusal is told in a Status object; what is no refusal need not be one."""
    if answer.code == 200:
        return True
    body = answer.json()
    return isinstance(body, dict) and (body.get("kind"), body.get("code")) == ("Status", answer.code)


@requirement("TM-006")
def test_every_resource_can_be_listed(smi: Smi, metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """Each list is a TrafficMetricsList of objects of its kind and namespace, each once; the busy ones are there."""
    busy = {"pods": teapot.pod.name, "deployments": teapot.name, "services": teapot.name}

    def lists() -> dict[str, Listing]:
        return {one["name"]: metrics.listing(one["name"]) for one in metrics.resources()}

    def are_right(found: dict[str, Listing]) -> bool:
        for name, listing in found.items():
            measured = MEASURED[name]
            home = (measured.kind, smi.namespace if measured.namespaced else "")
            if any((item.resource.kind, item.resource.namespace) != home for item in listing.items):
                return False
        return bool(found) and all(found[name].of(busy[name]) for name in busy if name in found)

    assert_told(metrics, "each resource lists the objects of its kind in the namespace", lists, are_right)


@requirement("TM-007")
def test_every_object_can_be_got(smi: Smi, metrics: Metrics, pouring: Load) -> None:
    """One TrafficMetrics about the very object. What a TrafficSplit gives is left open (TM-062)."""

    def objects() -> dict[str, tuple[str, Item]]:
        first = {one["name"]: names_of(smi, one["name"])[:1] for one in metrics.resources()}
        return {
            plural: (name, metrics.get(plural, name))
            for plural, names in first.items()
            for name in names
            if plural != "trafficsplits"
        }

    def are_right(found: dict[str, tuple[str, Item]]) -> bool:
        told = {plural: (item.raw.get("kind"), item.resource) for plural, (_, item) in found.items()}
        return bool(found) and all(
            (kind, ref.kind, ref.name) == ("TrafficMetrics", MEASURED[plural].kind, found[plural][0])
            for plural, (kind, ref) in told.items()
        )

    assert_told(metrics, "an object of each resource gives its own TrafficMetrics", objects, are_right)


@requirement("TM-008")
def test_namespaces_are_listed_and_got_without_one(smi: Smi, metrics: Metrics, pouring: Load) -> None:
    """`/namespaces` lists them, `/namespaces/NAME` gives one."""
    assert_told(
        metrics,
        "the scene's namespace is listed and can be got",
        lambda: (metrics.listing("namespaces"), metrics.get("namespaces", smi.namespace)),
        lambda told: bool(told[0].of(smi.namespace)) and told[1].resource.name == smi.namespace,
    )


@requirement("TM-009")
def test_an_objects_edges_can_be_listed(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """`…/pods/NAME/edges` is a TrafficMetricsList about that pod, and so it is for a Deployment."""
    for plural, name in (("pods", teapot.pod.name), ("deployments", teapot.name)):

        def are_its(listing: Listing, name: str = name) -> bool:
            return {item.resource.name for item in listing.items} == {name}

        assert_told(metrics, f"the edges of {plural} {name} are listed", partial(metrics.edges, plural, name), are_its)


@requirement("TM-010")
def test_a_single_edge_cannot_be_asked_for(metrics: Metrics, kettle: Workload, teapot: Workload, pouring: Load) -> None:
    """The edges are there, but a name after `edges` is not found."""
    edges = metrics_path("pods", metrics.smi.namespace, teapot.pod.name, edges=True)
    assert_answers(metrics, edges, 200)
    assert_answers(metrics, f"{edges}/{kettle.pod.name}", 404)


@requirement("TM-011")
def test_nothing_can_be_written(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """Creating, replacing and deleting are refused, and what is told stays what it was."""
    pods = metrics_path("pods", metrics.smi.namespace)
    pod = f"{pods}/{teapot.pod.name}"
    for method, path in (("POST", pods), ("PUT", pod), ("PATCH", pod), ("DELETE", pod)):
        assert_answers(metrics, path, *REFUSED, method=method)
    assert_answers(metrics, pod, 200)


@requirement("TM-012")
def test_an_unknown_resource_is_not_found(metrics: Metrics) -> None:
    """Pods are known, widgets are not."""
    assert_answers(metrics, metrics_path("pods", metrics.smi.namespace), 200)
    assert_answers(metrics, metrics_path("widgets", metrics.smi.namespace), 404)


@requirement("TM-013")
def test_observe_how_an_absent_object_is_answered(metrics: Metrics) -> None:
    """404 is to be expected; one implementation answers 500."""
    answer = metrics.ask(metrics_path("pods", metrics.smi.namespace, ABSENT))
    metrics.smi.observe("status", answer.code)
    metrics.smi.observe("body", answer.excerpt)


@requirement("TM-014")
def test_refusals_are_status_objects(metrics: Metrics) -> None:
    """An unknown resource and an absent object, as far as they are refused, are told of as Kubernetes does."""
    for plural in ("widgets", "pods"):
        path = metrics_path(plural, metrics.smi.namespace, ABSENT)
        assert_told(metrics, f"the refusal of {path} is a Status", partial(metrics.ask, path), is_status)


@requirement("TM-015")
def test_observe_a_list_of_all_namespaces(metrics: Metrics, pouring: Load) -> None:
    """`/pods` without a namespace: one implementation has it."""
    answer = metrics.ask(metrics_path("pods"))
    metrics.smi.observe("status", answer.code)
    try:
        metrics.smi.observe("namespaces", sorted({i.resource.namespace for i in Listing(answer.found()).items}))
    except BadMetrics as wrong:
        metrics.smi.observe("body", str(wrong))


@requirement("TM-016")
def test_only_the_api_server_may_ask(metrics: Metrics) -> None:
    """Past the API server, without its front-proxy certificate, nobody gets metrics, whoever they say they are."""
    path = metrics_path("pods", metrics.smi.namespace)
    assert_answers(metrics, path, 200)
    assert_told(
        metrics,
        "a direct call that poses as a cluster administrator is refused",
        partial(direct_call, metrics, path),
        lambda answer: answer.code != 200,
        agree=1,
    )


@requirement("TM-017")
def test_observe_a_watch(metrics: Metrics) -> None:
    """No verb says that metrics can be watched: `watch=true` is ignored or refused."""
    answer = metrics.ask(metrics_path("pods", metrics.smi.namespace), watch="true", timeoutSeconds="1")
    metrics.smi.observe("status", answer.code)
    metrics.smi.observe("body", answer.cut or answer.excerpt)
